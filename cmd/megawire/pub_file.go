package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

// lineBytesMax bounds one line of a capture; the server's bound on a message is below.
const lineBytesMax = 32 << 20

// interruptWait is how long the server may take to answer once a replay is interrupted.
const interruptWait = 5 * time.Second

// replay is a capture on its way to the server. One goroutine reads lines, one sends
// them; the counters may be read from anywhere.
type replay struct {
	pacer pacer
	in    io.Reader
	out   *io.PipeWriter

	lines     atomic.Uint64
	bytesRead atomic.Int64
	bytesAll  int64 // of the file; 0 where nobody knows
	err       error // why it ended early; set before the pipe is closed
}

// pubFile publishes a capture in one streamed request.
func pubFile(ctx context.Context, cmd *cobra.Command, flags *pubFlags) error {
	speed, err := parsePace(flags.pace)
	if err != nil {
		return usageError{err}
	}
	api, err := newAdminAPI(flags.admin)
	if err != nil {
		return err
	}
	r := &replay{pacer: pacer{pace: speed}, in: cmd.InOrStdin()}
	if flags.file != "-" {
		f, size, err := openCapture(flags.file)
		if err != nil {
			return err
		}
		defer f.Close()
		r.in, r.bytesAll = f, size
	}
	began := time.Now()
	bar := startProgress(cmd.ErrOrStderr(), r, began)
	status, answer, err := r.post(ctx, api)
	bar.stop()
	if err == nil && (status != http.StatusOK || answer.Error != nil) {
		err = answer.refusal(status)
	}
	switch {
	case err != nil && neverSent(err):
		return err
	case err != nil && status == 0 && r.lines.Load() > 0:
		// No answer: the server knows, we do not.
		return fmt.Errorf("%w\n  %d lines were sent; how many of them were published is not known", err, r.lines.Load())
	}
	fmt.Fprintln(cmd.OutOrStdout(), summary(&answer, time.Since(began)))
	switch {
	case err != nil:
		return err
	case r.err != nil:
		return r.err
	}
	return nil
}

func openCapture(name string) (*os.File, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, usageError{fmt.Errorf("--file: %w", err)}
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory", name)
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, usageError{fmt.Errorf("--file: %w", err)}
	}
	if !info.Mode().IsRegular() {
		return f, 0, nil // a pipe has no size
	}
	return f, info.Size(), nil
}

// post streams the capture and returns the server's answer. When ctx ends, what was
// begun is ended cleanly, so that the server says how much it has taken.
func (r *replay) post(ctx context.Context, api adminAPI) (int, pubAnswer, error) {
	body, out := io.Pipe()
	r.out = out
	sending, enough := context.WithCancel(ctx)
	defer enough()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		r.send(sending)
	}()
	patience, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(interruptWait, cancel) })
	defer stop()
	status, answer, err := api.post(patience, "application/x-ndjson", body)
	_ = body.Close() // the server may have answered before the end
	enough()
	<-sent
	return status, answer, err
}

// send writes the lines when they are due, whole, and closes the request's body.
func (r *replay) send(ctx context.Context) {
	w := bufio.NewWriterSize(r.out, 64<<10)
	r.err = r.sendLines(ctx, w)
	if err := w.Flush(); err != nil && r.err == nil && !errors.Is(err, io.ErrClosedPipe) {
		r.err = err
	}
	_ = r.out.Close()
}

func (r *replay) sendLines(ctx context.Context, w *bufio.Writer) error {
	lines, failed := r.read(ctx)
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		line, ok, err := nextLine(ctx, lines, w)
		if err != nil {
			return err
		}
		if !ok {
			return <-failed
		}
		if wait := r.pacer.due(line) - time.Since(began); wait > 0 {
			if err := w.Flush(); err != nil {
				return ignoreClosed(err)
			}
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return errInterrupted
			}
		}
		if _, err := w.Write(line); err != nil {
			return ignoreClosed(err)
		}
		r.lines.Add(1)
		r.bytesRead.Add(int64(len(line)))
	}
}

var errInterrupted = errors.New("interrupted before the end of the capture")

// ignoreClosed: the server has answered and reads no more; its answer says why.
func ignoreClosed(err error) error {
	if errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// nextLine returns the next line, sending what is buffered before it waits for one.
func nextLine(ctx context.Context, lines <-chan []byte, w *bufio.Writer) (line []byte, ok bool, err error) {
	select {
	case <-ctx.Done():
		return nil, false, errInterrupted
	case line, ok = <-lines:
		return line, ok, nil
	default:
	}
	if err := w.Flush(); err != nil {
		return nil, false, ignoreClosed(err)
	}
	select {
	case <-ctx.Done():
		return nil, false, errInterrupted
	case line, ok = <-lines:
		return line, ok, nil
	}
}

// read reads lines in a goroutine of its own, since a read from a terminal cannot
// be interrupted. What ended it comes on failed once lines is closed.
func (r *replay) read(ctx context.Context) (lines <-chan []byte, failed <-chan error) {
	out, end := make(chan []byte, 256), make(chan error, 1)
	go func() {
		defer close(out)
		in := bufio.NewReaderSize(r.in, 256<<10)
		for n := 1; ; n++ {
			line, err := readLine(in)
			if err != nil && !errors.Is(err, io.EOF) {
				end <- fmt.Errorf("line %d: %w", n, err)
				return
			}
			if n == 1 {
				line = bytes.TrimPrefix(line, []byte("\xEF\xBB\xBF")) // an editor's byte order mark
			}
			if len(line) > 0 {
				select {
				case out <- line:
				case <-ctx.Done():
				}
			}
			if err != nil || ctx.Err() != nil {
				end <- nil
				return
			}
		}
	}()
	return out, end
}

// readLine returns one line with its newline, which the last may lack, in memory of its
// own.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > lineBytesMax:
			return nil, fmt.Errorf("longer than %d bytes: is this a capture, one JSON object a line?", lineBytesMax)
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		}
	}
}

// summary is the line that stays.
func summary(a *pubAnswer, took time.Duration) string {
	s := fmt.Sprintf("published %s %s in %s", group(a.Published), plural(a.Published, "message"), roughly(took))
	if took > 0 {
		s += fmt.Sprintf(" (%s/s)", group(uint64(float64(a.Published)/took.Seconds())))
	}
	if a.Failed > 0 {
		s += fmt.Sprintf(", skipped %s bad %s", group(a.Failed), plural(a.Failed, "line"))
	}
	return s
}
