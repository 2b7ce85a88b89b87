package loadgen

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// RawSchema rises when a line of the raw stream changes its meaning; lines and fields may be added without.
const RawSchema = 1

// IntervalLength is how much of a run one line of the raw stream tells.
const IntervalLength = 100 * time.Millisecond

// RawLineBytesMax bounds a line of a raw stream; a line with every value of a histogram in use stays far below.
const RawLineBytesMax = 4 << 20

// Line is one line of a raw stream: exactly one of its fields is set. A stream is one or more runs, each a Begin, the
// intervals and samples, and an End; behind the runs of a search comes what it found.
type Line struct {
	Begin    *Begin    `json:"begin,omitempty"`
	Interval *Interval `json:"interval,omitempty"`
	Sample   *Sample   `json:"sample,omitempty"`
	End      *Result   `json:"end,omitempty"`
	Search   *Search   `json:"search,omitempty"`
}

// Begin opens a run.
type Begin struct {
	Schema  int       `json:"schema"`
	Name    string    `json:"name,omitempty"`   // the step of a scenario or a search
	Search  bool      `json:"search,omitempty"` // a step of the search whose Search line follows
	Started time.Time `json:"started"`
	Plan    Plan      `json:"plan"`
}

// Interval is what one class of connections got in about IntervalLength.
type Interval struct {
	At         float64    `json:"t_s"` // its end, since the run began
	Seconds    float64    `json:"s"`
	Phase      string     `json:"phase"`
	Class      string     `json:"class"`
	Deliveries int64      `json:"deliveries"`
	Bytes      uint64     `json:"bytes"`
	Measured   *Histogram `json:"measured,omitempty"` // latencies of the messages planned in the measured window, ns
	Other      *Histogram `json:"other,omitempty"`    // of the others
}

// Sample is how things stood at one instant.
type Sample struct {
	At       float64   `json:"t_s"`
	Open     int       `json:"open"`
	Failed   int       `json:"failed"`
	Dropped  int       `json:"dropped"`
	Busy     []float64 `json:"busy"` // share of each loop's time in the last interval
	CPU      float64   `json:"server_cpu_s,omitempty"`
	RSSBytes int64     `json:"server_rss_bytes,omitempty"`
}

// Histogram is an HDR histogram; in JSON it is the base64 of the HdrHistogram V2 compressed format, which other tools
// read too.
type Histogram struct{ *hdrhistogram.Histogram }

// MarshalJSON encodes it.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("loadgen: histogram: %w", err)
	}
	return json.Marshal(string(b))
}

// UnmarshalJSON decodes it.
func (h *Histogram) UnmarshalJSON(src []byte) error {
	var text string
	if err := json.Unmarshal(src, &text); err != nil {
		return err
	}
	if _, err := base64.StdEncoding.DecodeString(text); err != nil {
		return fmt.Errorf("loadgen: histogram: %w", err)
	}
	d, err := hdrhistogram.Decode([]byte(text))
	if err != nil {
		return fmt.Errorf("loadgen: histogram: %w", err)
	}
	h.Histogram = d
	return nil
}

// RawWriter writes a raw stream. Its first error stays and is told by Flush.
type RawWriter struct {
	w   *bufio.Writer
	e   *json.Encoder
	err error
}

// NewRawWriter writes to w, which stays the caller's to close.
func NewRawWriter(w io.Writer) *RawWriter {
	b := bufio.NewWriter(w)
	return &RawWriter{w: b, e: json.NewEncoder(b)}
}

// Write adds a line.
func (w *RawWriter) Write(l *Line) {
	if w.err == nil {
		w.err = w.e.Encode(l)
	}
}

// Flush hands on what is buffered.
func (w *RawWriter) Flush() error {
	if w.err != nil {
		return fmt.Errorf("loadgen: raw stream: %w", w.err)
	}
	return w.w.Flush()
}

// ReadRaw makes the records of the runs in a raw stream. A run whose End is missing, since the process was killed, is
// taken for interrupted.
func ReadRaw(r io.Reader) (*Report, error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), RawLineBytesMax)
	report := &Report{}
	for n := 1; s.Scan(); n++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		var l Line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("loadgen: raw stream, line %d: %w", n, err)
		}
		if err := report.Add(&l); err != nil {
			return nil, fmt.Errorf("loadgen: raw stream, line %d: %w", n, err)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("loadgen: raw stream: %w", err)
	}
	if len(report.Runs) == 0 {
		return nil, fmt.Errorf("loadgen: raw stream: no run in it")
	}
	report.finish()
	return report, nil
}
