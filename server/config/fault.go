package config

import (
	"errors"
	"fmt"
	"strings"
)

// fault is what is wrong with a part of a key's value. Its path is as lineNumbers has it: rules[2].retain_age.
type fault struct {
	path string
	err  error
}

// faults is an error for a value of several parts: all that are wrong with it.
type faults []fault

func (f *faults) add(path, format string, args ...any) {
	*f = append(*f, fault{path, fmt.Errorf(format, args...)})
}

// err is nil where there are none.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

func (f faults) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = one.path + ": " + one.err.Error()
	}
	return strings.Join(lines, "\n")
}

// told makes an error of a key's value one for each part that is wrong, which names the part and, where where
// is not nil, the place it stands at.
func told(name string, err error, where func(path string) string) (errs []error) {
	var parts faults
	if !errors.As(err, &parts) {
		parts = faults{{name, err}}
	}
	for _, part := range parts {
		e := fmt.Errorf("%s: %w", part.path, part.err)
		if where != nil {
			e = fmt.Errorf("%s: %w", where(part.path), e)
		}
		errs = append(errs, e)
	}
	return errs
}
