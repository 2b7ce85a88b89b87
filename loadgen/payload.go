package loadgen

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Bounds of a payload file.
const (
	PayloadFileBytesMax = 256 << 20
	payloadLineBytesMax = 2 * PayloadBytesMax
)

// payload makes and knows again the data of a run's messages, {"t":<planned instant>,…}: the instant, and behind it filler, which
// is the same in all, or the lines of a file. It is made once for all loops, which only ask it; append is the publisher's.
type payload struct {
	filler   string              // what follows the instant where there is no file: ,"p":"xxx…"}
	lines    []string            // the same of a file's lines, in the order in which they are sent: ,"d":<data>}
	known    map[string]struct{} // lines, to be looked up; nil: there is no file
	shortest int                 // bytes of the shortest of either

	sent  int    // messages made
	bytes uint64 // of all of them
}

// newPayload reads a plan's file, or makes its filler.
func newPayload(p *Plan) (*payload, error) {
	if p.PayloadFile == "" {
		return newFillerPayload(p.fillerOf(p.Payload - PayloadBytesMin)), nil
	}
	d, err := readPayload(p.PayloadFile)
	if err != nil {
		return nil, planError("payload-file", "%v", err)
	}
	random := rand.New(rand.NewPCG(p.Seed, 1))
	random.Shuffle(len(d.lines), func(i, j int) { d.lines[i], d.lines[j] = d.lines[j], d.lines[i] })
	return d, nil
}

func newFillerPayload(filler string) *payload {
	d := &payload{filler: `,"p":"` + filler + `"}`}
	d.shortest = len(d.filler)
	return d
}

// fillerOf makes n bytes of filler. Random ones are six bits each; they differ from message to message as little as others, which
// is no help to a server that compresses each message by itself.
func (p *Plan) fillerOf(n int) string {
	if !p.Random {
		return strings.Repeat("x", max(n, 0))
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	random := rand.New(rand.NewPCG(p.Seed, 2))
	b := make([]byte, max(n, 0))
	for i := range b {
		b[i] = letters[random.IntN(len(letters))]
	}
	return string(b)
}

// readPayload reads the data of every line of an NDJSON file, {"data":<JSON>,…}, without blanks between tokens.
func readPayload(file string) (*payload, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > PayloadFileBytesMax {
		return nil, fmt.Errorf("%s is longer than %d bytes", file, PayloadFileBytesMax)
	}
	d := &payload{known: map[string]struct{}{}}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, payloadLineBytesMax)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := d.addLine(lines.Bytes()); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", file, n, err)
		}
	}
	switch {
	case lines.Err() != nil:
		return nil, fmt.Errorf("%s: %w", file, lines.Err())
	case len(d.lines) == 0:
		return nil, fmt.Errorf("%s has no lines", file)
	}
	return d, nil
}

func (d *payload) addLine(text []byte) error {
	var line struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &line); err != nil {
		return err
	}
	if len(line.Data) == 0 {
		return fmt.Errorf("it has no data")
	}
	var b bytes.Buffer
	b.WriteString(`,"d":`)
	if err := json.Compact(&b, line.Data); err != nil {
		return err
	}
	b.WriteByte('}')
	if n := b.Len() + PayloadBytesMin; n > PayloadBytesMax {
		return fmt.Errorf("data of %d bytes, more than %d", len(line.Data), PayloadBytesMax)
	}
	one := b.String()
	d.lines = append(d.lines, one)
	d.known[one] = struct{}{}
	if d.shortest == 0 || len(one) < d.shortest {
		d.shortest = len(one)
	}
	return nil
}

// append appends the data of the next message. Each line comes once before any comes again.
func (d *payload) append(dst []byte, planned int64) []byte {
	start := len(dst)
	dst = append(dst, `{"t":`...)
	dst = appendInstant(dst, planned)
	if d.known == nil {
		dst = append(dst, d.filler...)
	} else {
		dst = append(dst, d.lines[d.sent%len(d.lines)]...)
	}
	d.sent++
	d.bytes += uint64(len(dst) - start)
	return dst
}

// holds reports whether some message's data ends so, behind the instant.
func (d *payload) holds(rest []byte) bool {
	if d.known == nil {
		return string(rest) == d.filler
	}
	_, ok := d.known[string(rest)]
	return ok
}

// meanBytes is the size of what was made so far; 0: nothing was.
func (d *payload) meanBytes() float64 { return float64(d.bytes) / float64(max(d.sent, 1)) }

// appendInstant appends Unix ns as 19 digits, which they have from 2001 to 2262.
func appendInstant(dst []byte, ns int64) []byte {
	return strconv.AppendInt(dst, ns, 10)
}

// payloadText says what a message's data is.
func (p *Plan) payloadText() string {
	switch {
	case p.PayloadFile != "":
		return "lines of " + filepath.Base(p.PayloadFile)
	case p.Random:
		return strconv.Itoa(p.Payload) + " bytes with random filler"
	}
	return strconv.Itoa(p.Payload) + " bytes"
}

func (p *Plan) validatePayload() error {
	switch {
	case p.PayloadFile == "":
		return nil
	case !p.Workload.publishes():
		return planError("payload-file", "%s publishes nothing", p.Workload)
	case p.Random:
		return planError("payload-file", "give it or --random, not both")
	case !p.native():
		return planError("payload-file", "driver %s makes payloads of its own", p.Driver)
	}
	return nil
}
