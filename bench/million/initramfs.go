package million

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

// archive writes files in the "newc" format of cpio, which the kernel unpacks as its first root (its
// Documentation/driver-api/early-userspace/buffer-format.rst).
type archive struct {
	w     *bufio.Writer
	at    int64 // bytes written
	inode int
	err   error
}

// Modes of entries.
const (
	modeDir     = 0o040755
	modeProgram = 0o100755
)

func newArchive(w io.Writer) *archive { return &archive{w: bufio.NewWriterSize(w, 1<<20)} }

func (a *archive) write(p []byte) {
	if a.err == nil {
		var n int
		n, a.err = a.w.Write(p)
		a.at += int64(n)
	}
}

// pad fills up to a multiple of four.
func (a *archive) pad() { a.write(make([]byte, (4-a.at%4)%4)) }

func (a *archive) head(name string, mode int, size int64) {
	a.inode++
	a.write(fmt.Appendf(nil, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name)+1, 0, name))
	a.pad()
}

func (a *archive) dir(name string) { a.head(name, modeDir, 0) }

func (a *archive) bytes(name string, mode int, content []byte) {
	a.head(name, mode, int64(len(content)))
	a.write(content)
	a.pad()
}

func (a *archive) file(name, from string) {
	content, err := os.ReadFile(from)
	if err != nil && a.err == nil {
		a.err = err
	}
	a.bytes(name, modeProgram, content)
}

// close ends the archive; it does not close what it was written to.
func (a *archive) close() error {
	a.head("TRAILER!!!", 0, 0)
	if a.err == nil {
		a.err = a.w.Flush()
	}
	return a.err
}

// writeInitramfs makes the guest's root.
func writeInitramfs(w io.Writer, init string, programs Programs, plan []byte) error {
	a := newArchive(w)
	for _, d := range []string{"dev", "proc", "sys", "tmp"} {
		a.dir(d)
	}
	a.file("init", init)
	a.file(guestServer[1:], programs.Server)
	a.file(guestLoadgen[1:], programs.Loadgen)
	a.bytes(guestPlan[1:], 0o100644, plan)
	return a.close()
}
