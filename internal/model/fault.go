package model

import (
	"errors"
	"fmt"
)

// What can be wrong with a stream. Every error of this package is one of these, in a sentence.
var (
	ErrFalse    = errors.New("it is not what was published")
	ErrUnasked  = errors.New("nothing that stands asks for it")
	ErrExcluded = errors.New("its publisher left this client out")
	ErrTwice    = errors.New("it came already, or lies before what was asked for")
	ErrLeftOut  = errors.New("messages before it are missing without a word")
	ErrGap      = errors.New("the notice is not true")
	ErrEarly    = errors.New("it came within the interval")
	ErrBehind   = errors.New("what the client is owed has not come")
	ErrAnswer   = errors.New("the answer is not true")
	ErrNumber   = errors.New("the sequence number does not follow")
)

func fault(kind error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", kind, fmt.Sprintf(format, args...))
}
