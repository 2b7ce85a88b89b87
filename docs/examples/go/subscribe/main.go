// Command subscribe prints what is published on some topics, with Megawire's Go
// client: it reconnects by itself, goes on where it was, and says what was missed. With
// -place it stores how far it has come, and goes on from there when it is started
// again.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"

	"github.com/megawire/megawire/client"
)

func main() {
	count := flag.Int("count", 0, "leave after this many messages; 0 stays")
	last := flag.Int("last", 0, "begin with so many of the newest messages of each topic")
	file := flag.String("place", "", "go on after what an earlier run had, as stored in this `file`")
	flag.Parse()
	topics := flag.Args()
	if len(topics) == 0 {
		topics = []string{"ticker/BTC-USD", "ticker/ETH-USD"}
	}
	server := os.Getenv("MEGAWIRE_URL")
	if server == "" {
		server = "ws://127.0.0.1:8080"
	}
	places, err := load(*file)
	if err != nil {
		log.Fatal(err)
	}
	var subs []client.Sub
	for _, topic := range topics {
		sub := client.Sub{Filter: topic, Last: *last}
		if at := places[topic]; at != nil {
			sub = client.Sub{Filter: topic, Since: at}
		}
		subs = append(subs, sub)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, server+"/ws", subs, *count, *file); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url string, subs []client.Sub, count int, file string) error {
	c, err := client.Dial(ctx, url, client.Options{})
	if err != nil {
		return err
	}
	defer c.Close()

	results, err := c.SubscribeWith(ctx, subs...)
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
		if ctx.Err() != nil {
			break // Ctrl-C
		}
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
	return store(c, subs, file)
}

// load reads the places that store has written.
func load(file string) (places map[string]*client.Position, err error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the first run
	}
	if err != nil {
		return nil, err
	}
	return places, json.Unmarshal(b, &places)
}

// store writes how far the program has come: all that Next has returned was printed.
func store(c *client.Client, subs []client.Sub, file string) error {
	if file == "" {
		return nil
	}
	places := map[string]client.Position{}
	for _, sub := range subs {
		if at, ok := c.Position(sub.Filter); ok {
			places[sub.Filter] = at
		}
	}
	b, err := json.Marshal(places)
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}
