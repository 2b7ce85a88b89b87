package million

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	topicPrefix = "million/"
	topic       = "million/0" // the load generator's name for the first topic
)

// Bounds.
const (
	readyTimeout = 60 * time.Second
	lookEvery    = 2 * time.Second
	closeTimeout = 10 * time.Minute
	slabsTold    = 12 // caches that the report names

	arriveTimeout = 2 * time.Minute
	socketSlack   = 4 << 20 // bytes
)

// proof is one that is under way.
type proof struct {
	plan    Plan
	report  *Report
	log     io.Writer
	server  *exec.Cmd
	load    *exec.Cmd
	out     bytes.Buffer // of the load generator
	began   time.Time
	phase   string
	loadEnd chan error
	ended   chan struct{}    // the server has
	before  map[string]int64 // slabs

	listen, admin string // where the server listens
}

// Prove runs a proof with programs of this host. The report tells what was found wrong; the error, why there is no report to
// speak of. log is told how it goes.
func Prove(ctx context.Context, plan Plan, programs Programs, log io.Writer) (*Report, error) {
	log = struct{ io.Writer }{log} // no longer a terminal: the programs draw no progress on a pipe
	p := &proof{plan: plan, log: log, began: time.Now(), report: newReport(plan, programs), loadEnd: make(chan error, 1), ended: make(chan struct{})}
	defer p.end()
	if err := p.startServer(ctx, programs.Server); err != nil {
		return p.report, err
	}
	if err := p.connect(ctx, programs.Loadgen); err != nil {
		return p.report, err
	}
	if err := p.idle(ctx); err != nil {
		return p.report, err
	}
	p.enter("broadcasting")
	for i := range plan.Broadcasts {
		if err := p.broadcast(ctx, i); err != nil {
			p.fault("broadcast %d: %v", i+1, err)
			break
		}
	}
	p.arrive(ctx)
	p.look(ctx)
	p.report.RSSAfter = rss(p.server.Process.Pid)
	p.enter("closing")
	return p.report, p.finish(ctx)
}

func newReport(plan Plan, programs Programs) *Report {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return &Report{
		Schema: 1, Started: time.Now().UTC(), Plan: plan, Kernel: strings.TrimSpace(string(kernel)), Cores: runtime.NumCPU(),
		Memory: kilobytes("/proc/meminfo", "MemTotal"), Sysctl: readSettings(), Files: openFiles(),
		Binaries: map[string]string{
			filepath.Base(programs.Server):  checksum(programs.Server),
			filepath.Base(programs.Loadgen): checksum(programs.Loadgen),
		},
	}
}

func (p *proof) say(format string, args ...any) {
	fmt.Fprintf(p.log, "%7.1f s  %s\n", time.Since(p.began).Seconds(), fmt.Sprintf(format, args...))
}

func (p *proof) fault(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.report.Faults = append(p.report.Faults, text)
	p.say("FAULT: %s", text)
}

func (p *proof) enter(phase string) {
	p.phase = phase
	p.say("%s", phase)
}

// start runs a program whose complaints go to the log.
func (p *proof) start(program string, args []string, out io.Writer) (*exec.Cmd, error) {
	c := exec.Command(program, args...)
	c.Stdout, c.Stderr = out, p.log
	p.report.Commands = append(p.report.Commands, strings.Join(append([]string{filepath.Base(program)}, args...), " "))
	return c, c.Start()
}

func (p *proof) startServer(ctx context.Context, program string) error {
	p.enter("starting the server")
	if err := p.choosePorts(); err != nil {
		return err
	}
	args := []string{"serve", "--listen", p.listen, "--admin.listen", p.admin}
	if p.plan.Ping > 0 {
		args = append(args, "--heartbeat.ping_interval", p.plan.Ping.String(), "--heartbeat.pong_timeout", p.plan.Ping.String())
	}
	var err error
	if p.server, err = p.start(program, args, p.log); err != nil {
		return err
	}
	go func() {
		_ = p.server.Wait()
		close(p.ended)
	}()
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		if _, err = metrics(ctx, p.admin); err == nil {
			break
		}
		if err := p.wait(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("million: the server does not answer: %w", err)
		}
	}
	p.report.RSSBefore, p.before = rss(p.server.Process.Pid), slabs()
	return nil
}

// choosePorts finds two that nobody listens on.
func (p *proof) choosePorts() error {
	for _, address := range []*string{&p.listen, &p.admin} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close() // held until both are found
		*address = l.Addr().String()
	}
	return nil
}

// connect starts the load generator and waits until the server counts all connections.
func (p *proof) connect(ctx context.Context, program string) error {
	p.enter("connecting")
	n := strconv.Itoa(p.plan.Connections)
	var err error
	p.load, err = p.start(program, []string{
		"idle", "--url", "ws://" + p.listen + "/ws", "--json", "-n", n, "--topics", "1", "--topic-prefix", topicPrefix,
		"--hold", (p.plan.Hold + p.plan.Give).String(), "--connecting", strconv.Itoa(p.plan.Connecting),
		"--connect-timeout", "2m", "--close-timeout", "10s",
	}, &p.out)
	if err != nil {
		return err
	}
	go func() { p.loadEnd <- p.load.Wait() }()
	began := time.Now()
	var said time.Time
	for {
		s := p.look(ctx)
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			p.say("%.0f connections, server %d MB, load client %d MB, slabs %d MB, %d MB of memory left", s.Connections, s.RSS>>20, s.LoadRSS>>20,
				s.Slab>>20, s.Available>>20)
		}
		if s.Connections >= float64(p.plan.Connections) {
			p.report.ConnectSeconds = time.Since(began).Seconds() // loadgen's own figure replaces it
			p.report.Up = int(s.Connections)
			return nil
		}
		if time.Since(began) > p.plan.Open {
			return fmt.Errorf("million: only %.0f of %d connections after %v", s.Connections, p.plan.Connections, p.plan.Open)
		}
		if err := p.wait(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// wait lets time pass; the end of a program before its time is an error.
func (p *proof) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.ended:
		return errors.New("million: the server ended by itself")
	case err := <-p.loadEnd:
		p.loadEnd <- err
		return fmt.Errorf("million: the load generator ended early: %w: %s", cmp.Or(err, errors.New("of itself")), bytes.TrimSpace(p.out.Bytes()))
	}
}

func (p *proof) idle(ctx context.Context) error {
	p.enter("idle")
	for began := time.Now(); time.Since(began) < p.plan.Hold; {
		if err := p.wait(ctx, 5*time.Second); err != nil {
			return err
		}
		s := p.look(ctx)
		p.say("%.0f connections, server %d MB, %.0f pings sent, %.1f s CPU", s.Connections, s.RSS>>20, s.Pings, s.CPU)
	}
	after := slabs()
	p.report.RSSIdle, p.report.SocketMemory, p.report.Slabs = rss(p.server.Process.Pid), socketMemory(), map[string]int64{}
	var names []string
	for name := range after {
		p.report.Slab += after[name] - p.before[name]
		names = append(names, name)
	}
	grown := func(i int) int64 { return after[names[i]] - p.before[names[i]] }
	sort.Slice(names, func(i, j int) bool { return grown(i) > grown(j) })
	for i := range names[:min(slabsTold, len(names))] {
		p.report.Slabs[names[i]] = grown(i)
	}
	return nil
}

// look takes a sample.
func (p *proof) look(ctx context.Context) Sample {
	m, err := metrics(ctx, p.admin)
	if err != nil {
		p.say("no metrics: %v", err)
	}
	s := Sample{
		At: time.Since(p.began).Seconds(), Phase: p.phase, Connections: m["megawire_connections"], Deliveries: m["megawire_messages_out_total"],
		Pings: m["megawire_pings_total"], Slab: kilobytes("/proc/meminfo", "Slab"), Available: kilobytes("/proc/meminfo", "MemAvailable"),
		RSS: rss(p.server.Process.Pid), CPU: cpuSeconds(p.server.Process.Pid),
	}
	if p.load != nil {
		s.LoadRSS = rss(p.load.Process.Pid)
	}
	p.report.Timeline = append(p.report.Timeline, s)
	return s
}

// end stops what is still running.
func (p *proof) end() {
	if p.load != nil && p.load.Process != nil {
		_ = p.load.Process.Kill()
		<-p.loadEnd //nolint:errcheck // it was killed
	}
	if p.server != nil && p.server.Process != nil { // its clients have left: there is nothing to drain
		_ = p.server.Process.Kill()
		<-p.ended
	}
}
