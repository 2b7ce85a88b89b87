// Package demo makes up data for a server that has none of its own yet: tickers on a random walk, sensors, and a capture that looks
// like an exchange's feed. All of it follows from a seed.
package demo

import (
	"context"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Pace of the feed.
const (
	tickerIntervalMin = 200 * time.Millisecond // each ticker has an interval of its own within these: 2 to 5 updates a second
	tickerIntervalMax = 500 * time.Millisecond
	sensorInterval    = time.Second
	turnInterval      = 20 * time.Millisecond // of Run
	catchUpMax        = time.Second           // what was due longer ago is left out: a machine that slept does not wake to a flood
	pricePull         = 0.0005                // of the distance to its first price that a price is drawn back at each step
)

// Message is one message to publish. Data is JSON.
type Message struct {
	Topic string
	Data  []byte
}

// Feed makes a hundred tickers and twenty sensors, about 330 messages a second. It has no clock and no goroutine: Next says what is
// due. Not for use from several goroutines at once.
type Feed struct {
	instruments []instrument
	started     bool

	out []Message
	buf []byte // what the messages of out hold
}

// instrument is one source with a rhythm of its own. Its numbers come from its own random source, so that they do not depend on how
// often Next is called.
type instrument struct {
	topic    string
	rng      *rand.Rand
	interval time.Duration
	next     time.Time // when it is due

	source interface {
		step(rng *rand.Rand)
		append(dst []byte, ts int64) []byte
	}
}

// NewFeed returns the feed of a seed.
func NewFeed(seed uint64) *Feed {
	f := &Feed{}
	add := func(topic string, interval func(*rand.Rand) time.Duration, source func(*rand.Rand) instrument) {
		rng := rand.New(rand.NewPCG(seed, uint64(len(f.instruments))))
		in := source(rng)
		in.topic, in.rng, in.interval = topic, rng, interval(rng)
		f.instruments = append(f.instruments, in)
	}
	for _, s := range symbols {
		add("ticker/"+s.name+"-USD", tickerInterval, func(rng *rand.Rand) instrument {
			return instrument{source: newTicker(s, rng)}
		})
	}
	for n := range sensorCount {
		place := places[n/sensorsPerPlace]
		add("sensors/"+place.name+"/mote"+strconv.Itoa(n+1), func(*rand.Rand) time.Duration { return sensorInterval },
			func(rng *rand.Rand) instrument { return instrument{source: newSensor(place, rng)} })
	}
	return f
}

func tickerInterval(rng *rand.Rand) time.Duration {
	return tickerIntervalMin + time.Duration(rng.Int64N(int64(tickerIntervalMax-tickerIntervalMin)))
}

// Topics are all topics of the feed, tickers first.
func (f *Feed) Topics() []string {
	topics := make([]string, len(f.instruments))
	for i := range f.instruments {
		topics[i] = f.instruments[i].topic
	}
	return topics
}

// Next returns what is due at now and was not returned before. The first call starts the feed: its instruments are due within their
// interval after it. The messages hold until the next call.
func (f *Feed) Next(now time.Time) []Message {
	f.out, f.buf = f.out[:0], f.buf[:0]
	for i := range f.instruments {
		in := &f.instruments[i]
		if !f.started {
			in.next = now.Add(time.Duration(in.rng.Int64N(int64(in.interval))))
		}
		if late := now.Sub(in.next); late > catchUpMax {
			in.next = in.next.Add(late.Truncate(in.interval))
		}
		for ; !in.next.After(now); in.next = in.next.Add(in.interval) {
			f.emit(in)
		}
	}
	f.started = true
	return f.out
}

func (f *Feed) emit(in *instrument) {
	in.source.step(in.rng)
	start := len(f.buf)
	f.buf = in.source.append(f.buf, in.next.UnixMilli())
	f.out = append(f.out, Message{in.topic, f.buf[start:len(f.buf):len(f.buf)]})
}

// Run publishes the feed in real time until ctx ends, and then returns nil. An error of publish ends it too: a caller that would rather
// lose a message than the feed returns nil instead. data holds until publish returns.
func (f *Feed) Run(ctx context.Context, publish func(topic string, data []byte) error) error {
	turn := time.NewTicker(turnInterval)
	defer turn.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-turn.C:
			for _, m := range f.Next(now) {
				if err := publish(m.Topic, m.Data); err != nil {
					if ctx.Err() != nil {
						return nil
					}
					return err
				}
			}
		}
	}
}

// ticker is the price of one symbol: a geometric random walk, drawn back to where it began so that it stays believable for weeks.
type ticker struct {
	name       string
	first      float64
	price      float64
	volatility float64 // standard deviation of one step's logarithm
	volume     float64 // since the start, in units of the symbol
	digits     int
}

func newTicker(s symbol, rng *rand.Rand) *ticker {
	first := s.price * math.Exp(0.02*rng.NormFloat64())
	t := &ticker{name: s.name + "-USD", first: first, price: first, digits: s.digits(), volatility: 0.0003 + 0.0006*rng.Float64()}
	t.volume = 2e7 / first * (0.5 + rng.Float64())
	return t
}

func (t *ticker) step(rng *rand.Rand) {
	pull := pricePull * math.Log(t.first/t.price)
	t.price *= math.Exp(pull + t.volatility*rng.NormFloat64())
	t.volume += 500 / t.first * rng.ExpFloat64()
}

func (t *ticker) append(dst []byte, ts int64) []byte {
	dst = append(dst, `{"symbol":"`...)
	dst = append(dst, t.name...)
	dst = appendNumber(dst, `","price":`, t.price, t.digits)
	dst = appendNumber(dst, `,"change":`, 100*(t.price/t.first-1), 2) // percent since the start
	dst = appendNumber(dst, `,"volume":`, t.volume, 2)
	dst = append(dst, `,"ts":`...)
	dst = strconv.AppendInt(dst, ts, 10)
	return append(dst, '}')
}

// sensor is a mote that measures temperature and humidity.
type sensor struct {
	place       place
	temperature float64 // °C
	humidity    float64 // % relative
	reading     uint64
}

func newSensor(p place, rng *rand.Rand) *sensor {
	return &sensor{place: p, temperature: p.temperature + rng.NormFloat64(), humidity: p.humidity + 3*rng.NormFloat64()}
}

func (s *sensor) step(rng *rand.Rand) {
	s.reading++
	s.temperature += 0.01*(s.place.temperature-s.temperature) + 0.05*rng.NormFloat64()
	s.humidity += 0.01*(s.place.humidity-s.humidity) + 0.1*rng.NormFloat64()
	s.humidity = min(max(s.humidity, 5), 99)
}

func (s *sensor) append(dst []byte, ts int64) []byte {
	dst = append(dst, `{"reading":`...)
	dst = strconv.AppendUint(dst, s.reading, 10)
	dst = appendNumber(dst, `,"temperature":`, s.temperature, 2)
	dst = appendNumber(dst, `,"humidity":`, s.humidity, 2)
	dst = append(dst, `,"ts":`...)
	dst = strconv.AppendInt(dst, ts, 10)
	return append(dst, '}')
}

func appendNumber(dst []byte, key string, v float64, digits int) []byte {
	dst = append(dst, key...)
	return strconv.AppendFloat(dst, v, 'f', digits, 64)
}

// digits after the point, so that a step shows.
func (s symbol) digits() int {
	switch {
	case s.price >= 100:
		return 2
	case s.price >= 1:
		return 4
	case s.price >= 0.01:
		return 6
	}
	return 6 + strings.Count(strconv.FormatFloat(s.price, 'f', 10, 64)[2:6], "0")
}
