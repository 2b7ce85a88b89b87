package native

import (
	"bytes"
	"iter"
)

// Elements are the elements of an array, as they stand in it. It must be valid JSON that begins with '['.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		at := skipSpace(array, 1)
		for array[at] != ']' {
			end := skipValue(array, at)
			if !yield(array[at:end:end]) {
				return
			}
			at = skipComma(array, end)
		}
	}
}

// Members are the names, which DecodeString reads, and the values of an object, as they stand in it. It must be valid JSON
// that begins with '{'.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		at := skipSpace(object, 1)
		for object[at] != '}' {
			start := at
			at = skipKey(object, at)
			name := object[start : start+bytes.LastIndexByte(object[start:at], '"')+1]
			value := skipSpace(object, at)
			end := skipValue(object, value)
			if !yield(name, object[value:end:end]) {
				return
			}
			at = skipComma(object, end)
		}
	}
}

// skipComma goes from the end of an item to the next item or to the closing bracket.
func skipComma(src []byte, at int) int {
	if at = skipSpace(src, at); src[at] == ',' {
		at = skipSpace(src, at+1)
	}
	return at
}
