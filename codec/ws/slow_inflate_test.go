package ws

import (
	"bytes"
	"compress/flate"
	"io"
	"slices"
)

// slowInflate inflates a message by the standard library. sure is false where that stops at a fault without having given all
// that came before it, so that nobody can say whether the bounds were passed first.
func slowInflate(payload []byte, bytesMax, ratioMax int) (message []byte, err error, sure bool) {
	message, whole := slowBlocks(payload)
	limit, tooMuch := bytesMax, errInflateTooBig
	if n := max(RatioFreeBytes, ratioMax*len(payload)); n < limit {
		limit, tooMuch = n, errInflateRatio
	}
	switch {
	case len(message) > limit:
		return nil, tooMuch, true
	case !whole:
		return nil, errInflate, len(message)+16*258 <= limit
	default:
		return message, nil, true
	}
}

// slowBlocks inflates what it can, and reports whether a whole message came of it: all of payload, up to the end of a final
// block or to one that the end of a flush completes, out of which nothing more comes.
func slowBlocks(payload []byte) (message []byte, whole bool) {
	for {
		out, used, ended := slowFinal(payload, message)
		if ended {
			message, payload = append(message, out...), payload[used:]
			if len(payload) == 0 {
				return message, true
			}
			continue
		}
		completed := slices.Concat(payload, []byte(flushTail), []byte(finalBlock))
		more, used, ended := slowFinal(completed, message)
		all := used == len(completed) || used == len(payload)+len(flushTail)
		return append(message, out...), ended && all && len(more) == len(out)
	}
}

// slowFinal inflates up to the end of a block that says that it is the final one.
func slowFinal(payload, window []byte) (out []byte, used int, ended bool) {
	in := bytes.NewReader(payload)
	out, err := io.ReadAll(flate.NewReaderDict(in, window))
	return out, len(payload) - in.Len(), err == nil
}
