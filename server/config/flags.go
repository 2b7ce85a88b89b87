package config

import (
	"reflect"

	"github.com/spf13/pflag"
)

// RegisterFlags adds a flag for every key. [Load] then takes those that were set.
func RegisterFlags(fs *pflag.FlagSet) {
	for i := range allKeys() {
		k := &allKeys()[i]
		f := fs.VarPF(&flagValue{key: k, text: k.Default}, k.Name, "", k.Usage)
		if k.Kind == "true|false" {
			f.NoOptDefVal = "true"
		}
	}
}

// flagValue is one key on the command line. The flag of a list, or of the rules, may be repeated.
type flagValue struct {
	key  *Key
	text string
	set  bool
}

func (f *flagValue) String() string { return f.text }
func (f *flagValue) Type() string   { return f.key.Kind }

// Set refuses a bad value where it stands, so that the error names the flag.
func (f *flagValue) Set(s string) error {
	v := reflect.New(f.key.field.Type).Elem()
	if err := setText(v, s); err != nil {
		return err
	}
	if err := f.key.check(v); err != nil {
		return err
	}
	switch {
	case f.set && f.key.Kind == "list":
		s = f.text + "," + s
	case f.set && f.key.Kind == "rules":
		var all Rules
		if err := setText(reflect.ValueOf(&all).Elem(), f.text); err != nil {
			return err
		}
		s = append(all, v.Interface().(Rules)...).String()
	}
	f.text, f.set = s, true
	return nil
}
