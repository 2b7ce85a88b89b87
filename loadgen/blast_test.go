package loadgen

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/codec/native"
	"github.com/megawire/megawire/codec/ws"
)

// blastEnv makes the test binary a server that sends as fast as it can: "<connections> <frames a write>".
const blastEnv = "LOADGEN_TEST_BLAST"

func blasting() bool { return os.Getenv(blastEnv) != "" }

// blast serves until its clients leave.
func blast() int {
	var connections, frames int
	if _, err := fmt.Sscan(os.Getenv(blastEnv), &connections, &frames); err != nil {
		panic(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(ln.Addr())
	var all sync.WaitGroup
	conns, fds := make([]net.Conn, connections), make([]int, connections)
	var topics []string
	for i := range conns {
		c, err := ln.Accept()
		if err != nil {
			panic(err)
		}
		all.Add(1)
		go func() {
			defer all.Done()
			conns[i] = c
			raw, _ := c.(*net.TCPConn).SyscallConn()
			_ = raw.Control(func(fd uintptr) { fds[i] = int(fd) })
			if t := greet(c); i == 0 {
				topics = t
			}
		}()
	}
	all.Wait()
	sendAll(conns, fds, topics, frames)
	return 0
}

// greet answers one client's upgrade and subscription.
func greet(c net.Conn) []string {
	var request http1.Request
	buf, n, used := make([]byte, 64<<10), 0, 0
	for used == 0 {
		got, err := c.Read(buf[n:])
		if err != nil {
			panic(err)
		}
		n += got
		used, _ = http1.Parse(buf[:n], &request)
	}
	answer, _, fault := ws.AppendUpgrade(nil, &request, ws.UpgradeOptions{})
	if fault != nil {
		panic(fault)
	}
	_, _ = c.Write(answer)
	n = copy(buf, buf[used:n])
	var end ws.Endpoint
	limits := ws.Limits{MessageBytesMax: 1 << 20, FragmentsMax: 1}
	for {
		if ev, _ := end.Next(buf[:n], &limits); ev.Kind == ws.Message {
			var q native.Request
			if e := native.ParseRequest(ev.Payload, &q); e != nil {
				panic(e)
			}
			var topics []string
			var results []native.TopicResult
			for i := range q.Topics {
				topics = append(topics, string(q.Topics[i].Topic))
				results = append(results, native.TopicResult{Topic: topics[i], Epoch: "e", HasSeq: true, Recovered: -1})
			}
			_, _ = c.Write(ws.AppendFrame(nil, ws.Text, native.AppendSubscribed(nil, q.ID, "c", results)))
			return topics
		}
		got, err := c.Read(buf[n:])
		if err != nil {
			panic(err)
		}
		n += got
	}
}

// sendAll writes batches of messages to everybody, each batch encoded once.
func sendAll(conns []net.Conn, fds []int, topics []string, frames int) {
	var batch, text, data []byte
	for n := 0; ; {
		batch = batch[:0]
		now := time.Now()
		data = appendData(data[:0], now.UnixNano(), 128)
		for range frames {
			seq := uint64(n/len(topics) + 1)
			text = native.AppendMessage(text[:0], topics[n%len(topics)], seq, seq-1, now.UnixMilli(), native.JSON, data)
			batch = ws.AppendFrame(batch, ws.Text, text)
			n++
		}
		for i, fd := range fds {
			sent, errno := writeRaw(fd, batch)
			if errno != 0 {
				sent = 0
			}
			if sent < len(batch) {
				if _, err := conns[i].Write(batch[sent:]); err != nil {
					return
				}
			}
		}
	}
}

// startBlaster runs a blaster as a process of its own, on the first core where taskset is installed.
func startBlaster(b *testing.B, connections, frames int) string {
	b.Helper()
	args := []string{os.Args[0]}
	if path, err := exec.LookPath("taskset"); err == nil {
		args = []string{path, "-c", "0", os.Args[0]}
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d", blastEnv, connections, frames), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return "ws://" + strings.TrimSpace(line) + "/ws"
}

// BenchmarkReceive measures what one loop receives and judges, from a server that does nothing but send. For one core's
// worth: taskset -c 1 env GOMAXPROCS=1 go test -run - -bench Receive ./loadgen
func BenchmarkReceive(b *testing.B) {
	for _, c := range []struct{ connections, topics, frames int }{
		{1000, 1, 1}, {1000, 1, 16}, {5000, 20, 8}, {5000, 20, 16}, {5000, 20, 64},
	} {
		b.Run(fmt.Sprintf("connections=%d/topics=%d/frames=%d", c.connections, c.topics, c.frames), func(b *testing.B) {
			p := Defaults(Idle)
			p.URL = startBlaster(b, c.connections, c.frames)
			p.Connections, p.Topics, p.Subscriptions = c.connections, c.topics, c.topics
			p.Duration, p.CloseTimeout = 2*time.Second, 50*time.Millisecond
			r, err := Run(b.Context(), p, nil)
			if err != nil {
				b.Fatal(err)
			}
			if want := (Verdict{Delivered: r.Verdict.Delivered}); r.Verdict != want || r.Connections.Opened != c.connections {
				b.Fatalf("verdict %+v, %+v", r.Verdict, r.Connections)
			}
			b.ReportMetric(r.Window.DeliveryRate, "deliveries/s")
			b.ReportMetric(r.Generator.BusyShare[0]*1e9/r.Window.DeliveryRate, "busy-ns/delivery")
			b.ReportMetric(r.Generator.CPUSeconds*1e9/float64(r.Window.Deliveries), "cpu-ns/delivery")
			b.ReportMetric(r.Window.MessagesPerRead, "messages/read")
			b.ReportMetric(0, "ns/op")
		})
	}
}
