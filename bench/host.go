package bench

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Host is what must be known of where a run took place to repeat it.
type Host struct {
	Name     string            `json:"name"`
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	MemoryMB uint64            `json:"memory_mb"`
	Kernel   string            `json:"kernel"`
	OS       string            `json:"os"`
	Files    [2]uint64         `json:"open_files"` // soft and hard limit
	Sysctl   map[string]string `json:"sysctl"`
	Pinned   bool              `json:"pinned"`

	Versions map[string]string `json:"versions"`          // of the servers
	Missing  map[string]string `json:"missing,omitempty"` // servers that are not here, and why

	Parts []Part `json:"parts"` // one for each time that results were added
}

// Part is what holds for the results of one sitting.
type Part struct {
	FirstRound int               `json:"first_round"`
	Time       time.Time         `json:"time"`
	Load       string            `json:"load_average"` // when it began: what else was going on
	Quick      bool              `json:"quick,omitempty"`
	Go         string            `json:"go"`
	Commit     string            `json:"commit"` // ends in "-dirty" where files had changed
	Binaries   map[string]string `json:"binaries_sha256"`
}

// continues puts what is known of earlier results before what is known of these. Those of another host, or of runs of another
// length, are not to be mixed with them.
func (h *Host) continues(before *Host) error {
	was, is := []any{before.Name, before.CPU, before.Cores, before.Kernel, before.Pinned}, []any{h.Name, h.CPU, h.Cores, h.Kernel, h.Pinned}
	if !slices.Equal(was, is) {
		return fmt.Errorf("its results are of another host, %v; this is %v", was, is)
	}
	if len(before.Parts) > 0 && before.Parts[0].Quick != h.Parts[0].Quick {
		return errors.New("quick runs and full ones are not to be mixed")
	}
	if before.MemoryMB != h.MemoryMB || !maps.Equal(before.Sysctl, h.Sysctl) {
		return errors.New("its results are of this host with other settings or another amount of memory")
	}
	for _, part := range before.Parts {
		for name, sum := range h.Parts[0].Binaries {
			if was, ok := part.Binaries[name]; ok && was != sum {
				return fmt.Errorf("its results are of another build of %s; one median is not to span both", name)
			}
		}
	}
	for name, version := range h.Versions {
		if was, ok := before.Versions[name]; ok && was != version {
			return fmt.Errorf("its results are of %s %s; this is %s", name, was, version)
		}
	}
	h.Parts = slices.Concat(before.Parts, h.Parts)
	versions := maps.Clone(before.Versions)
	maps.Copy(versions, h.Versions)
	h.Versions = versions
	return nil
}

// sysctls are the settings that a network load depends on.
var sysctls = []string{
	"fs.file-max", "fs.nr_open", "net.core.netdev_max_backlog", "net.core.rmem_max", "net.core.somaxconn", "net.core.wmem_max",
	"net.ipv4.ip_local_port_range", "net.ipv4.tcp_congestion_control", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_mem",
	"net.ipv4.tcp_rmem", "net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_wmem", "vm.max_map_count", "vm.overcommit_memory",
}

func readHost(ctx context.Context, o *Options) Host {
	h := Host{
		Cores: runtime.NumCPU(), Pinned: newPinning(1).server != nil, Kernel: line("/proc/sys/kernel/osrelease"),
		CPU: field("/proc/cpuinfo", "model name", ":"), OS: strings.Trim(field("/etc/os-release", "PRETTY_NAME", "="), `"`),
		Sysctl: map[string]string{}, Versions: map[string]string{}, Missing: map[string]string{},
	}
	part := Part{
		Time: time.Now().UTC(), Load: line("/proc/loadavg"), Quick: o.Quick, Go: runtime.Version(), Commit: commit(ctx, o.Root),
		Binaries: map[string]string{},
	}
	h.Name, _ = os.Hostname()
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		h.MemoryMB = info.Totalram * uint64(info.Unit) >> 20
	}
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		h.Files = [2]uint64{files.Cur, files.Max}
	}
	for _, name := range sysctls {
		h.Sysctl[name] = line("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	}
	for _, name := range []string{"megawire", "loadgen"} {
		part.Binaries[name] = checksum(filepath.Join(o.Root, "bin", name))
	}
	h.Parts = []Part{part}
	for i := range o.Servers {
		if !o.Servers[i].Variant {
			h.Versions[o.Servers[i].Name] = o.Servers[i].version(ctx, o.Root)
		}
	}
	for i := range Servers {
		if why := Servers[i].Missing(o.Root); why != "" && !Servers[i].Variant {
			h.Missing[Servers[i].Name] = why
		}
	}
	return h
}

func commit(ctx context.Context, root string) string {
	out, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// line is a file's first line, its blanks made single.
func line(path string) string {
	text, _ := os.ReadFile(path)
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.Join(strings.Fields(first), " ")
}

// field is the value of the first line that begins with a name.
func field(path, name, separator string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, found := strings.Cut(lines.Text(), separator)
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func checksum(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}
