package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/megawire/megawire/internal/buildinfo"
	"github.com/megawire/megawire/server"
	"github.com/megawire/megawire/server/config"
)

func newServeCommand() *cobra.Command {
	var settings settingsFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: "Run the server until SIGTERM or SIGINT. It then lets its clients go and leaves\n" +
			"with 0; another signal, a second or more later, ends it at once with 1. SIGHUP is\n" +
			"ignored: a new configuration needs a restart.\n\n" +
			"Every key of the configuration file is also a flag and an environment variable:\n" +
			"ring.retain_age is --ring.retain_age and MEGAWIRE_RING_RETAIN_AGE.",
		Example: "  megawire serve --demo\n  megawire serve --config megawire.yaml --listen :9000",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := settings.load(cmd)
			if err != nil {
				return err
			}
			return serve(cmd.OutOrStdout(), cfg)
		},
	}
	settings.register(cmd)
	return cmd
}

func serve(out io.Writer, cfg config.Config) error {
	log := newLogger(os.Stderr, cfg.Log)
	ctx, stop := stopOnSignal(log)
	defer stop()

	srv, err := server.New(cfg, log)
	if err != nil {
		return explainServe(err, &cfg)
	}
	info := buildinfo.Get()
	log.Info("starting", "version", info.Version, "commit", info.Commit)
	ended := make(chan struct{})
	defer close(ended)
	if cfg.Demo {
		go announceDemo(out, srv, ended)
	}
	if err := srv.Run(ctx); err != nil {
		return explainServe(err, &cfg)
	}
	log.Info("stopped")
	return nil
}

func newLogger(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		panic("serve: log.level passed the check of the configuration and is not slog's: " + err.Error())
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// announceDemo says where to look once the server serves, with the ports in use.
func announceDemo(out io.Writer, srv *server.Server, ended <-chan struct{}) {
	select {
	case <-srv.Started():
	case <-ended:
		return
	}
	fmt.Fprintf(out, `
  Megawire with its demo feed

  see it     %[2]s
  clients    %[1]s?topics=ticker/BTC-USD
  publish    curl -H 'Content-Type: application/json' -d '{"topic":"chat/lobby","data":"hello"}' %[2]sv1/publish
  stop       Ctrl-C

`, "ws://"+dialable(srv.Addr())+"/ws", "http://"+dialable(srv.AdminAddr())+"/")
}

// dialable turns an address to listen on into one to connect to from here.
func dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// explainServe adds to an error of the system what to do about it.
func explainServe(err error, cfg *config.Config) error {
	key, port := "listen", portOf(cfg.Listen)
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil && portOf(op.Addr.String()) != port {
		key, port = "admin.listen", portOf(cfg.Admin.Listen)
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w\n  another process has port %s: \"ss -ltnp 'sport = :%s'\" shows which; or choose another with --%s", err, port, port, key)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w\n  a port below 1024 needs CAP_NET_BIND_SERVICE (deploy/megawire.service gives it); or choose another with --%s", err, key)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w\n  no interface of this machine has that address (\"ip addr\" lists them); set another with --%s", err, key)
	default:
		return err
	}
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
