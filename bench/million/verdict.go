package million

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// arrive waits until what the server handed to the kernel has been read: until the kernel's sockets hold about as much as they did
// while idle.
func (p *proof) arrive(ctx context.Context) {
	for began := time.Now(); socketMemory() > p.report.SocketMemory+socketSlack && time.Since(began) < arriveTimeout; {
		if p.wait(ctx, 500*time.Millisecond) != nil {
			return
		}
	}
}

// finish ends the load generator, and makes its verdict the report's.
func (p *proof) finish(ctx context.Context) error {
	if err := p.load.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	select {
	case err := <-p.loadEnd:
		p.loadEnd <- err
	case <-ctx.Done():
		return fmt.Errorf("million: the load generator does not end: %w", ctx.Err())
	}
	if !json.Valid(p.out.Bytes()) {
		return fmt.Errorf("million: the load generator has no result: %s", bytes.TrimSpace(p.out.Bytes()))
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, p.out.Bytes()); err != nil {
		return err
	}
	return p.report.judge(compact.Bytes())
}

// interrupted is what the load generator says of a run that was ended by a signal.
const interrupted = "the run was interrupted"

// judge takes from the load generator's result what it alone knows.
func (r *Report) judge(result []byte) error {
	var found struct {
		Connections struct {
			Opened  int     `json:"opened"`
			Failed  int     `json:"failed"`
			Dropped int     `json:"dropped"`
			Open    float64 `json:"open_s"`
			Pings   int     `json:"pings"`
		} `json:"connections"`
		Verdict struct {
			Delivered uint64 `json:"delivered"`
		} `json:"verdict"`
		Faults []string `json:"faults"`
	}
	if err := json.Unmarshal(result, &found); err != nil {
		return fmt.Errorf("million: the load generator's result: %w", err)
	}
	r.Loadgen = result
	r.Up, r.Lost, r.ConnectSeconds = found.Connections.Opened, found.Connections.Dropped, found.Connections.Open
	r.Pings, r.Delivered = found.Connections.Pings, found.Verdict.Delivered
	for _, f := range found.Faults {
		if f != interrupted { // by us, when all was done
			r.Faults = append(r.Faults, f)
		}
	}
	if r.Up < r.Plan.Connections {
		r.Faults = append(r.Faults, fmt.Sprintf("only %d of %d connections came up", r.Up, r.Plan.Connections))
	}
	if want := uint64(len(r.Broadcasts)) * uint64(r.Up); r.Delivered != want || len(r.Broadcasts) < r.Plan.Broadcasts {
		r.Faults = append(r.Faults, fmt.Sprintf("%d messages were received, of %d", r.Delivered, want))
	}
	return nil
}
