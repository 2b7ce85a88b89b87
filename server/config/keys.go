package config

import (
	"reflect"
	"strings"
	"sync"
)

// envPrefix begins the environment name of every key.
const envPrefix = "MEGAWIRE_"

// Key describes one setting.
type Key struct {
	Name    string // as in the file's levels joined with dots, and as a flag: ring.retain_age
	Env     string // its environment variable: MEGAWIRE_RING_RETAIN_AGE
	Kind    string // text, list, true|false, number, number|auto, size, duration or rules
	Default string // in the form in which it is written
	Usage   string // one sentence, with bounds

	index []int // the field's path in Config
	field reflect.StructField
}

// Keys returns every setting in the order of [Config]. The slice is shared:
// callers only read it.
func Keys() []Key { return allKeys() }

var allKeys = sync.OnceValue(func() []Key {
	return collect(nil, reflect.ValueOf(Default()), "", nil)
})

var keysByName = sync.OnceValue(func() map[string]*Key {
	m := map[string]*Key{}
	for i := range allKeys() {
		k := &allKeys()[i]
		m[k.Name] = k
	}
	return m
})

var keysByEnv = sync.OnceValue(func() map[string]*Key {
	m := map[string]*Key{}
	for i := range allKeys() {
		k := &allKeys()[i]
		m[k.Env] = k
	}
	return m
})

// collect adds the keys of a group. whole is the struct they all lie in, with the defaults; index is the group's
// path in it.
func collect(keys []Key, whole reflect.Value, prefix string, index []int) []Key {
	group := whole.Type()
	if len(index) > 0 {
		group = group.FieldByIndex(index).Type
	}
	for f := range group.Fields() {
		name := prefix + f.Tag.Get("koanf")
		path := append(index[:len(index):len(index)], f.Index...)
		if f.Type.Kind() == reflect.Struct {
			keys = collect(keys, whole, name+".", path)
			continue
		}
		def := whole.FieldByIndex(path)
		keys = append(keys, Key{
			Name:    name,
			Env:     envPrefix + strings.ToUpper(strings.ReplaceAll(name, ".", "_")),
			Kind:    kindOf(def),
			Default: text(def),
			Usage:   f.Tag.Get("usage") + bounds(f.Tag),
			index:   path,
			field:   f,
		})
	}
	return keys
}

// value returns the key's field in c, which must be addressable to be set.
func (k *Key) value(c reflect.Value) reflect.Value { return c.FieldByIndex(k.index) }

// section reports whether name is a group of keys rather than a key.
func section(name string) bool {
	for _, k := range allKeys() {
		if strings.HasPrefix(k.Name, name+".") {
			return true
		}
	}
	return false
}

func kindOf(v reflect.Value) string {
	switch v.Interface().(type) {
	case bool, *bool:
		return "true|false"
	case int:
		return "number"
	case Auto:
		return "number|auto"
	case Bytes:
		return "size"
	case AutoBytes:
		return "size|auto"
	case []string:
		return "list"
	case string:
		return "text"
	case Rules:
		return "rules"
	default:
		return "duration"
	}
}

func bounds(tag reflect.StructTag) string {
	low, high, choice := tag.Get("min"), tag.Get("max"), tag.Get("oneof")
	switch {
	case choice != "":
		return " (" + strings.ReplaceAll(choice, " ", ", ") + ")"
	case low != "" && high != "":
		return " (" + low + " to " + high + ")"
	case high != "":
		return " (up to " + high + ")"
	default:
		return ""
	}
}
