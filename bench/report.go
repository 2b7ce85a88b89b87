package bench

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// Report writes everything that is made of results into a folder of documentation: the parts of benchmarks.md that stand
// between markers, <!-- bench:NAME --> and <!-- /bench:NAME -->, and the plots in img/. What is written by hand around the
// markers stays, and so do the parts of which there are no results.
//
// What it returns are the goals that were missed and that no note on the page begins with: "- **the goal**".
func (r *Results) Report(docs string) (unexplained []string, err error) {
	file := filepath.Join(docs, "benchmarks.md")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(docs, "img"), 0o755); err != nil {
		return nil, err
	}
	for name, svg := range r.plots() {
		if err := os.WriteFile(filepath.Join(docs, "img", name), svg, 0o644); err != nil {
			return nil, err
		}
	}
	page := string(text)
	tables, growth, compression := r.Tables("img"), r.growthTables("img"), r.compressionTables()
	for _, part := range []struct {
		name, text string
		found      bool // else the page keeps what is there
	}{
		{"goals", r.goalsTable(), tables != ""}, {"tables", tables, tables != ""}, {"growth", growth, growth != ""},
		{"compression", compression, compression != ""}, {"host", r.hostTable(), tables != ""},
	} {
		if !part.found {
			continue
		}
		if page, err = replace(page, part.name, part.text); err != nil {
			return nil, fmt.Errorf("bench: %s: %w", file, err)
		}
	}
	for _, g := range r.judge() {
		if g.found.N > 0 && !g.met() && !strings.Contains(page, "- **"+g.what+"**") {
			unexplained = append(unexplained, g.what)
		}
	}
	return unexplained, os.WriteFile(file, []byte(page), 0o644)
}

// replace puts text between the markers of a name.
func replace(page, name, text string) (string, error) {
	begin, end := "<!-- bench:"+name+" -->", "<!-- /bench:"+name+" -->"
	before, rest, found := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return page, errors.New("there is no " + begin + " … " + end)
	}
	return before + begin + "\n" + text + end + after, nil
}

// Text is all tables.
func (r *Results) Text() string { return r.Tables("") + r.growthTables("") + r.compressionTables() }

// Tables is a table for each workload that was run. img is where plots stand, seen from the page; "" leaves them out.
func (r *Results) Tables(img string) string {
	var b strings.Builder
	for _, w := range Workloads() {
		if w.Set != Compare || len(r.rows(&w)) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", w.Title, w.About)
		if img != "" {
			fmt.Fprintf(&b, "![%s](%s)\n\n", w.Title, path.Join(img, plotName(&w)))
		}
		b.WriteString(r.table(&w))
	}
	return b.String()
}

// row is a server in a workload's table.
type row struct {
	server Server
	standing
}

// rows are the servers that went through a workload.
func (r *Results) rows(w *Workload) []row {
	var rows []row
	for _, s := range Servers {
		if t := r.standing(subject{s.Name, w.Name}); t.runs > 0 {
			rows = append(rows, row{s, t})
		}
	}
	return rows
}

func (r *Results) table(w *Workload) string {
	var b, remarks strings.Builder
	head, rule := "| server |", "|---|"
	for i := range w.Metrics {
		head += " " + w.Metrics[i].Title + " |"
		rule += "---:|"
		if w.Metrics[i].Ratio {
			head += " × floor |"
			rule += "---:|"
		}
	}
	b.WriteString(head + " rounds |\n" + rule + "---:|\n")
	for _, row := range r.rows(w) {
		mark := ""
		if row.limited*2 > row.runs {
			mark = " \\*"
		}
		if row.failed+row.faulty > 0 {
			mark += " †"
		}
		fmt.Fprintf(&b, "| %s%s |", row.server.Title, mark)
		for i := range w.Metrics {
			b.WriteString(r.cells(subject{row.server.Name, w.Name}, Floor, &w.Metrics[i]))
		}
		fmt.Fprintf(&b, " %d |\n", row.runs-row.failed)
		if row.failed+row.faulty > 0 {
			remarks.WriteString(row.remark(row.server.Title))
		}
		if row.limited*2 > row.runs && !strings.Contains(remarks.String(), "\n\\*") {
			remarks.WriteString("\n\\* the load client was the limit, not the server: compare CPU.\n")
		}
	}
	if names := r.unable(w); len(names) > 0 {
		fmt.Fprintf(&remarks, "\nNot for %s: they have no %s that could be driven.\n", strings.Join(names, ", "), w.Needs)
	}
	return b.String() + remarks.String()
}

// remark says what a reader must know of runs that went wrong.
func (t *standing) remark(of string) string {
	return fmt.Sprintf("\n† %s: %d of %d runs failed or had faults: %s\n", of, t.failed+t.faulty, t.runs, short(t.why))
}

// unable are the servers that were run, but have not what a workload needs.
func (r *Results) unable(w *Workload) []string {
	var names []string
	for i := range Servers {
		s := &Servers[i]
		if _, ran := r.Host.Versions[s.Name]; ran && s.URLs[w.Needs] == "" {
			names = append(names, s.Title)
		}
	}
	return names
}

// cells are a metric's, with its ratio to a base where it has one.
func (r *Results) cells(s subject, base string, m *Metric) string {
	v := r.summary(s, m)
	text := " – |"
	if v.N > 0 {
		text = " " + m.format(v.Median) + spread(m, v) + " |"
	}
	if !m.Ratio {
		return text
	}
	of := Metric{Digits: 2}
	switch q := r.ratio(s, subject{base, s.Workload}, m); {
	case s.Server == base && v.N > 0:
		return text + " 1 |"
	case q.N > 0:
		return text + " " + of.format(q.Median) + spread(&of, q) + " |"
	}
	return text + " – |"
}

func spread(m *Metric, s summary) string {
	if s.N < 2 {
		return ""
	}
	return " (" + m.format(s.Low) + " to " + m.format(s.High) + ")"
}

func short(text string) string {
	const most = 200
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return text
}

func (r *Results) goalsTable() string {
	var b strings.Builder
	b.WriteString("\n| goal | bound | found | |\n|---|---:|---:|---|\n")
	for _, g := range r.judge() {
		sign, verdict := "≤", "[**missed**](#where-a-goal-was-missed)"
		if g.least {
			sign = "≥"
		}
		if g.met() {
			verdict = "met"
		}
		if g.found.N == 0 {
			fmt.Fprintf(&b, "| %s | %s %s | – | not measured |\n", g.what, sign, g.text(g.bound))
			continue
		}
		between := ""
		if g.found.N > 1 {
			between = " (" + g.text(g.found.Low) + " to " + g.text(g.found.High) + ")"
		}
		fmt.Fprintf(&b, "| %s | %s %s | %s%s | %s |\n", g.what, sign, g.text(g.bound), g.text(g.found.Median), between, verdict)
	}
	return b.String() + "\n"
}

func (r *Results) growthTables(img string) string {
	var b strings.Builder
	for _, s := range grows {
		points := r.points(s.name)
		if len(points) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", "By "+s.title, s.about)
		if img != "" {
			fmt.Fprintf(&b, "![by %s](%s)\n\n", s.title, path.Join(img, "bench-growth-"+s.name+".svg"))
		}
		fmt.Fprintf(&b, "| %s |", s.title)
		rule := "\n|---:|"
		for i := range points[0].Metrics {
			fmt.Fprintf(&b, " %s |", points[0].Metrics[i].Title)
			rule += "---:|"
		}
		b.WriteString(rule + "\n")
		var remarks strings.Builder
		for _, w := range points {
			x, t, mark := (&Metric{}).format(w.X), r.standing(subject{us, w.Name}), ""
			if t.failed+t.faulty > 0 {
				mark = " †"
				remarks.WriteString(t.remark(x + " " + s.title))
			}
			b.WriteString("| " + x + mark + " |")
			for i := range w.Metrics {
				m := w.Metrics[i]
				m.Ratio = false
				b.WriteString(r.cells(subject{us, w.Name}, Floor, &m))
			}
			b.WriteString("\n")
		}
		b.WriteString(remarks.String())
	}
	return b.String()
}

// points are the workloads of a series that were run, in its order.
func (r *Results) points(series string) []Workload {
	var found []Workload
	for _, w := range grown() {
		if w.Series == series && len(r.rows(&w)) > 0 {
			found = append(found, w)
		}
	}
	return found
}

func (r *Results) hostTable() string {
	h := &r.Host
	var b strings.Builder
	fmt.Fprintf(&b, "\n| | |\n|---|---|\n| CPU | %s, %d cores |\n| memory | %d MB |\n| system | %s, Linux %s |\n",
		h.CPU, h.Cores, h.MemoryMB, h.OS, h.Kernel)
	fmt.Fprintf(&b, "| open files | %d soft, %d hard |\n", h.Files[0], h.Files[1])
	for _, p := range h.Parts {
		fmt.Fprintf(&b, "| rounds from %d on | %s; %s, commit %s; load average %s |\n",
			p.FirstRound, p.Time.Format("2006-01-02 15:04 MST"), p.Go, p.Commit, p.Load)
	}
	fmt.Fprintf(&b, "| raw results | [%s](../%s) |\n", r.Dir, r.Dir)
	b.WriteString("\n| server | version | how it broadcasts |\n|---|---|---|\n")
	for _, s := range peers {
		version, ok := h.Versions[s.Name]
		if !ok {
			version = "not run: " + h.Missing[s.Name]
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s.Title, strings.ReplaceAll(version, "|", "/"), s.How)
	}
	names := make([]string, 0, len(h.Sysctl))
	for name := range h.Sysctl {
		names = append(names, name)
	}
	sort.Strings(names)
	b.WriteString("\n| kernel setting | value |\n|---|---|\n")
	for _, name := range names {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, h.Sysctl[name])
	}
	return b.String() + "\n"
}
