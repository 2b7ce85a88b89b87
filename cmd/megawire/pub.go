package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// payloadBytesMax bounds what "pub TOPIC -" reads; the server's own limit is far below.
const payloadBytesMax = 64 << 20

// pubFlags are the flags of pub.
type pubFlags struct {
	admin string
	text  bool
	bin   bool
	file  string
	pace  string
}

func newPubCommand() *cobra.Command {
	var flags pubFlags
	cmd := &cobra.Command{
		Use:   "pub TOPIC DATA | pub --file FILE",
		Short: "Publish a message, or a capture at its own pace",
		Long: "Publish through the admin API. DATA that is JSON is published as data, anything\n" +
			"else as text; - reads it from the standard input.\n\n" +
			"--file publishes a capture, a line a message:\n" +
			`  {"ts":1763632800123,"topic":"ticker/BTC-USD","data":{"price":"91234.5"}}` + "\n" +
			"at the pace of its ts, which are Unix milliseconds.",
		Example: "  megawire pub ticker/BTC-USD '{\"price\":\"91234.5\"}'\n" +
			"  megawire pub chat/lobby 'hello there'\n" +
			"  megawire pub camera/1 - --bin < frame.jpg\n" +
			"  megawire pub --file capture.ndjson --pace 10x",
		Args: func(_ *cobra.Command, args []string) error { return flags.check(args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			defer context.AfterFunc(ctx, stop)() // a second signal ends it at once
			if flags.file != "" {
				return pubFile(ctx, cmd, &flags)
			}
			return pubOne(ctx, cmd, &flags, args[0], args[1])
		},
	}
	cmd.Flags().StringVar(&flags.admin, "admin", "http://127.0.0.1:9080", "`URL` of the server's admin listener")
	cmd.Flags().BoolVar(&flags.text, "text", false, "publish DATA as text even if it is JSON")
	cmd.Flags().BoolVar(&flags.bin, "bin", false, "publish the bytes of DATA as a binary message")
	cmd.Flags().StringVar(&flags.file, "file", "", "publish the capture in `FILE` (NDJSON); - is the standard input")
	cmd.Flags().StringVar(&flags.pace, "pace", "1x", "speed of --file: 1x is that of its ts, 10x ten times that, max as fast as the server takes it")
	cmd.Flags().SortFlags = false
	return cmd
}

func (f *pubFlags) check(args []string) error {
	switch {
	case f.file != "" && len(args) > 0:
		return usageError{fmt.Errorf("--file brings its own topics; leave %q away", args[0])}
	case f.file != "" && (f.text || f.bin):
		return usageError{errors.New("--text and --bin go with TOPIC DATA; a capture says it line by line")}
	case f.file == "" && len(args) != 2:
		return usageError{errors.New("pub takes a topic and its data, as in: megawire pub chat/lobby hello\n" +
			"  or a capture, as in: megawire pub --file capture.ndjson")}
	case f.file == "" && f.pace != "1x":
		return usageError{errors.New("--pace goes with --file")}
	case f.text && f.bin:
		return usageError{errors.New("--text and --bin exclude each other")}
	}
	if _, err := parsePace(f.pace); err != nil {
		return usageError{err}
	}
	return nil
}

// pubOne publishes one message and prints where it stands.
func pubOne(ctx context.Context, cmd *cobra.Command, flags *pubFlags, topic, data string) error {
	payload := []byte(data)
	if data == "-" {
		var err error
		payload, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), payloadBytesMax+1))
		if err != nil {
			return fmt.Errorf("reading the standard input: %w", err)
		}
		if len(payload) > payloadBytesMax {
			return fmt.Errorf("the standard input is longer than %d bytes", payloadBytesMax)
		}
	}
	body, err := flags.publication(topic, payload)
	if err != nil {
		return err
	}
	api, err := newAdminAPI(flags.admin)
	if err != nil {
		return err
	}
	status, answer, err := api.post(ctx, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	if status != http.StatusOK || answer.Seq == 0 {
		return answer.refusal(status)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s seq %d epoch %s\n", answer.Topic, answer.Seq, answer.Epoch)
	return nil
}

// publication is the body of one message. JSON goes in as it is, byte for byte.
func (f *pubFlags) publication(topic string, payload []byte) ([]byte, error) {
	if !utf8.ValidString(topic) {
		return nil, usageError{errors.New("the topic is not valid UTF-8")}
	}
	name, err := json.Marshal(topic)
	if err != nil {
		return nil, err
	}
	body := append([]byte(`{"topic":`), name...)
	var value []byte
	switch {
	case f.bin:
		body = append(body, `,"bin":`...)
		value, err = json.Marshal(payload) // base64
	case !utf8.Valid(payload):
		return nil, usageError{errors.New("the data is not valid UTF-8; publish it as binary with --bin")}
	case f.text || !json.Valid(payload):
		body = append(body, `,"text":`...)
		value, err = json.Marshal(string(payload))
	default:
		body = append(body, `,"data":`...)
		value = bytes.TrimSpace(payload)
	}
	if err != nil {
		return nil, err
	}
	return append(append(body, value...), '}'), nil
}
