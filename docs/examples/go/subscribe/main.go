// Command subscribe prints what is published on some topics, with Megawire's Go
// client: it reconnects by itself and says what was missed.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/megawire/megawire/client"
)

func main() {
	count := flag.Int("count", 0, "leave after this many messages; 0 stays")
	flag.Parse()
	topics := flag.Args()
	if len(topics) == 0 {
		topics = []string{"ticker/BTC-USD", "ticker/ETH-USD"}
	}
	server := os.Getenv("MEGAWIRE_URL")
	if server == "" {
		server = "ws://127.0.0.1:8080"
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, server+"/ws", topics, *count); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url string, topics []string, count int) error {
	c, err := client.Dial(ctx, url, client.Options{})
	if err != nil {
		return err
	}
	defer c.Close()

	results, err := c.Subscribe(ctx, topics...)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Err != nil {
			log.Printf("%s was refused: %v", r.Filter, r.Err)
		}
	}
	for seen := 0; count == 0 || seen < count; {
		event, err := c.Next(ctx)
		if err != nil {
			return err
		}
		switch event.Kind {
		case client.Message:
			fmt.Println(event.Topic, event.Seq, string(event.Payload))
			seen++
		case client.Gap:
			log.Printf("missing: %s %d to %d (%s)", event.Topic, event.From, event.To, event.Reason)
		case client.State:
			log.Print(event.State)
		}
	}
	return nil
}
