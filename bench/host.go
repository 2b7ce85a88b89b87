package bench

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"syscall"
)

// Host is what must be known of where a run took place to repeat it.
type Host struct {
	Time     time.Time         `json:"time"`
	Name     string            `json:"name"`
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	MemoryMB uint64            `json:"memory_mb"`
	Kernel   string            `json:"kernel"`
	OS       string            `json:"os"`
	Load     string            `json:"load_average"` // when it began: what else was going on
	Files    [2]uint64         `json:"open_files"`   // soft and hard limit
	Sysctl   map[string]string `json:"sysctl"`
	Pinned   bool              `json:"pinned"`

	Go       string            `json:"go"`
	Commit   string            `json:"commit"` // ends in "-dirty" where files had changed
	Binaries map[string]string `json:"binaries_sha256"`
	Versions map[string]string `json:"versions"`          // of the servers
	Missing  map[string]string `json:"missing,omitempty"` // servers that are not here, and why
}

// sysctls are the settings that a network load depends on.
var sysctls = []string{
	"fs.file-max", "fs.nr_open", "net.core.netdev_max_backlog", "net.core.rmem_max", "net.core.somaxconn", "net.core.wmem_max",
	"net.ipv4.ip_local_port_range", "net.ipv4.tcp_congestion_control", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_mem",
	"net.ipv4.tcp_rmem", "net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_wmem", "vm.max_map_count", "vm.overcommit_memory",
}

func readHost(ctx context.Context, root string, servers []Server) Host {
	h := Host{
		Time: time.Now().UTC(), Cores: runtime.NumCPU(), Go: runtime.Version(), Pinned: newPinning(1).server != nil,
		CPU: field("/proc/cpuinfo", "model name", ":"), OS: strings.Trim(field("/etc/os-release", "PRETTY_NAME", "="), `"`),
		Load: line("/proc/loadavg"), Kernel: line("/proc/sys/kernel/osrelease"),
		Sysctl: map[string]string{}, Binaries: map[string]string{}, Versions: map[string]string{}, Missing: map[string]string{},
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
		h.Binaries[name] = checksum(filepath.Join(root, "bin", name))
	}
	for i := range servers {
		h.Versions[servers[i].Name] = servers[i].version(ctx, root)
	}
	for i := range Servers {
		if why := Servers[i].Missing(root); why != "" {
			h.Missing[Servers[i].Name] = why
		}
	}
	h.Commit = commit(ctx, root)
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
