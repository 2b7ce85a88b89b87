package ws

import (
	"bytes"
	"testing"
)

func TestDeflateRoundTrip(t *testing.T) {
	random := newRandom(t)
	f := NewInflater(1000)
	d := &Deflater{}
	for range 3000 {
		p := make([]byte, random.IntN(1<<random.IntN(18)+1))
		alphabet := 1 + random.IntN(255)
		for i := range p {
			p[i] = byte(random.IntN(alphabet))
			if i > 300 && random.IntN(10) == 0 {
				n := random.IntN(300)
				if i+n < len(p) {
					copy(p[i:i+n], p[random.IntN(i-1):])
				}
			}
		}
		frame := d.AppendFrame([]byte("x"), Text, p)
		if again := d.FinishFrame(append(BeginFrame([]byte("x")), p...), 1, Text); !bytes.Equal(again, frame) {
			t.Fatalf("FinishFrame and AppendFrame differ: % x, % x", again, frame)
		}
		h, n, err := ParseHeader(frame[1:], ClientSide|Extended)
		if err != nil || int(h.Length) != len(frame)-1-n {
			t.Fatal(err, h)
		}
		got := frame[1+n:]
		if h.Rsv != 0 {
			if got, err = f.Inflate(got, len(p)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, p) {
			t.Fatal("differs")
		}
	}
}
