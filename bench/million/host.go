package million

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What a connection is reckoned to take, for both ends: two sockets of the kernel, the server's record, the load client's.
const (
	bytesEach  = 11000
	bytesSpare = 2 << 30
	mapsNeeded = 262144 // vm.max_map_count: a guest's process has a mapping of the host for nearly every page
	filesSpare = 1024
)

// Host is how a proof is run here.
type Host struct {
	Init     string // the guest's init, static
	Programs Programs
	MemoryMB int       // of a guest; 0: what the plan is reckoned to need
	Force    string    // "direct" or "guest"; "": what the limits allow
	Keep     io.Writer // gets everything that was said, console of a guest included
}

// Limits says what of this host keeps a plan from being run directly.
func Limits(plan Plan) []string {
	var why []string
	n := uint64(plan.Connections)
	if need := n + filesSpare; !raiseFiles(need) {
		why = append(why, fmt.Sprintf("a process may have %d open files and cannot raise that (fs.nr_open is %d), %d are needed", openFiles()[1],
			number("fs.nr_open"), need))
	}
	if most := number("fs.file-max"); most < 2*n+filesSpare {
		why = append(why, fmt.Sprintf("fs.file-max is %d, %d are needed", most, 2*n+filesSpare))
	}
	if free := kilobytes("/proc/meminfo", "MemAvailable"); free < memoryNeeded(plan) {
		why = append(why, fmt.Sprintf("%d MB of memory are free, %d are needed", free>>20, memoryNeeded(plan)>>20))
	}
	return why
}

// raiseFiles tries to raise the limit on open files; it stays raised, for the programs to inherit.
func raiseFiles(n uint64) bool {
	files := openFiles()
	return files[0] >= n || syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: max(n, files[1])}) == nil
}

func memoryNeeded(plan Plan) int64 { return int64(plan.Connections)*bytesEach + bytesSpare }

// number is a setting of the kernel that is one.
func number(name string) uint64 {
	text, _ := os.ReadFile(sysctlFile(name))
	n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n
}

// Run proves a plan in the way that this host allows.
func (h *Host) Run(ctx context.Context, plan Plan) (*Report, error) {
	why := Limits(plan)
	if h.Force == "direct" || h.Force == "" && len(why) == 0 {
		plan.complete(false)
		return Prove(ctx, plan, h.Programs, h.Keep)
	}
	plan.complete(true)
	for _, w := range why {
		fmt.Fprintln(h.Keep, "not directly on this host:", w)
	}
	return h.boot(ctx, plan)
}

// kernel is the program that is a Linux kernel.
func kernel(ctx context.Context, log io.Writer) (string, error) {
	if path, err := exec.LookPath("linux.uml"); err == nil {
		return path, nil
	}
	const install = "apt-get install -y --no-install-recommends user-mode-linux"
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return "", errors.New("million: linux.uml is needed, of Debian's package user-mode-linux: sudo " + install)
	}
	c := exec.CommandContext(ctx, "bash", "-c", "apt-get update -qq; "+install)
	c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	c.Stdout, c.Stderr = log, log
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("million: %s: %w", install, err)
	}
	return exec.LookPath("linux.uml")
}

// raiseMaps sees to it that a process may have enough mappings. The function that it returns puts back what was.
func raiseMaps(log io.Writer) (func(), error) {
	const name = "vm.max_map_count"
	before := number(name)
	if before >= mapsNeeded {
		return func() {}, nil
	}
	set := func(n uint64) error { return os.WriteFile(sysctlFile(name), []byte(strconv.FormatUint(n, 10)), 0o644) }
	if err := set(mapsNeeded); err != nil {
		return nil, fmt.Errorf("million: %s is %d, and a guest of this size needs more: sudo sysctl -w %s=%d", name, before, name, mapsNeeded)
	}
	fmt.Fprintf(log, "%s raised from %d to %d until the end\n", name, before, mapsNeeded)
	return func() { _ = set(before) }, nil
}

// boot runs the proof in a guest.
func (h *Host) boot(ctx context.Context, plan Plan) (*Report, error) {
	program, err := kernel(ctx, h.Keep)
	if err != nil {
		return nil, err
	}
	restore, err := raiseMaps(h.Keep)
	if err != nil {
		return nil, err
	}
	defer restore()
	dir, err := os.MkdirTemp("", "megawire-million-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	root := filepath.Join(dir, "initramfs")
	if err := h.makeRoot(root, plan); err != nil {
		return nil, err
	}
	memory := h.MemoryMB
	if memory == 0 {
		memory = int(memoryNeeded(plan)>>20) + 1024
	}
	args := onOneCore(program, "mem="+strconv.Itoa(memory)+"M", "initrd="+root, "con0=null,fd:1", "con=null", "ssl=null",
		"quiet", "panic=1", "uml_dir="+dir, "umid=megawire"+strconv.Itoa(os.Getpid()))
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Env = append(os.Environ(), "TMPDIR="+memoryFolder(int64(memory)<<20))
	c.Dir = dir
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 10 * time.Second
	console, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.Stderr = h.Keep
	fmt.Fprintln(h.Keep, strings.Join(c.Args, " "))
	if err := c.Start(); err != nil {
		return nil, err
	}
	report, err := h.read(console)
	return report, errors.Join(err, c.Wait())
}

// onOneCore keeps a guest on the last core: its kernel and its processes never run at the same time, and when they change places
// over two cores everything takes several times as long.
func onOneCore(command ...string) []string {
	if _, err := exec.LookPath("taskset"); err != nil || runtime.NumCPU() < 2 {
		return command
	}
	return append([]string{"taskset", "-c", strconv.Itoa(runtime.NumCPU() - 1)}, command...)
}

func (h *Host) makeRoot(file string, plan Plan) error {
	text, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(writeInitramfs(f, h.Init, h.Programs, text), f.Close())
}

// memoryFolder is where the guest's memory becomes a file: a tmpfs with room for it, or else the disk.
func memoryFolder(size int64) string {
	var s syscall.Statfs_t
	if syscall.Statfs("/dev/shm", &s) == nil && int64(s.Bavail)*s.Bsize > size {
		return "/dev/shm"
	}
	return os.TempDir()
}

// reportBytesMax bounds the report's line on the console.
const reportBytesMax = 64 << 20

// read follows the console to its end and takes the report out of it.
func (h *Host) read(console io.Reader) (*Report, error) {
	var report *Report
	var fault error
	lines := bufio.NewScanner(console)
	lines.Buffer(make([]byte, 1<<16), reportBytesMax)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		if text, found := strings.CutPrefix(line, reportMark); found {
			report = &Report{}
			if err := json.Unmarshal([]byte(text), report); err != nil {
				report, fault = nil, fmt.Errorf("million: the guest's report: %w", err)
			}
			continue
		}
		fmt.Fprintln(h.Keep, line)
	}
	if report == nil && fault == nil {
		fault = errors.New("million: the guest ended without a report; its console says why")
	}
	return report, errors.Join(fault, lines.Err())
}
