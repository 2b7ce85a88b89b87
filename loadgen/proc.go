package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is USER_HZ, the unit of /proc/<pid>/stat: 100 on every Linux architecture that Go runs on.
const ticksPerSecond = 100

// usage is what a process has used.
type usage struct {
	cpu       time.Duration // user and system, since it started
	rss, peak int64         // bytes resident, now and at most
}

// readUsage reads /proc (proc_pid_stat(5), proc_pid_status(5)).
func readUsage(pid int) (usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, fmt.Errorf("loadgen: no process %d: %w", pid, err)
	}
	cpu, err := parseStat(stat)
	if err != nil {
		return usage{}, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}, fmt.Errorf("loadgen: no process %d: %w", pid, err)
	}
	rss, err1 := parseStatus(status, "VmRSS")
	peak, err2 := parseStatus(status, "VmHWM")
	return usage{cpu: cpu, rss: rss, peak: peak}, errors.Join(err1, err2)
}

// parseStat takes utime and stime, fields 14 and 15. The name in field 2 may hold spaces and brackets, so counting starts
// behind the last bracket.
func parseStat(stat []byte) (time.Duration, error) {
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) < 13 {
		return 0, fmt.Errorf("loadgen: /proc stat has %d fields", len(f))
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("loadgen: /proc stat: utime %q, stime %q", f[11], f[12])
	}
	return time.Duration(user+system) * (time.Second / ticksPerSecond), nil
}

// parseStatus takes one of the sizes, in bytes.
func parseStatus(status []byte, name string) (int64, error) {
	_, after, found := strings.Cut(string(status), "\n"+name+":")
	f := strings.Fields(after)
	if !found || len(f) == 0 {
		return 0, fmt.Errorf("loadgen: /proc status has no %s (a kernel thread, or the process has ended)", name)
	}
	kib, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("loadgen: /proc status: %s %q", name, f[0])
	}
	return kib << 10, nil
}

// hostNet is how this host's network stack stands, for whomever: what went wrong since it started, and what TCP's sockets hold.
type hostNet struct {
	retransmits, drops uint64
	tcpBytes           int64
}

// readHostNet reads /proc/net. A busy loopback drops packets when a core's queue (net.core.netdev_max_backlog) is full; TCP
// then sends them again, and what looks like a slow server may be that.
func readHostNet() hostNet {
	snmp, _ := os.ReadFile("/proc/net/snmp")
	softnet, _ := os.ReadFile("/proc/net/softnet_stat")
	sockstat, _ := os.ReadFile("/proc/net/sockstat")
	return hostNet{retransmits: parseSNMP(string(snmp)), drops: parseSoftnet(string(softnet)), tcpBytes: parseSockstat(string(sockstat))}
}

// parseSockstat takes TCP's memory, which stands there in pages.
func parseSockstat(text string) int64 {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		for i := 1; i+1 < len(f) && f[0] == "TCP:"; i++ {
			if f[i] == "mem" {
				pages, _ := strconv.ParseInt(f[i+1], 10, 64)
				return pages * int64(os.Getpagesize())
			}
		}
	}
	return 0
}

// parseSNMP takes Tcp's RetransSegs: a line of names, then one of values.
func parseSNMP(text string) uint64 {
	var names []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "Tcp:" {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		for i, name := range names {
			if name == "RetransSegs" && i < len(f) {
				n, _ := strconv.ParseUint(f[i], 10, 64)
				return n
			}
		}
	}
	return 0
}

// parseSoftnet adds up the second column of every core, in hexadecimal.
func parseSoftnet(text string) (drops uint64) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 {
			n, _ := strconv.ParseUint(f[1], 16, 64)
			drops += n
		}
	}
	return drops
}
