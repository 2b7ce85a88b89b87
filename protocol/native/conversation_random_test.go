package native

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestConversations plays random conversations, of requests most of which are nearly right.
func TestConversations(t *testing.T) {
	for seed := range uint64(4000) {
		s := speaker{rand.New(rand.NewPCG(seed, 2))}
		var lines []string
		for range 1 + s.IntN(10) {
			lines = append(lines, s.request())
		}
		shape := make([]byte, s.IntN(6))
		for i := range shape {
			shape[i] = byte(s.Uint32())
		}
		checkConversation(t, []byte(strings.Join(lines, "\n")), shape)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// speaker makes requests up.
type speaker struct{ *rand.Rand }

func (s speaker) of(texts ...string) string { return texts[s.IntN(len(texts))] }

// seldom is rare once in sixteen times.
func (s speaker) seldom(rare, usual string) string {
	if s.IntN(16) == 0 {
		return rare
	}
	return usual
}

func (s speaker) request() string {
	members := []string{`"op":` + s.seldom(s.of(`"pin"`, `1`, `"p\u0069ng"`, `"\ud800"`), `"`+s.of("subscribe", "subscribe", "subscribe",
		"unsubscribe", "publish", "publish", "list", "ping", "presence", "auth")+`"`)}
	op := members[0]
	if s.IntN(3) > 0 {
		members = append(members, `"id":`+s.seldom(s.of(`null`, `{}`, `"`+strings.Repeat("x", 65)+`"`), s.of(`1`, `-0.5e1`, `"a\nb"`, `"`+strings.Repeat("x", 64)+`"`)))
	}
	switch {
	case strings.Contains(op, "subscribe"):
		members = append(members, `"topics":`+s.seldom(s.of(`null`, `"a"`, `{}`), s.topics(strings.Contains(op, "un"))))
	case strings.Contains(op, "publish"):
		members = append(members, `"topic":`+s.topic(), s.payload())
		members = append(members, strings.Split(s.of("", `"echo":false`, `"echo":true`, s.seldom(`"echo":0`, "")), "\x00")...)
	case strings.Contains(op, "presence"):
		members = append(members, `"topic":`+s.topic())
	case strings.Contains(op, "auth"):
		members = append(members, `"token":`+s.of(`"x"`, `1`))
	}
	members = append(members, s.seldom(s.of(`"extra":1`, `"data":1`, `"id":2`, `"op":"ping"`, `"topic":"a"`, `"t\u006fpic":"b"`, `"token":""`), ""))
	s.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	text := s.object(members)
	switch s.IntN(60) {
	case 0:
		return s.of("", "[]", "null", "!", "\xff", text+"\xff", text[:len(text)-1], text+"}", strings.Repeat("[", 200))
	case 1:
		return "?" + text
	}
	return text
}

func (s speaker) object(members []string) string {
	var there []string
	for _, m := range members {
		if m != "" {
			there = append(there, m)
		}
	}
	return "{" + s.of("", " ") + strings.Join(there, s.of(",", " ,", ", ")) + s.of("", "\t") + "}"
}

func (s speaker) topic() string {
	return s.seldom(s.of(`""`, `1`, `"\u0000"`, `"\ud83d"`, `"a/#/b"`, `"a+"`, `"`+strings.Repeat("é", 128)+`"`, `"+`+strings.Repeat("/", 32)+`"`),
		s.of(`"a"`, `"b"`, `"\u0061"`, `"secret/a"`, `"full"`, `"later/a"`, `"$sys/x"`, `"a/+"`, `"#"`, `"é\ud83d\ude00\""`, `"later"`))
}

func (s speaker) payload() string {
	one := func() string {
		return s.of(`"data":null`, `"data":{"a" : [1,"}"]}`, `"data":"\ud800"`, `"text":"x\ty"`, `"text":"\ude00"`, `"text":1`, `"bin":"AAEC"`, `"bin":"AA="`,
			`"bin":"A\nAEC"`, `"bin":null`, `"data":`+strings.Repeat("[", 128)+strings.Repeat("]", 128), `"data":`+strings.Repeat("[", 129)+strings.Repeat("]", 129))
	}
	return s.seldom(one()+","+one(), s.seldom("", one()))
}

func (s speaker) topics(plain bool) string {
	var entries []string
	for range s.IntN(6) {
		if plain && s.IntN(4) > 0 || s.IntN(2) == 0 {
			entries = append(entries, s.seldom(s.of(`1`, `null`, `[]`), s.topic()))
			continue
		}
		members := []string{`"topic":` + s.topic(), s.seldom(s.of(`"more":1`, `"topic":"x"`, `"last":1`), "")}
		if !plain {
			members = append(members, s.option())
			members = append(members, s.seldom(s.option(), ""))
		}
		entries = append(entries, s.object(members))
	}
	return "[" + strings.Join(entries, ",") + "]"
}

func (s speaker) option() string {
	n := s.of("0", "1", "9", "10", "250", "6000", "86400000", "86400001", "9007199254740991", "9007199254740992", "-1", "1.0", "1e3", `"1"`, "null")
	return s.of(`"last":`+n, `"last":6000`, `"last":4000`, `"every":`+n, `"mode":"all"`, `"mode":"latest"`, `"mode":1`, `"mode":"l\u0061test","every":20`,
		`"since":`+s.since(n))
}

func (s speaker) since(n string) string {
	epoch := `"epoch":` + s.seldom("1", s.of(`"k3x9"`, `"other"`, `"k3x\u0039"`))
	switch s.IntN(4) {
	case 0, 1:
		return s.object([]string{epoch, `"seq":` + s.seldom(n, "41"), s.seldom(`"ts":1`, "")})
	case 2:
		seqs := fmt.Sprintf(`{"a":%s,"b":2%s}`, s.seldom(n, "7"), s.seldom(s.of(`,"a":1`, `,"\ud800":1`, `,"c":"1"`), ""))
		return s.object([]string{epoch, `"ts":` + s.seldom(n, "5"), s.of("", `"seqs":`+s.seldom(s.of("1", "[]", "null", "{}"), seqs))})
	default:
		return s.of("{}", "41", "null", `{"epoch":"k3x9"}`, `{"epoch":"k3x9","ts":1,"more":2}`)
	}
}
