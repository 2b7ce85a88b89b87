package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/megawire/megawire/server/config"
)

func TestDialable(t *testing.T) {
	for listen, want := range map[string]string{
		":8080":          "localhost:8080",
		"0.0.0.0:8080":   "localhost:8080",
		"[::]:8080":      "localhost:8080",
		"127.0.0.1:9080": "127.0.0.1:9080",
		"[::1]:1":        "[::1]:1",
		"push.local:80":  "push.local:80",
	} {
		if got := dialable(listen); got != want {
			t.Errorf("%s: got %s, want %s", listen, got, want)
		}
	}
}

func TestExplainServe(t *testing.T) {
	cfg := config.Default()
	cfg.Listen = ":908" // the beginning of the other port
	listen := func(ip string, port int, errno error) error {
		return &net.OpError{Op: "listen", Net: "tcp", Addr: &net.TCPAddr{IP: net.ParseIP(ip), Port: port}, Err: errno}
	}
	for _, row := range []struct {
		says string
		err  error
		want string
	}{
		{"the public port is taken", listen("0.0.0.0", 908, syscall.EADDRINUSE), "choose another with --listen"},
		{"the admin port is taken", fmt.Errorf("admin listener: %w", listen("127.0.0.1", 9080, syscall.EADDRINUSE)), "choose another with --admin.listen"},
		{"a port below 1024", listen("0.0.0.0", 80, syscall.EACCES), "CAP_NET_BIND_SERVICE"},
		{"an address of another machine", listen("1.2.3.4", 908, syscall.EADDRNOTAVAIL), "ip addr"},
		{"another error stays as it is", errors.New("boom"), "boom"},
	} {
		got := explainServe(row.err, &cfg)
		if !errors.Is(got, row.err) || !strings.Contains(got.Error(), row.want) {
			t.Errorf("%s: %q does not say %q", row.says, got, row.want)
		}
	}
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(&out, config.Log{Level: "warn", Format: "json"})
	log.Info("quiet")
	log.Warn("loud", "n", 1)
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, `"msg":"loud","n":1`) {
		t.Errorf("got %s", got)
	}
}
