package demo

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// Mix of a capture, after a recorded exchange feed: most messages are small changes of an order book.
const (
	captureRate       = 320 // messages a second, about
	captureStartMs    = 1_700_000_000_000
	snapshotBytesMax  = 40_000
	matchShare        = 0.010
	captureTickShare  = 0.011
	snapshotBytesLeft = 100 // for what closes the snapshot
)

// product is one order book of the capture.
type product struct {
	id            string
	price         float64
	digits        int
	weight        float64 // share of the messages
	snapshotBytes int
}

var products = []product{
	{"BTC-USD", 91234, 2, 0.27, snapshotBytesMax}, {"ETH-USD", 3045, 2, 0.20, 26_000}, {"SOL-USD", 138.2, 3, 0.16, 20_000},
	{"XRP-USD", 2.12, 5, 0.10, 16_000}, {"ETH-BTC", 0.0334, 6, 0.08, 15_000}, {"LTC-EUR", 80.1, 3, 0.07, 12_000},
	{"DOGE-USD", 0.157, 6, 0.05, 10_000}, {"LINK-USD", 13.4, 4, 0.04, 8_000}, {"BAND-GBP", 0.33, 5, 0.02, 6_000}, {"NU-GBP", 0.033, 6, 0.01, 5_000},
}

// capturer writes the lines of one capture.
type capturer struct {
	w        *bufio.Writer
	rng      *rand.Rand
	sequence int64
	buf      []byte
}

// Capture writes an NDJSON capture that lasts the given seconds: the snapshots of ten order books (up to 40 kB), then about 320
// messages a second (l2update, match, ticker; 100 to 450 bytes), on topics exchange/<type>/<product>. The busiest topic has about 85
// messages a second. The same seed gives the same bytes.
func Capture(w io.Writer, seconds int, seed uint64) error {
	c := &capturer{w: bufio.NewWriter(w), rng: rand.New(rand.NewPCG(seed, 0)), sequence: 1_000_000}
	books := append([]product(nil), products...)
	for i := range books {
		c.line(captureStartMs, "snapshot", &books[i], c.snapshot)
	}
	end := float64(captureStartMs + seconds*1000)
	for at := float64(captureStartMs); ; {
		at += c.rng.ExpFloat64() * 1000 / captureRate
		if at >= end {
			break
		}
		p := c.pick(books)
		p.price *= math.Exp(0.0002 * c.rng.NormFloat64())
		ts := int64(at)
		switch share := c.rng.Float64(); {
		case share < matchShare:
			c.line(ts, "match", p, c.match)
		case share < matchShare+captureTickShare:
			c.line(ts, "ticker", p, c.ticker)
		default:
			c.line(ts, "l2update", p, c.update)
		}
	}
	if err := c.w.Flush(); err != nil {
		return fmt.Errorf("demo: capture: %w", err)
	}
	return nil
}

// pick draws a book by its weight.
func (c *capturer) pick(books []product) *product {
	at := c.rng.Float64()
	for i := range books {
		if at -= books[i].weight; at < 0 {
			return &books[i]
		}
	}
	return &books[0]
}

// line writes one message. An error of the writer stays in it until Flush.
func (c *capturer) line(ts int64, kind string, p *product, fields func(*product)) {
	c.sequence++
	c.buf = c.buf[:0]
	c.add(`{"ts":`).int(ts).add(`,"topic":"exchange/`).add(kind).add("/").add(p.id).add(`","data":{"type":"`).add(kind)
	c.add(`","product_id":"`).add(p.id).add(`"`)
	fields(p)
	c.add(`,"sequence":`).int(c.sequence)
	c.add(`,"time":"`).add(time.UnixMilli(ts).UTC().Format("2006-01-02T15:04:05.000Z")).add("\"}}\n")
	_, _ = c.w.Write(c.buf)
}

func (c *capturer) snapshot(p *product) {
	c.add(`,"asks":`)
	c.levels(p, +1, p.snapshotBytes/2)
	c.add(`,"bids":`)
	c.levels(p, -1, p.snapshotBytes-snapshotBytesLeft)
}

// levels adds one side of a book until the line is that long.
func (c *capturer) levels(p *product, side float64, bytes int) {
	price := p.price
	for separator := "["; len(c.buf) < bytes; separator = "," {
		price *= 1 + side*0.0001*(0.1+c.rng.ExpFloat64())
		c.add(separator).add(`["`).price(p, price).add(`","`).size().add(`"]`)
	}
	c.add("]")
}

func (c *capturer) update(p *product) {
	c.add(`,"changes":[["`).add(c.side()).add(`","`).price(p, p.price).add(`","`).size().add(`"]]`)
}

func (c *capturer) match(p *product) {
	c.add(`,"trade_id":`).int(c.sequence / 7).add(`,"maker_order_id":"`).id().add(`","taker_order_id":"`).id()
	c.add(`","side":"`).add(c.side()).add(`","size":"`).size().add(`","price":"`).price(p, p.price).add(`"`)
}

func (c *capturer) ticker(p *product) {
	c.add(`,"price":"`).price(p, p.price).add(`","open_24h":"`).price(p, p.price*0.98).add(`","low_24h":"`).price(p, p.price*0.97)
	c.add(`","high_24h":"`).price(p, p.price*1.03).add(`","volume_24h":"`).size().add(`","best_bid":"`).price(p, p.price*0.9999)
	c.add(`","best_ask":"`).price(p, p.price*1.0001).add(`","side":"`).add(c.side()).add(`","last_size":"`).size().add(`"`)
}

func (c *capturer) add(s string) *capturer {
	c.buf = append(c.buf, s...)
	return c
}

func (c *capturer) int(n int64) *capturer {
	c.buf = strconv.AppendInt(c.buf, n, 10)
	return c
}

func (c *capturer) price(p *product, v float64) *capturer {
	c.buf = strconv.AppendFloat(c.buf, v, 'f', p.digits, 64)
	return c
}

func (c *capturer) size() *capturer {
	c.buf = strconv.AppendFloat(c.buf, 100*c.rng.ExpFloat64(), 'f', 4, 64)
	return c
}

func (c *capturer) side() string {
	if c.rng.IntN(2) == 0 {
		return "buy"
	}
	return "sell"
}

// id adds an order's id in the form of a UUID.
func (c *capturer) id() *capturer {
	c.buf = fmt.Appendf(c.buf, "%08x-%04x-%04x-%04x-%012x", c.rng.Uint32(), c.rng.Uint32()>>16, c.rng.Uint32()>>16, c.rng.Uint32()>>16, c.rng.Uint64()>>16)
	return c
}
