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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/megawire/megawire/client"
)

// subFlags are the flags of sub.
type subFlags struct {
	url      string
	compress bool

	json    bool
	raw     bool
	count   int64
	timeout time.Duration

	last   int
	latest bool
	every  time.Duration
	since  string
}

func newSubCommand() *cobra.Command {
	var flags subFlags
	cmd := &cobra.Command{
		Use:   "sub FILTER…",
		Short: "Subscribe and print messages, one line each",
		Long: "Subscribe to topics and print what is published on them, one line a message:\n" +
			"topic and payload, or whole envelopes with --json, or the payload alone with --raw.\n\n" +
			"A FILTER is a topic or a pattern: + stands for one level, # at the end for any\n" +
			"number of them (sensors/+/temperature, ticker/#).\n\n" +
			"What is missing, refusals and the state of the connection go to the standard\n" +
			"error. A connection that is lost is made again and goes on with what was\n" +
			"published meanwhile. Ctrl-C leaves with 0.",
		Example: "  megawire sub ticker/BTC-USD ticker/ETH-USD\n" +
			"  megawire sub --last 1 --every 1s 'ticker/#'\n" +
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
	cmd.Flags().BoolVar(&flags.compress, "compress", false, "have the server compress what is large, where bytes are dear")
	cmd.Flags().BoolVar(&flags.json, "json", false, "print whole envelopes, as NDJSON")
	cmd.Flags().BoolVar(&flags.raw, "raw", false, "print payloads alone; binary ones as they are")
	cmd.Flags().IntVar(&flags.last, "last", 0, "begin with the newest `N` messages of each topic that the server keeps")
	cmd.Flags().StringVar(&flags.since, "since", "", "begin after the message `EPOCH:SEQ` of the topic; pub prints both")
	cmd.Flags().BoolVar(&flags.latest, "latest", false, "when messages come faster than they are read, the newest of each topic is enough")
	cmd.Flags().DurationVar(&flags.every, "every", 0, "at most one message of each topic in this `TIME`, the newest; 10ms at least")
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
	case f.last < 0:
		return usageError{fmt.Errorf("--last %d is below 0", f.last)}
	case f.last > 0 && f.since != "":
		return usageError{errors.New("--last and --since exclude each other")}
	case f.every < 0 || f.every > 0 && f.every < everyMin:
		return usageError{fmt.Errorf("--every %v is shorter than %v", f.every, everyMin)}
	}
	if _, err := f.subs(args); err != nil {
		return err
	}
	_, err := f.endpoint()
	return err
}

// everyMin is the shortest interval that a server takes.
const everyMin = 10 * time.Millisecond

// subs is what is asked for.
func (f *subFlags) subs(filters []string) ([]client.Sub, error) {
	subs := make([]client.Sub, len(filters))
	for i, filter := range filters {
		subs[i] = client.Sub{Filter: filter, Last: f.last, Every: f.every}
		if f.latest {
			subs[i].Mode = client.ModeLatest
		}
	}
	if f.since == "" {
		return subs, nil
	}
	if len(subs) != 1 || strings.ContainsAny(subs[0].Filter, "+#") {
		return nil, usageError{errors.New("--since is a place in one topic; it goes with one FILTER, and not with a pattern")}
	}
	epoch, number, _ := strings.Cut(f.since, ":")
	seq, err := strconv.ParseUint(number, 10, 64)
	if epoch == "" || err != nil {
		return nil, usageError{fmt.Errorf("--since %q is not a place such as rj6ct2hu:84", f.since)}
	}
	subs[0].Since = &client.Position{Epoch: epoch, Seq: seq}
	return subs, nil
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
	subs, err := flags.subs(filters)
	if err != nil {
		return err
	}
	stopping := ctx
	if flags.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, flags.timeout)
		defer cancel()
	}
	c, err := client.Dial(ctx, endpoint, client.Options{Compression: flags.compress})
	if err != nil {
		return explainDial(endpoint, err)
	}
	defer c.Close()

	p := &printer{flags: flags, out: bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10), errs: cmd.ErrOrStderr(), client: c, ackTimeout: ackTimeout}
	asked := make(chan error, 1)
	go func() { asked <- p.ask(ctx, endpoint, subs) }()
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
	var refused *client.RefusedError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server answers at %s: connection refused\n"+
			"  start one with: megawire serve --demo\n  or name another with --url", endpoint)
	case errors.As(err, &dns):
		return fmt.Errorf("%s: no such host; --url names the server", dns.Name)
	case errors.Is(err, context.Canceled):
		return nil
	case errors.As(err, &refused) && refused.RetryAfter > 0:
		return fmt.Errorf("connecting to %s: %w\n  it asks to be left alone for %v: try again then", endpoint, err, refused.RetryAfter)
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
func (p *printer) ask(ctx context.Context, endpoint string, subs []client.Sub) error {
	answered, cancel := context.WithTimeout(ctx, p.ackTimeout)
	defer cancel()
	results, err := p.client.SubscribeWith(answered, subs...)
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
