package bench

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// value reads a metric out of a run. It is not there when the run failed, or loadgen did not report it.
func (m *Metric) value(r *Run) (float64, bool) {
	if r.Error != "" {
		return 0, false
	}
	v, ok := lookup(r.Result, m.Path)
	if m.Plus != "" {
		more, there := lookup(r.Result, m.Plus)
		v, ok = v+more, ok && there
	}
	if m.Scale != 0 {
		v *= m.Scale
	}
	return v, ok
}

// lookup follows a path of names and indices through JSON to a number. <name> is the index that stands under that name beside the
// list.
func lookup(text json.RawMessage, path string) (float64, bool) {
	var at any
	var beside map[string]any // the object that the current value was taken from
	if json.Unmarshal(text, &at) != nil {
		return 0, false
	}
	for step := range strings.SplitSeq(path, ".") {
		switch v := at.(type) {
		case map[string]any:
			at, beside = v[step], v
		case []any:
			if name, named := strings.CutPrefix(step, "<"); named {
				n, _ := beside[strings.TrimSuffix(name, ">")].(float64)
				step = strconv.Itoa(int(n))
			}
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return 0, false
			}
			at = v[i]
		default:
			return 0, false
		}
	}
	n, ok := at.(float64)
	return n, ok
}

// notes are what loadgen had to say about a run beside its figures.
type notes struct {
	Faults    []string `json:"faults"`
	Generator struct {
		Limited bool `json:"generator_limited"`
	} `json:"generator"`
	Searches []struct {
		Limited bool `json:"generator_limited"`
	} `json:"searches"`
}

func (r *Run) notes() (n notes) {
	_ = json.Unmarshal(r.Result, &n) // a result that cannot be read has no figures either
	for _, s := range n.Searches {
		n.Generator.Limited = n.Generator.Limited || s.Limited
	}
	return n
}

// line tells of a run in one line.
func (r *Run) line(w *Workload) string {
	text := fmt.Sprintf("%-16s %-12s", r.Workload, r.Server)
	if r.Error != "" {
		return text + "  FAILED: " + strings.Join(strings.Fields(r.Error), " ")
	}
	for i := range w.Metrics {
		if v, ok := w.Metrics[i].value(r); ok {
			text += fmt.Sprintf("  %s %s", w.Metrics[i].format(v), w.Metrics[i].Title)
		}
	}
	n := r.notes()
	if n.Generator.Limited {
		text += "  (loadgen was the limit)"
	}
	if len(n.Faults) > 0 {
		text += "  FAULTS: " + strings.Join(n.Faults, "; ")
	}
	return text
}

// format writes a value with the metric's digits, thousands apart.
func (m *Metric) format(v float64) string {
	text := strconv.FormatFloat(v, 'f', m.Digits, 64)
	whole, rest, _ := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return sign + whole
}

// summary is several values of one thing: their median, and how far they lay apart.
type summary struct {
	N                 int
	Median, Low, High float64
}

func summarise(values []float64) summary {
	if len(values) == 0 {
		return summary{}
	}
	v := slices.Clone(values)
	slices.Sort(v)
	s := summary{N: len(v), Low: v[0], High: v[len(v)-1], Median: v[len(v)/2]}
	if len(v)%2 == 0 {
		s.Median = (v[len(v)/2-1] + v[len(v)/2]) / 2
	}
	return s
}

// subject is what a summary is of.
type subject struct{ Server, Workload string }

// each gives a metric's values by round.
func (r *Results) each(s subject, m *Metric) map[int]float64 {
	values := map[int]float64{}
	for i := range r.Runs {
		run := &r.Runs[i]
		if run.Server != s.Server || run.Workload != s.Workload {
			continue
		}
		if v, ok := m.value(run); ok {
			values[run.Round] = v
		}
	}
	return values
}

// summary is a metric over all rounds.
func (r *Results) summary(s subject, m *Metric) summary {
	var values []float64
	for _, v := range r.each(s, m) {
		values = append(values, v)
	}
	return summarise(values)
}

// ratio is a metric of one subject over that of another: taken within each round that has both, then summed up.
func (r *Results) ratio(s, of subject, m *Metric) summary {
	base := r.each(of, m)
	var values []float64
	for round, v := range r.each(s, m) {
		if b, ok := base[round]; ok && b > 0 {
			values = append(values, v/b)
		}
	}
	return summarise(values)
}

// standing says what a reader must know of a server's runs of a workload.
type standing struct {
	runs, failed, faulty, limited int
	why                           string // of the last that failed or was at fault
}

func (r *Results) standing(s subject) (t standing) {
	for i := range r.Runs {
		run := &r.Runs[i]
		if run.Server != s.Server || run.Workload != s.Workload {
			continue
		}
		t.runs++
		n := run.notes()
		switch {
		case run.Error != "":
			t.failed++
			t.why = run.Error
		case len(n.Faults) > 0:
			t.faulty++
			t.why = strings.Join(n.Faults, "; ")
		}
		if n.Generator.Limited {
			t.limited++
		}
	}
	return t
}
