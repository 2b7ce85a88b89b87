package server

import (
	"bytes"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path"
	"runtime/metrics"
	"strconv"
	"strings"

	"github.com/megawire/megawire/server/config"
)

// markPercent is the mark's part of the memory that there is, where none is configured: the rest is for the kernel,
// whose sockets are not counted in a process, and for what grows until the next look.
const markPercent = 85

// memoryMark is above how many bytes of memory the server takes nobody in. root is the file system's.
func memoryMark(set config.AutoBytes, root fs.FS, log *slog.Logger) uint64 {
	there := memoryThere(root)
	switch mark := uint64(set.Or(int(there / 100 * markPercent))); {
	case mark == 0:
		log.Warn("how much memory there is cannot be found out; nobody will be refused for want of it",
			"remedy", "set limits.memory_bytes")
		return math.MaxInt64
	case there > 0 && mark > there:
		log.Warn("limits.memory_bytes is more than there is; the system may end the server before it is reached",
			"limits.memory_bytes", mark, "there_is", there)
		return mark
	default:
		return mark
	}
}

// memoryThere is how much memory the process can have: the machine's, or less where a control group says so that it is
// in, or one above that; 0 where nothing says.
func memoryThere(root fs.FS) uint64 {
	there := machineMemory(root)
	if there == 0 {
		there = math.MaxInt64
	}
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range bytes.Lines(groups) {
		// hierarchy:controllers:path (cgroups(7)); version 2 has one hierarchy, 0, and names no controllers.
		id, rest, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		controllers, group, ok := strings.Cut(rest, ":")
		switch {
		case !ok:
		case id == "0" && controllers == "":
			there = min(there, groupMemory(root, "sys/fs/cgroup", group, "memory.max"), groupMemory(root, "sys/fs/cgroup", group, "memory.high"))
		case strings.Contains(","+controllers+",", ",memory,"):
			there = min(there, groupMemory(root, "sys/fs/cgroup/memory", group, "memory.limit_in_bytes"))
		}
	}
	if there == math.MaxInt64 {
		return 0
	}
	return there
}

// machineMemory is what the kernel has to give (proc_meminfo(5)).
func machineMemory(root fs.FS) uint64 {
	info, _ := fs.ReadFile(root, "proc/meminfo")
	for line := range bytes.Lines(info) {
		if fields := strings.Fields(string(line)); len(fields) == 3 && fields[0] == "MemTotal:" && fields[2] == "kB" {
			kib, _ := strconv.ParseUint(fields[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// groupMemory is the least that a file of that name says in a group and those above it. In a container the group's path
// may be the host's, of which only the root is to be seen: that is the container's own.
func groupMemory(root fs.FS, mount, group, name string) uint64 {
	least := uint64(math.MaxInt64)
	for dir := path.Join("/", group); ; dir = path.Dir(dir) {
		text, _ := fs.ReadFile(root, path.Join(mount, dir, name))
		if n, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 10, 64); err == nil { // else there is no such file, or it says "max"
			least = min(least, n)
		}
		if dir == "/" {
			return least
		}
	}
}

// residentMemory returns how to ask for the bytes of memory that the process has, which makes no garbage: proc_pid_statm(5),
// or what Go has got from the system where that is not to be read. Not for several goroutines at once.
func residentMemory(root string) func() uint64 {
	file, err := os.Open(path.Join(root, "proc/self/statm")) // for as long as the process lives
	if err != nil {
		return mappedMemory()
	}
	var text [128]byte
	page := uint64(os.Getpagesize())
	return func() uint64 {
		n, _ := file.ReadAt(text[:], 0) // ends in io.EOF
		return secondNumber(text[:n]) * page
	}
}

// secondNumber is the second of some decimal numbers with spaces between them.
func secondNumber(text []byte) (n uint64) {
	_, rest, _ := bytes.Cut(text, []byte(" "))
	for _, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + uint64(c-'0')
	}
	return n
}

func mappedMemory() func() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	return func() uint64 {
		metrics.Read(samples)
		return samples[0].Value.Uint64() - samples[1].Value.Uint64()
	}
}
