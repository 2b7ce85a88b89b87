package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/megawire/megawire/client"
)

// printer writes events as lines: messages to out, everything else to errs. run is
// called once, from one goroutine.
type printer struct {
	flags  *subFlags
	client *client.Client
	out    *bufio.Writer
	errs   io.Writer

	ackTimeout time.Duration // how long the subscription waits for its answer
	acked      atomic.Bool   // it has come

	seen     atomic.Int64
	stoodYet bool
	line     []byte
}

// run prints until the count is reached, ctx ends or the client does.
func (p *printer) run(ctx context.Context) (err error) {
	defer func() {
		if failed := p.out.Flush(); err == nil && failed != nil {
			err = fmt.Errorf("writing: %w", failed)
		}
	}()
	for {
		e, err := p.client.Next(ctx)
		if err != nil {
			return err
		}
		if e.Kind != client.Message {
			p.note(&e)
			continue
		}
		p.line = appendLine(p.line[:0], p.flags, &e)
		if _, err := p.out.Write(p.line); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
		if n := p.seen.Add(1); n == p.flags.count {
			return nil
		}
		if p.client.Waiting() > 0 {
			continue
		}
		if err := p.out.Flush(); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
	}
}

// note tells of what is not a message.
func (p *printer) note(e *client.Event) {
	switch e.Kind {
	case client.Gap:
		fmt.Fprintln(p.errs, "megawire:", gapLine(e))
	case client.Unsubscribed:
		fmt.Fprintf(p.errs, "megawire: the subscription to %s has ended: %v\n", e.Topic, e.Err)
	case client.Goaway:
		fmt.Fprintf(p.errs, "megawire: the server is going away; coming back in %v\n", e.RetryIn)
	case client.Fault:
		fmt.Fprintf(p.errs, "megawire: the server says: %v\n", e.Err)
	case client.State:
		p.noteState(e)
	case client.Message:
	}
}

func (p *printer) noteState(e *client.Event) {
	switch e.State {
	case client.Disconnected:
		fmt.Fprintf(p.errs, "megawire: disconnected: %v\n", e.Err)
	case client.Reconnecting:
		fmt.Fprintf(p.errs, "megawire: trying again in %v\n", e.RetryIn.Round(time.Millisecond))
	case client.Connected:
		if p.stoodYet {
			fmt.Fprintln(p.errs, "megawire: connected again; going on from the last message of each topic")
		}
		p.stoodYet = true
	}
}

func gapLine(e *client.Event) string {
	if e.To == 0 {
		return fmt.Sprintf("gap on %s: the server has begun anew, nobody knows how many are missing (%s)", e.Topic, e.Reason)
	}
	return fmt.Sprintf("gap on %s: %d missing, seq %d to %d (%s)", e.Topic, e.To-e.From+1, e.From, e.To, e.Reason)
}

// appendLine writes a message as one line, newline included.
func appendLine(dst []byte, flags *subFlags, e *client.Event) []byte {
	switch {
	case flags.json:
		dst = appendJSON(dst, e.Raw)
	case flags.raw && e.Content == client.Binary:
		return append(dst, e.Payload...)
	case flags.raw && e.Content == client.JSON:
		dst = appendJSON(dst, e.Payload)
	case flags.raw:
		dst = append(dst, bytes.ReplaceAll(e.Payload, []byte("\n"), []byte(`\n`))...)
	default:
		dst = appendPrintable(dst, []byte(e.Topic))
		dst = append(dst, ' ')
		dst = appendPayload(dst, e)
	}
	return append(dst, '\n')
}

func appendPayload(dst []byte, e *client.Event) []byte {
	switch e.Content {
	case client.JSON:
		return appendPrintable(dst, appendJSON(nil, e.Payload))
	case client.Binary:
		return base64.StdEncoding.AppendEncode(dst, e.Payload)
	case client.Text:
	}
	return appendPrintable(dst, e.Payload)
}

// appendJSON writes JSON as it came, or compacted where it has line breaks.
func appendJSON(dst, src []byte) []byte {
	if bytes.IndexByte(src, '\n') < 0 && bytes.IndexByte(src, '\r') < 0 {
		return append(dst, src...)
	}
	var b bytes.Buffer
	if json.Compact(&b, src) != nil {
		return appendPrintable(dst, src)
	}
	return append(dst, b.Bytes()...)
}

// appendPrintable escapes control characters, as JSON does: a message must not be able to
// make two lines, or to command the terminal.
func appendPrintable(dst, src []byte) []byte {
	for len(src) > 0 {
		r, n := utf8.DecodeRune(src)
		switch {
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\t' || !unicode.IsControl(r):
			dst = append(dst, src[:n]...)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
		src = src[n:]
	}
	return dst
}
