package poller

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// readEvents are gnet's own for a connection it reads from (its netpoll.ReadEvents).
const readEvents = unix.EPOLLIN | unix.EPOLLPRI

// Congested says that as many replies wait for the connection as may: the handler should leave further
// requests unused. The connection is then not read from until its replies are gone, so that a client which
// sends faster than it reads waits, as TCP has it, and loses nothing.
func (c *Conn) Congested() bool {
	return c.stall != 0 && c.loop.stalls.At(c.stall).waiting() >= c.loop.poller.o.RepliesBytesMax
}

// pause stops reading. gnet has no call for that, so the socket's entry in the loop's epoll set is changed
// under it; gnet itself changes it only for output, of which it has none. Errors and resets are still seen.
func (c *Conn) pause() {
	if c.marks&markPaused == 0 && c.mute() {
		c.marks |= markPaused
	}
}

// mute takes the socket's input events out of the loop's set. It fails only where the set is not known: then what comes is
// kept, within InputBytesMax.
func (c *Conn) mute() bool {
	if c.marks&markMute == 0 && c.setEvents(0) == nil {
		c.marks |= markMute
	}
	return c.marks&markMute != 0
}

// resume takes these reasons away for not reading, and reads again where none is left.
func (c *Conn) resume(reasons marks) {
	if c.marks&reasons == 0 {
		return
	}
	c.marks &^= reasons
	if c.marks&notRead == 0 {
		c.readAgain()
	}
}

func (c *Conn) readAgain() {
	c.renewInput()
	if c.marks&markMute == 0 {
		return
	}
	c.marks &^= markMute
	if c.setEvents(readEvents) != nil {
		c.Close()
	}
}

func (c *Conn) setEvents(events uint32) error {
	return setEvents(int(c.loop.epoll.Load()), c.fd, events)
}

// findEpoll returns the epoll set of this process that has the descriptor in it, and all its members. gnet keeps its
// sets to itself; the kernel lists what is in them (proc(5), /proc/pid/fdinfo).
func findEpoll(member int32) (epoll int, members []int32, err error) {
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		return none, nil, err
	}
	for _, link := range links {
		if name, err := os.Readlink(link); err != nil || name != "anon_inode:[eventpoll]" {
			continue
		}
		fd, err := strconv.Atoi(filepath.Base(link))
		if err != nil {
			continue
		}
		if members := epollMembers(fd); slices.Contains(members, member) {
			return fd, members, nil
		}
	}
	return none, nil, fmt.Errorf("poller: no epoll set has descriptor %d", member)
}

func epollMembers(epoll int) (members []int32) {
	f, err := os.Open(fmt.Sprintf("/proc/self/fdinfo/%d", epoll))
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var fd int32
		if n, _ := fmt.Sscanf(lines.Text(), "tfd: %d", &fd); n == 1 {
			members = append(members, fd)
		}
	}
	return members
}
