package loadgen

import "github.com/megawire/megawire/codec/ws"

// echoDriver sends texts of the planned instant, the connection's number and filler, and reads them back.
type echoDriver struct {
	webSocket
	tail string // filler
	text []byte // scratch
}

// echoNumberDigits is the width of the connection's number in a text.
const echoNumberDigits = 8

func newEchoDriver(w webSocket, payload int) *echoDriver {
	filler := make([]byte, payload-19-echoNumberDigits)
	for i := range filler {
		filler[i] = 'a' + byte(i%26)
	}
	return &echoDriver{webSocket: w, tail: string(filler)}
}

func (d *echoDriver) appendSubscribe(dst []byte, _ []int) ([]byte, int) { return dst, 0 }

func (d *echoDriver) appendPublish(dst []byte, conn int, planned int64) []byte {
	d.text = appendInstant(d.text[:0], planned)
	for div := 10_000_000; div > 0; div /= 10 {
		d.text = append(d.text, byte('0'+conn/div%10))
	}
	d.text = append(d.text, d.tail...)
	return ws.AppendMaskedFrame(dst, ws.Text, d.mask(), d.text)
}

func (d *echoDriver) appendFinish(dst []byte) ([]byte, bool) { return dst, false }

func (d *echoDriver) next(src []byte, ev *event) int {
	n := d.frame(src, ev)
	if n == 0 || ev.kind != evFrame {
		return n
	}
	b := ev.payload
	ev.damaged, ev.planned, ev.topic = true, 0, -1
	if len(b) != 19+echoNumberDigits+len(d.tail) {
		return n
	}
	planned, ok1 := instant(b)
	number, ok2 := digits8(b[19:])
	if ok1 && ok2 && string(b[19+echoNumberDigits:]) == d.tail {
		ev.damaged, ev.planned, ev.topic = false, planned, int(number)
	}
	return n
}
