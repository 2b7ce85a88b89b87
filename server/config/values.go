package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bytes is a size. It is written as a number of bytes or with a unit: 64KiB,
// 1MiB, 2GiB.
type Bytes int

// The units that [Bytes] is written in.
const (
	KiB Bytes = 1 << 10
	MiB Bytes = 1 << 20
	GiB Bytes = 1 << 30
	TiB Bytes = 1 << 40
)

// Auto is a count that the server works out for itself where none is given.
// It is written "auto" or as a number of at least 1; its zero value is auto.
type Auto int

// Or returns the count, or derived where the setting is auto.
func (a Auto) Or(derived int) int {
	if a == 0 {
		return derived
	}
	return int(a)
}

// AutoBytes is a size that the server works out for itself where none is given. It is written "auto" or as Bytes are;
// its zero value is auto.
type AutoBytes int

// Or returns the size, or derived where the setting is auto.
func (a AutoBytes) Or(derived int) int { return Auto(a).Or(derived) }

var byteUnits = []struct {
	name string
	size Bytes
}{{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}, {"B", 1}}

// String writes the size in the largest unit that divides it.
func (b Bytes) String() string {
	for _, u := range byteUnits[:4] {
		if b >= u.size && b%u.size == 0 {
			return strconv.Itoa(int(b/u.size)) + u.name
		}
	}
	return strconv.Itoa(int(b))
}

// String writes the count, or auto.
func (a Auto) String() string {
	if a == 0 {
		return "auto"
	}
	return strconv.Itoa(int(a))
}

// String writes the size, or auto.
func (a AutoBytes) String() string {
	if a == 0 {
		return "auto"
	}
	return Bytes(a).String()
}

// setText parses s as the type of v and stores it there. The errors say what
// would have been right.
func setText(v reflect.Value, s string) error {
	switch v.Interface().(type) {
	case string:
		v.SetString(s)
	case bool, *bool:
		if s != "true" && s != "false" {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		set := s == "true"
		if v.Kind() == reflect.Pointer {
			v.Set(reflect.ValueOf(&set))
		} else {
			v.SetBool(set)
		}
	case int:
		n, err := parseCount(s)
		if err != nil {
			return err
		}
		v.SetInt(int64(n))
	case Auto:
		return setAuto(v, s)
	case AutoBytes:
		return setAutoBytes(v, s)
	case Bytes:
		n, err := parseBytes(s)
		if err != nil {
			return err
		}
		v.SetInt(int64(n))
	case time.Duration:
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is not a duration; write it with its unit, such as 500ms, 10s or 5m", s)
		}
		v.SetInt(int64(d))
	case []string:
		v.Set(reflect.ValueOf(splitList(s)))
	case Rules:
		return setRulesText(v, s)
	default:
		panic("config: a key of type " + v.Type().String() + " has no text form; add it to setText")
	}
	return nil
}

// text writes v in the form that setText reads.
func text(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return durationText(x)
	case []string:
		return strings.Join(x, ",")
	case *bool:
		if x == nil {
			return ""
		}
		return fmt.Sprint(*x)
	default:
		return fmt.Sprint(x)
	}
}

func setAuto(v reflect.Value, s string) error {
	if s == "auto" {
		v.SetInt(0)
		return nil
	}
	n, err := parseCount(s)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is neither auto nor a whole number of at least 1", s)
	}
	v.SetInt(int64(n))
	return nil
}

func setAutoBytes(v reflect.Value, s string) error {
	if s == "auto" {
		v.SetInt(0)
		return nil
	}
	n, err := parseBytes(s)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is neither auto nor a size of at least 1, such as 512MiB", s)
	}
	v.SetInt(int64(n))
	return nil
}

func parseCount(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", s)
	}
	return n, nil
}

func parseBytes(s string) (Bytes, error) {
	digits, unit := s, Bytes(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			digits, unit = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > uint64(1<<62)/uint64(unit) {
		return 0, fmt.Errorf("%q is not a size; write bytes, or KiB, MiB or GiB as in 64KiB", s)
	}
	return Bytes(n) * unit, nil
}

// splitList reads a list where a list cannot be written: in one environment
// variable or flag. An element with a comma in it needs the file.
func splitList(s string) []string {
	list := []string{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// durationText leaves out the zero units that Duration.String adds: 10m, not 10m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func equal(a, b reflect.Value) bool {
	switch x := a.Interface().(type) {
	case []string:
		return slices.Equal(x, b.Interface().([]string))
	case Rules:
		return reflect.DeepEqual(x, b.Interface())
	default:
		return a.Equal(b)
	}
}

// Values gives every key with its value as text, for introspection. There are no secrets among them yet.
func (c *Config) Values() map[string]string {
	values := make(map[string]string)
	for _, k := range allKeys() {
		values[k.Name] = text(k.value(reflect.ValueOf(c).Elem()))
	}
	return values
}
