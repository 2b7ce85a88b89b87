package server

import (
	"bytes"
	"log/slog"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/megawire/megawire/server/config"
)

// tree is a file system with these files and contents.
func tree(files ...string) fstest.MapFS {
	root := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		root[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return root
}

const (
	meminfo8GiB = "MemTotal:        8388608 kB\nMemFree:          123456 kB\nHugePages_Total:       0\n"
	v1Unlimited = "9223372036854771712\n"
	gib         = 1 << 30
)

func TestMemoryThere(t *testing.T) {
	for _, c := range []struct {
		says  string
		files []string
		want  uint64
	}{
		{"nothing is known", nil, 0},
		{"a machine without control groups", []string{"proc/meminfo", meminfo8GiB}, 8 * gib},
		{"a line of meminfo that is not as it should be", []string{"proc/meminfo", "MemTotal: lots\n"}, 0},
		{"a group without a bound", []string{
			"proc/meminfo", meminfo8GiB, "proc/self/cgroup", "0::/system.slice/megawire.service\n",
			"sys/fs/cgroup/system.slice/megawire.service/memory.max", "max\n",
		}, 8 * gib},
		{"the group's own bound", []string{
			"proc/meminfo", meminfo8GiB, "proc/self/cgroup", "0::/system.slice/megawire.service\n",
			"sys/fs/cgroup/system.slice/megawire.service/memory.max", "1073741824\n",
		}, gib},
		{"a bound from which on the kernel slows the group down", []string{
			"proc/meminfo", meminfo8GiB, "proc/self/cgroup", "0::/megawire\n",
			"sys/fs/cgroup/megawire/memory.max", "2147483648\n", "sys/fs/cgroup/megawire/memory.high", "1073741824\n",
		}, gib},
		{"that of a group above", []string{
			"proc/meminfo", meminfo8GiB, "proc/self/cgroup", "0::/a/b/c\n",
			"sys/fs/cgroup/a/b/c/memory.max", "4294967296\n", "sys/fs/cgroup/a/b/memory.max", "max\n", "sys/fs/cgroup/a/memory.max", "2147483648\n",
		}, 2 * gib},
		{"a container that sees its group as the root", []string{
			"proc/meminfo", meminfo8GiB, "proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "536870912\n",
		}, gib / 2},
		{"a container whose group is named as the host sees it", []string{
			"proc/meminfo", meminfo8GiB, "proc/self/cgroup", "0::/docker/8f2c\n", "sys/fs/cgroup/memory.max", "536870912\n",
		}, gib / 2},
		{"a path that leads out of the namespace", []string{
			"proc/meminfo", meminfo8GiB, "proc/self/cgroup", "0::/../../other\n", "sys/fs/cgroup/memory.max", "536870912\n",
		}, gib / 2},
		{"a bound above what the machine has", []string{
			"proc/meminfo", meminfo8GiB, "proc/self/cgroup", "0::/a\n", "sys/fs/cgroup/a/memory.max", "1099511627776\n",
		}, 8 * gib},
		{"version 1", []string{
			"proc/meminfo", meminfo8GiB, "proc/self/cgroup", "5:cpu,cpuacct:/x\n4:hugetlb,memory:/a/b\n1:name=systemd:/a\n",
			"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", v1Unlimited, "sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2147483648\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes", "1\n",
		}, 2 * gib},
		{"version 1 without a bound", []string{
			"proc/meminfo", meminfo8GiB, "proc/self/cgroup", "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", v1Unlimited,
		}, 8 * gib},
		{"both, of which version 1 has the memory", []string{
			"proc/meminfo", meminfo8GiB, "proc/self/cgroup", "4:memory:/a\n0::/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1073741824\n",
		}, gib},
		{"a bound where the machine does not say", []string{
			"proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "536870912\n",
		}, gib / 2},
		{"a group's list that is cut off", []string{"proc/meminfo", meminfo8GiB, "proc/self/cgroup", "0:\n4:memory"}, 8 * gib},
	} {
		if got := memoryThere(tree(c.files...)); got != c.want {
			t.Errorf("%s: %d, want %d", c.says, got, c.want)
		}
	}
	if there := memoryThere(os.DirFS("/")); there < 16<<20 {
		t.Errorf("this machine is said to have %d bytes", there)
	}
}

func TestMemoryMark(t *testing.T) {
	for _, c := range []struct {
		says string
		set  config.AutoBytes
		root fstest.MapFS
		want uint64
		warn string
	}{
		{"a part of what there is", 0, tree("proc/meminfo", meminfo8GiB), 8 * gib / 100 * 85, ""},
		{"what is configured", gib, tree("proc/meminfo", meminfo8GiB), gib, ""},
		{"more than there is", 9 * gib, tree("proc/meminfo", meminfo8GiB), 9 * gib, "more than there is"},
		{"nothing is known", 0, tree(), math.MaxInt64, "cannot be found out"},
		{"what is configured where nothing is known", gib, tree(), gib, ""},
	} {
		var log bytes.Buffer
		got := memoryMark(c.set, c.root, slog.New(slog.NewTextHandler(&log, nil)))
		if got != c.want || (log.Len() > 0) != (c.warn != "") || !strings.Contains(log.String(), c.warn) {
			t.Errorf("%s: %d, want %d; log %q", c.says, got, c.want, &log)
		}
	}
}

func TestResidentMemory(t *testing.T) {
	for says, root := range map[string]string{"as the kernel says": "/", "as Go says": t.TempDir()} {
		measure := residentMemory(root)
		debug.FreeOSMemory() // or what the other one has left is used again
		before := measure()
		if before < 1<<20 || before > memoryThere(os.DirFS("/")) {
			t.Errorf("%s: %d bytes", says, before)
		}
		const size = 64 << 20
		big := bytes.Repeat([]byte{1}, size)
		if after := measure(); after < before+size/2 {
			t.Errorf("%s: %d bytes, and %d with %d more", says, before, after, len(big))
		}
		runtime.KeepAlive(big)
		if n := testing.AllocsPerRun(100, func() { measure() }); n != 0 {
			t.Errorf("%s: a look makes %v objects", says, n)
		}
	}
}

func TestSecondNumber(t *testing.T) {
	for text, want := range map[string]uint64{"12 345 6 7\n": 345, "12 345": 345, "12": 0, "": 0, "12 x": 0} {
		if got := secondNumber([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
