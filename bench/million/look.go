package million

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// metrics reads the server's counters (Prometheus' text format); a family with labels is summed up.
func metrics(ctx context.Context, admin string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second) // a guest with one core may be busy
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	return parseMetrics(string(text)), nil
}

func parseMetrics(text string) map[string]float64 {
	values := map[string]float64{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(strings.TrimSpace(line), ' ')
		if i < 0 {
			continue
		}
		name, _, _ := strings.Cut(line[:i], "{")
		if v, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64); err == nil {
			values[name] += v
		}
	}
	return values
}

// kilobytes is a line such as "VmRSS:  123 kB" of a file in /proc, in bytes.
func kilobytes(file, name string) int64 {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == name+":" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

func rss(pid int) int64 { return kilobytes(fmt.Sprintf("/proc/%d/status", pid), "VmRSS") }

// cpuSeconds is what a process has used (proc_pid_stat(5), fields 14 and 15, in hundredths).
func cpuSeconds(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100
}

// slabs is the kernel's memory by cache (slabinfo(5)): name → bytes.
func slabs() map[string]int64 {
	text, _ := os.ReadFile("/proc/slabinfo")
	return parseSlabs(string(text), int64(os.Getpagesize()))
}

// parseSlabs multiplies each cache's slabs by the pages of one.
func parseSlabs(text string, page int64) map[string]int64 {
	sizes := map[string]int64{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		// name active objects size perslab pagesperslab : tunables … : slabdata active slabs shared
		if len(f) < 16 || f[6] != ":" || f[12] != "slabdata" {
			continue
		}
		pages, err1 := strconv.ParseInt(f[5], 10, 64)
		n, err2 := strconv.ParseInt(f[14], 10, 64)
		if err1 == nil && err2 == nil {
			sizes[f[0]] = n * pages * page
		}
	}
	return sizes
}

// socketMemory is what all TCP sockets hold in buffers (/proc/net/sockstat, in pages).
func socketMemory() int64 {
	text, _ := os.ReadFile("/proc/net/sockstat")
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "TCP:" {
			continue
		}
		for i := range f[:len(f)-1] {
			if f[i] == "mem" {
				n, _ := strconv.ParseInt(f[i+1], 10, 64)
				return n * int64(os.Getpagesize())
			}
		}
	}
	return 0
}

// settings are the kernel's that a proof depends on, in the order in which they are set in a guest.
var settings = []struct{ name, value string }{
	{"fs.nr_open", "4194304"},
	{"fs.file-max", "8388608"},
	{"net.core.somaxconn", "65535"},
	{"net.core.netdev_max_backlog", "100000"}, // a queue of loopback that overflows costs retransmissions
	{"net.ipv4.ip_local_port_range", "1024 65535"},
	{"net.ipv4.tcp_max_syn_backlog", "65535"},
	{"net.ipv4.tcp_max_orphans", "2097152"},
	{"net.ipv4.tcp_mem", "2097152 3145728 4194304"}, // pages: up to 16 GiB
	{"net.ipv4.tcp_rmem", "4096 16384 4194304"},
	{"net.ipv4.tcp_wmem", "4096 16384 4194304"},
}

func sysctlFile(name string) string { return "/proc/sys/" + strings.ReplaceAll(name, ".", "/") }

func readSettings() map[string]string {
	values := map[string]string{}
	for _, s := range settings {
		text, err := os.ReadFile(sysctlFile(s.name))
		if err == nil {
			values[s.name] = strings.Join(strings.Fields(string(text)), " ")
		}
	}
	return values
}

func openFiles() [2]uint64 {
	var r syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r)
	return [2]uint64{r.Cur, r.Max}
}

func checksum(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	sum := sha256.New()
	_, _ = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil))
}
