package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// Origins says of each key where its value came from: "default",
// "default with demo", "file path:line", "environment NAME" or "flag --name".
type Origins map[string]string

// layer is what one source said, before it is checked: raw values by key, and
// where each stands.
type layer struct {
	values map[string]any
	where  func(key string) string
	hint   func(key string) string // the nearest right name, as this source writes it
}

// Load reads the settings: defaults, under the YAML file of that path ("" is
// none), under the MEGAWIRE_* variables of environ (as os.Environ gives them),
// under those flags of [RegisterFlags] that were set (nil is none). The error
// joins everything that is wrong, a line each, not only the first.
func Load(flags *pflag.FlagSet, file string, environ []string) (Config, Origins, error) {
	cfg, origins := Default(), Origins{}
	merged := koanf.New(".")
	for _, k := range allKeys() {
		origins[k.Name] = "default"
	}

	var errs []error
	for _, read := range []func() (layer, error){
		func() (layer, error) { return fileLayer(file) },
		func() (layer, error) { return envLayer(environ) },
		func() (layer, error) { return flagLayer(flags) },
	} {
		l, err := read()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, l.addTo(merged, origins)...)
	}
	if len(errs) > 0 {
		return cfg, origins, errors.Join(errs...)
	}

	if err := merged.Unmarshal("", &cfg); err != nil {
		return cfg, origins, fmt.Errorf("config: %w", err)
	}
	if cfg.Demo && origins["anonymous.publish"] == "default" {
		cfg.Anonymous.Publish = []string{"#"}
		origins["anonymous.publish"] = "default with demo"
	}
	return cfg, origins, cfg.Check()
}

// addTo parses and checks each value and, where all is well, lays them over merged.
func (l layer) addTo(merged *koanf.Koanf, origins Origins) (errs []error) {
	typed := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(l.values)) {
		raw := l.values[name]
		key := keysByName()[name]
		if key == nil {
			if err := l.refuse(name, raw); err != nil {
				errs = append(errs, err)
			}
			continue
		}
		v := reflect.New(key.field.Type).Elem()
		err := setRaw(v, raw)
		if err == nil {
			err = key.check(v)
		}
		if err != nil {
			errs = append(errs, told(name, err, l.where)...)
			continue
		}
		typed[name] = v.Interface()
		origins[name] = l.where(name)
	}
	if err := merged.Load(confmap.Provider(typed, "."), nil); err != nil {
		errs = append(errs, fmt.Errorf("config: %w", err))
	}
	return errs
}

// refuse says what is wrong with a name that is no key. An empty section is
// none: a file may have everything in it commented out.
func (l layer) refuse(name string, raw any) error {
	if section(name) {
		if m, isMap := raw.(map[string]any); raw == nil || isMap && len(m) == 0 {
			return nil
		}
		return fmt.Errorf("%s: %s is a group of keys, not a value", l.where(name), name)
	}
	if group, key, _ := strings.Cut(name, "."); key != "" && keysByName()[group] != nil && keysByName()[group].Kind == "rules" {
		return fmt.Errorf("%s: %s takes a list: a dash stands before each rule", l.where(name), group)
	}
	if planned(name) {
		return fmt.Errorf("%s: %s is not built yet", l.where(name), name)
	}
	if hint := l.hint(name); hint != "" {
		return fmt.Errorf("%s: %s: unknown key; did you mean %s?", l.where(name), name, hint)
	}
	return fmt.Errorf("%s: %s: unknown key; \"megawire config print\" lists them all", l.where(name), name)
}

// planned reports whether name belongs to a group of keys that is to come: it is
// refused as such, so that nobody looks for a typing error.
func planned(name string) bool {
	name = strings.ToLower(strings.TrimPrefix(name, envPrefix))
	group, _, _ := strings.Cut(strings.ReplaceAll(name, "_", "."), ".")
	return slices.Contains([]string{"tls", "auth"}, group)
}

// setRaw stores what a YAML file, a variable or a flag gave.
func setRaw(v reflect.Value, raw any) error {
	if _, isText := raw.(string); !isText && v.Type() == reflect.TypeFor[Rules]() {
		return setRules(v, raw)
	}
	switch x := raw.(type) {
	case nil:
		return errors.New("has no value; leave the key out to get its default")
	case map[string]any:
		return errors.New("is a value, not a group of keys")
	case []any:
		if v.Kind() != reflect.Slice {
			return errors.New("takes one value, not a list")
		}
		list := make([]string, 0, len(x))
		for _, e := range x {
			s, ok := e.(string)
			if !ok {
				return fmt.Errorf("%v is not a text; put it in quotes", e)
			}
			list = append(list, s)
		}
		v.Set(reflect.ValueOf(list))
		return nil
	default:
		return setText(v, fmt.Sprint(x))
	}
}

func fileLayer(path string) (layer, error) {
	if path == "" {
		return layer{}, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return layer{}, fmt.Errorf("config: %w", err)
	}
	if err := oneDocument(data); err != nil {
		return layer{}, fmt.Errorf("config: %s %w", path, err)
	}
	k := koanf.New(".")
	if err := k.Load(rawbytes.Provider(data), yaml.Parser()); err != nil {
		return layer{}, fmt.Errorf("config: %s is not YAML of names and values: %w", path, err)
	}
	lines := lineNumbers(data)
	return layer{
		values: k.All(),
		where:  func(key string) string { return fmt.Sprintf("file %s:%d", path, lineOf(lines, key)) },
		hint:   func(key string) string { return Nearest(key, keyNames()) },
	}, nil
}

// foreignEnv are names with our prefix, with their values, that mean something
// else: what Kubernetes sets in every pod beside a Service called "megawire",
// and what the commands and tests read by themselves.
var foreignEnv = regexp.MustCompile(`^MEGAWIRE_(SERVICE_(HOST|PORT(_\w+)?)=|PORT=(tcp|udp|sctp)://|PORT_\d+_\w+=|CONFIG=|CAPTURES=|TEST_\w+=)`)

func envLayer(environ []string) (layer, error) {
	k := koanf.New(".")
	err := k.Load(env.Provider(".", env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			if key := keysByEnv()[name]; key != nil {
				return key.Name, value
			}
			if foreignEnv.MatchString(name + "=" + value) {
				return "", nil
			}
			return name, value // no key has capitals: addTo refuses it by its own name
		},
	}), nil)
	if err != nil {
		return layer{}, fmt.Errorf("config: environment: %w", err)
	}
	return layer{
		values: k.All(),
		where: func(key string) string {
			key, _, _ = strings.Cut(key, "[") // a part of its value stands where it does
			if known := keysByName()[key]; known != nil {
				return "environment " + known.Env
			}
			return "environment"
		},
		hint: func(name string) string { return Nearest(name, envNames()) },
	}, nil
}

func flagLayer(flags *pflag.FlagSet) (layer, error) {
	if flags == nil {
		return layer{}, nil
	}
	k := koanf.New(".")
	err := k.Load(posflag.ProviderWithFlag(flags, ".", nil, func(f *pflag.Flag) (string, any) {
		if keysByName()[f.Name] == nil {
			return "", nil // a flag of the command's own, such as --config
		}
		return f.Name, f.Value.String()
	}), nil)
	if err != nil {
		return layer{}, fmt.Errorf("config: flags: %w", err)
	}
	return layer{
		values: k.All(),
		where: func(key string) string {
			key, _, _ = strings.Cut(key, "[")
			return "flag --" + key
		},
		hint: func(key string) string { return Nearest(key, keyNames()) },
	}, nil
}
