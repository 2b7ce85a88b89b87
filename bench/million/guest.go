package million

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// What the archive holds, and how a guest tells its report from the rest of the console.
const (
	guestServer  = "/megawire"
	guestLoadgen = "/loadgen"
	guestPlan    = "/plan.json"
	reportMark   = "@report@"
	filesMax     = 4_000_000
)

// Guest is the guest's init, the first and only process that the kernel starts. It never returns: it switches the guest off.
func Guest() {
	if err := guest(); err != nil {
		fmt.Println("million:", err)
	}
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

func guest() error {
	if err := settle(); err != nil {
		return err
	}
	text, err := os.ReadFile(guestPlan)
	if err != nil {
		return err
	}
	var plan Plan
	if err := json.Unmarshal(text, &plan); err != nil {
		return err
	}
	report, err := Prove(context.Background(), plan, Programs{Server: guestServer, Loadgen: guestLoadgen}, os.Stdout)
	if err != nil {
		report.Faults = append(report.Faults, err.Error())
	}
	report.Guest = true
	out, err := json.Marshal(report)
	if err != nil {
		return err
	}
	fmt.Printf("\n%s%s\n", reportMark, out)
	return nil
}

// settle makes a system of a bare kernel.
func settle() error {
	for _, m := range []struct{ kind, at string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}} {
		if err := syscall.Mount("none", m.at, m.kind, 0, ""); err != nil && m.kind != "devtmpfs" { // /dev may be there already
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	for _, s := range settings {
		if err := os.WriteFile(sysctlFile(s.name), []byte(s.value), 0o644); err != nil {
			return fmt.Errorf("%s = %s: %w", s.name, s.value, err)
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: filesMax, Max: filesMax}); err != nil {
		return fmt.Errorf("open files: %w", err)
	}
	return loopbackUp()
}

// loopbackUp sets IFF_UP on lo (netdevice(7)), whereupon the kernel gives it 127.0.0.1/8.
func loopbackUp() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = syscall.Close(fd) }()
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); e != 0 {
		return fmt.Errorf("lo: %w", e)
	}
	return nil
}
