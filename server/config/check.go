package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// filterBytesMax is the longest filter that the protocol knows.
const filterBytesMax = 255

// check holds one value against the key's tags.
func (k *Key) check(v reflect.Value) error {
	tag := k.field.Tag
	if choice := tag.Get("oneof"); choice != "" && !slices.Contains(strings.Fields(choice), v.String()) {
		return fmt.Errorf("%q is none of %s", v.String(), strings.ReplaceAll(choice, " ", ", "))
	}
	if err := k.checkBounds(v); err != nil {
		return err
	}
	if rules, ok := v.Interface().(Rules); ok {
		return rules.check()
	}
	switch tag.Get("syntax") {
	case "address":
		return checkAddress(v.String())
	case "host":
		for _, h := range v.Interface().([]string) {
			if h == "" || strings.ContainsAny(h, "/: ") {
				return fmt.Errorf("%q is no host name: no scheme, no port, no path", h)
			}
		}
	case "origin":
		for _, o := range v.Interface().([]string) {
			if err := checkOrigin(o); err != nil {
				return err
			}
		}
	case "filter":
		if f, one := v.Interface().(string); one {
			return checkFilter(f)
		}
		for _, f := range v.Interface().([]string) {
			if err := checkFilter(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *Key) checkBounds(v reflect.Value) error {
	bound := reflect.New(k.field.Type).Elem()
	if low := k.field.Tag.Get("min"); low != "" {
		must(setText(bound, low))
		if v.Int() < bound.Int() {
			return fmt.Errorf("%s is below the least, %s", text(v), low)
		}
	}
	if high := k.field.Tag.Get("max"); high != "" {
		must(setText(bound, high))
		if v.Int() > bound.Int() {
			return fmt.Errorf("%s is above the most, %s", text(v), high)
		}
	}
	return nil
}

func must(err error) {
	if err != nil {
		panic("config: a bound in a struct tag does not parse: " + err.Error())
	}
}

func checkAddress(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not an address; write host:port, :port or [::1]:port", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q has no port from 0 to 65535", s)
	}
	return nil
}

// checkOrigin wants an origin as browsers send it (RFC 6454 §7.1), or *.
func checkOrigin(s string) error {
	u, err := url.Parse(s)
	if s == "*" || s == "null" || err == nil && u.Scheme != "" && u.Host != "" && u.Path == "" && u.RawQuery == "" && u.User == nil {
		return nil
	}
	return fmt.Errorf("%q is no origin: it takes the form https://host or https://host:port", s)
}

// checkFilter applies the rules of MQTT 5 §4.7.1: + stands alone in its level,
// # alone in the last.
func checkFilter(f string) error {
	switch {
	case f == "" || len(f) > filterBytesMax:
		return fmt.Errorf("filter %q is not 1 to %d bytes long", f, filterBytesMax)
	case !utf8.ValidString(f) || strings.IndexByte(f, 0) >= 0:
		return fmt.Errorf("filter %q is not UTF-8 without NUL", f)
	}
	levels := strings.Split(f, "/")
	for i, level := range levels {
		if strings.Contains(level, "+") && level != "+" {
			return fmt.Errorf("filter %q: + must be a whole level, as in a/+/b", f)
		}
		if strings.Contains(level, "#") && (level != "#" || i != len(levels)-1) {
			return fmt.Errorf("filter %q: # must be the whole last level, as in a/#", f)
		}
	}
	return nil
}

// Check holds the whole of c against the rules: each value's own and those
// between values. Use it on a Config that was built in code; Load has done it.
func (c *Config) Check() error {
	var errs []error
	v := reflect.ValueOf(c).Elem()
	for i := range allKeys() {
		k := &allKeys()[i]
		if err := k.check(k.value(v)); err != nil {
			errs = append(errs, told(k.Name, err, nil)...)
		}
	}
	return errors.Join(append(errs, c.checkTogether()...)...)
}

// checkTogether holds the rules that tie one key to another.
func (c *Config) checkTogether() []error {
	var errs []error
	atLeast := func(big string, bigValue Bytes, small string, smallValue Bytes, why string) {
		if bigValue < smallValue {
			errs = append(errs, fmt.Errorf("%s (%s) must be at least %s (%s): %s", big, bigValue, small, smallValue, why))
		}
	}
	r := &c.Ring
	atLeast("ring.inflight_bytes", r.InflightBytes, "limits.message_bytes", c.Limits.MessageBytes,
		"the largest message would never find room")
	atLeast("ring.inflight_total_bytes", r.InflightTotalBytes, "ring.inflight_bytes", r.InflightBytes,
		"one topic may take the whole, not more")
	atLeast("ring.retain_total_bytes", r.RetainTotalBytes, "ring.retain_bytes", r.RetainBytes,
		"one topic may take the whole, not more")
	for i := range c.Rules {
		atLeast("ring.retain_total_bytes", r.RetainTotalBytes, rulePath(i, "retain_bytes"), c.Rules[i].RetainBytes,
			"one topic may take the whole, not more")
	}
	if c.Drain.Spread > c.Drain.Timeout {
		errs = append(errs, fmt.Errorf("drain.spread (%s) must not be longer than drain.timeout (%s)",
			durationText(c.Drain.Spread), durationText(c.Drain.Timeout)))
	}
	if c.Listen == c.Admin.Listen && !strings.HasSuffix(c.Listen, ":0") {
		errs = append(errs, fmt.Errorf("listen and admin.listen are both %s; give them two ports", c.Listen))
	}
	return errs
}
