package admin

import (
	"bytes"
	"errors"
	"io"
)

// errLineTooLong is a line past the bound: it was skipped, and the next call goes on after it.
var errLineTooLong = errors.New("admin: line too long")

// lineReader cuts a stream into lines. It holds one read's bytes, or one line where that is longer, and never more than lineBytesMax.
type lineReader struct {
	r            io.Reader
	lineBytesMax int // without the line's end

	buf        []byte
	start, end int  // buf[start:end] is what came and was not handed out
	scanned    int  // buf[start:scanned] has no newline
	skipping   bool // within a line that is too long
	err        error
}

func newLineReader(r io.Reader, lineBytesMax int) *lineReader {
	return &lineReader{r: r, lineBytesMax: lineBytesMax, buf: make([]byte, min(readBufferBytes, lineBytesMax+1))}
}

// next returns the next line without its newline; the bytes hold until the next call. The last line may lack its newline, where the
// stream ended properly: of a stream that broke off, what came of its last line is dropped. Errors: errLineTooLong, io.EOF,
// and the reader's own.
func (l *lineReader) next() ([]byte, error) {
	for {
		if i := bytes.IndexByte(l.buf[l.scanned:l.end], '\n'); i >= 0 {
			line := l.buf[l.start : l.scanned+i]
			l.start = l.scanned + i + 1
			l.scanned = l.start
			if l.endsSkipping() {
				return nil, errLineTooLong
			}
			return line, nil
		}
		l.scanned = l.end
		if l.end-l.start > l.lineBytesMax {
			l.skipping = true
		}
		if l.skipping {
			l.start = l.end
		}
		if l.err != nil {
			return l.last()
		}
		l.fill()
	}
}

// endsSkipping tells whether the newline just found ends a line that is too long.
func (l *lineReader) endsSkipping() bool {
	was := l.skipping
	l.skipping = false
	return was
}

// last hands out what stands after the last newline.
func (l *lineReader) last() ([]byte, error) {
	rest := l.buf[l.start:l.end]
	l.start, l.scanned = l.end, l.end
	switch {
	case l.err != io.EOF: //nolint:errorlint // io.Reader's contract is the bare value
		return nil, l.err
	case l.endsSkipping():
		return nil, errLineTooLong
	case len(rest) > 0:
		return rest, nil
	}
	return nil, io.EOF
}

// fill reads once, after making room: at the front of the buffer, or in a larger one for a line that is longer than it. A buffer that
// grew for one long line is given back once the line is through.
func (l *lineReader) fill() {
	held := l.end - l.start
	switch {
	case held == len(l.buf):
		larger := make([]byte, min(2*len(l.buf), l.lineBytesMax+1))
		copy(larger, l.buf[l.start:l.end])
		l.buf = larger
	case len(l.buf) > readBufferBytes && held < readBufferBytes/2:
		smaller := make([]byte, readBufferBytes)
		copy(smaller, l.buf[l.start:l.end])
		l.buf = smaller
	case l.start > 0:
		copy(l.buf, l.buf[l.start:l.end])
	}
	l.start, l.end, l.scanned = 0, held, held
	n, err := l.r.Read(l.buf[held:])
	l.end += n
	l.err = err
}
