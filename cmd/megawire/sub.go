package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/megawire/megawire/client"
)

// subFlags are the flags of sub.
type subFlags struct {
	url     string
	json    bool
	raw     bool
	count   int64
	timeout time.Duration
}

func newSubCommand() *cobra.Command {
	var flags subFlags
	cmd := &cobra.Command{
		Use:   "sub FILTER…",
		Short: "Subscribe and print messages, one line each",
		Long: "Subscribe to topics and print what is published on them, one line a message:\n" +
			"topic and payload, or whole envelopes with --json, or the payload alone with --raw.\n\n" +
			"What is missing, refusals and the state of the connection go to the standard\n" +
			"error. A connection that is lost is made again. Ctrl-C leaves with 0.",
		Example: "  megawire sub ticker/BTC-USD ticker/ETH-USD\n" +
			"  megawire sub --json --count 10 ticker/BTC-USD | jq .data.price",
		Args: func(_ *cobra.Command, args []string) error { return flags.check(args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			defer context.AfterFunc(ctx, stop)() // a second signal ends it at once
			return subscribe(ctx, cmd, &flags, args)
		},
	}
	cmd.Flags().StringVar(&flags.url, "url", "ws://127.0.0.1:8080/ws", "`URL` of the server's endpoint for megawire.v1, /ws")
	cmd.Flags().BoolVar(&flags.json, "json", false, "print whole envelopes, as NDJSON")
	cmd.Flags().BoolVar(&flags.raw, "raw", false, "print payloads alone; binary ones as they are")
	cmd.Flags().Int64Var(&flags.count, "count", 0, "leave after `N` messages; 0 stays")
	cmd.Flags().DurationVar(&flags.timeout, "timeout", 0, "leave after this time; with --count, fail if there were fewer messages")
	cmd.Flags().SortFlags = false
	return cmd
}

func (f *subFlags) check(args []string) error {
	switch {
	case len(args) == 0:
		return usageError{errors.New("sub takes at least one topic, as in: megawire sub ticker/BTC-USD")}
	case f.json && f.raw:
		return usageError{errors.New("--json and --raw exclude each other")}
	case f.count < 0:
		return usageError{fmt.Errorf("--count %d is below 0; 0 stays for ever", f.count)}
	case f.timeout < 0:
		return usageError{errors.New("--timeout is negative")}
	}
	_, err := f.endpoint()
	return err
}

// endpoint is --url with what may be left out of it: the scheme, and /ws.
func (f *subFlags) endpoint() (string, error) {
	address := f.url
	if !strings.Contains(address, "://") {
		address = "ws://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || !strings.Contains(" ws wss http https ", " "+u.Scheme+" ") {
		return "", usageError{fmt.Errorf("--url %q is not a URL such as ws://127.0.0.1:8080/ws", f.url)}
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/ws"
	}
	return u.String(), nil
}

// subscribe prints messages until ctx ends, the count is reached, or the connection
// is lost for good.
func subscribe(ctx context.Context, cmd *cobra.Command, flags *subFlags, filters []string) error {
	endpoint, err := flags.endpoint()
	if err != nil {
		return err
	}
	stopping := ctx
	if flags.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, flags.timeout)
		defer cancel()
	}
	c, err := client.Dial(ctx, endpoint, client.Options{})
	if err != nil {
		return explainDial(endpoint, err)
	}
	defer c.Close()

	p := &printer{flags: flags, out: bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10), errs: cmd.ErrOrStderr(), client: c, ackTimeout: ackTimeout}
	asked := make(chan error, 1)
	go func() { asked <- p.ask(ctx, endpoint, filters) }()
	printed := make(chan error, 1)
	go func() { printed <- p.run(ctx) }()

	select {
	case err = <-asked:
		if err == nil {
			err = <-printed
		}
	case err = <-printed:
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded) && !p.acked.Load():
		return noAnswer(endpoint, flags.timeout)
	case errors.Is(err, context.DeadlineExceeded) && flags.count > 0:
		return fmt.Errorf("%d of %d messages came within %v", p.seen.Load(), flags.count, flags.timeout)
	case ctx.Err() != nil || stopping.Err() != nil:
		return nil // Ctrl-C, or the time is up
	}
	return err
}

// explainDial adds what to do about a first connection that failed.
func explainDial(endpoint string, err error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server answers at %s: connection refused\n"+
			"  start one with: megawire serve --demo\n  or name another with --url", endpoint)
	case errors.As(err, &dns):
		return fmt.Errorf("%s: no such host; --url names the server", dns.Name)
	case errors.Is(err, context.Canceled):
		return nil
	case errors.Is(err, client.ErrNotMegawire):
		return fmt.Errorf("%s does not speak megawire.v1; "+endpointHint, endpoint)
	}
	return fmt.Errorf("connecting to %s: %w", endpoint, err)
}

// endpointHint says what --url names.
const endpointHint = "--url names the server's endpoint for it,\n" +
	"  which is /ws: /raw and /echo are for other clients"

// ackTimeout is how long the server may take to answer the subscription.
const ackTimeout = 10 * time.Second

func noAnswer(endpoint string, after time.Duration) error {
	return fmt.Errorf("%s did not answer the subscription within %v: does it speak megawire.v1?\n  "+endpointHint, endpoint, after)
}

// ask subscribes, and fails if every filter is refused or no answer comes.
func (p *printer) ask(ctx context.Context, endpoint string, filters []string) error {
	answered, cancel := context.WithTimeout(ctx, p.ackTimeout)
	defer cancel()
	results, err := p.client.Subscribe(answered, filters...)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return noAnswer(endpoint, p.ackTimeout)
	case err != nil:
		return fmt.Errorf("subscribing: %w", err)
	}
	p.acked.Store(true)
	refused := 0
	for _, r := range results {
		if r.Err != nil {
			refused++
			fmt.Fprintf(p.errs, "megawire: %s was refused: %v\n", r.Filter, r.Err)
		}
	}
	if refused == len(results) {
		return errors.New("nothing is subscribed to")
	}
	return nil
}
