package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// scenarioStepsMax bounds a scenario.
const scenarioStepsMax = 1000

// scenarioBytesMax bounds its file.
const scenarioBytesMax = 1 << 20

// scenarioError is a fault in a scenario, with the line it is in.
type scenarioError struct {
	file    string
	line    int
	message string
}

func (e *scenarioError) Error() string { return fmt.Sprintf("%s:%d: %s", e.file, e.line, e.message) }

// scenario reads one file.
type scenario struct {
	file     string
	override map[string]string // by flag, what the command line says; it goes before all else
	defaults []setting
	known    map[string]bool // defaults that some step knew
}

// setting is a key with its value, as a flag takes it.
type setting struct {
	key, value string
	line       int
}

// readScenario gives the steps of a file:
//
//	defaults: {url: ws://127.0.0.1:8080/ws}
//	steps:
//	  - workload: ticker
//	    name: a name for the report
//	    delivery-rate: 50000
//
// Each step has the same keys as its workload has flags. defaults hold for the steps that have such a key.
func readScenario(file string, override map[string]string) ([]*step, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, scenarioBytesMax+1))
	if err != nil {
		return nil, err
	}
	if len(text) > scenarioBytesMax {
		return nil, fmt.Errorf("%s is longer than %d bytes", file, scenarioBytesMax)
	}
	s := &scenario{file: file, override: override, known: map[string]bool{}}
	return s.read(text)
}

func (s *scenario) read(text []byte) ([]*step, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, fmt.Errorf("%s: %w", s.file, err)
	}
	if len(root.Content) == 0 {
		return nil, s.fault(&yaml.Node{Line: 1}, "no steps")
	}
	var list *yaml.Node
	err := s.each(root.Content[0], func(key, value *yaml.Node) (err error) {
		switch key.Value {
		case "defaults":
			s.defaults, err = s.settings(value)
		case "steps":
			list = value
		default:
			err = s.fault(key, "unknown key %q; a scenario has defaults and steps", key.Value)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if list == nil || list.Kind != yaml.SequenceNode || len(list.Content) == 0 || len(list.Content) > scenarioStepsMax {
		return nil, s.fault(root.Content[0], "steps must be a list of 1 to %d", scenarioStepsMax)
	}
	var steps []*step
	for i, node := range list.Content {
		one, err := s.step(i+1, node)
		if err != nil {
			return nil, err
		}
		steps = append(steps, one)
	}
	for _, d := range s.defaults {
		if !s.known[d.key] {
			return nil, s.fault(&yaml.Node{Line: d.line}, "unknown key %q: no step has it", d.key)
		}
	}
	return steps, nil
}

// step makes one step; n counts from 1.
func (s *scenario) step(n int, node *yaml.Node) (*step, error) {
	own, err := s.settings(node)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(own, func(o setting) bool { return o.key == "workload" })
	if at < 0 {
		return nil, s.fault(node, "step %d has no workload", n)
	}
	w := slices.IndexFunc(workloads, func(w workload) bool { return string(w.kind) == own[at].value })
	if w < 0 {
		return nil, s.fault(&yaml.Node{Line: own[at].line}, "%q is not a workload", own[at].value)
	}
	one, flags := newStep(workloads[w])
	one.name = fmt.Sprintf("step %d", n)
	for _, d := range s.defaults {
		if flags.Lookup(d.key) == nil {
			continue
		}
		s.known[d.key] = true
		if err := s.set(flags, d); err != nil {
			return nil, err
		}
	}
	for _, o := range own {
		switch {
		case o.key == "workload":
		case o.key == "name":
			one.name = o.value
		case flags.Lookup(o.key) == nil:
			return nil, s.fault(&yaml.Node{Line: o.line}, "unknown key %q in step %d; loadgen %s --help names them", o.key, n, workloads[w].kind)
		default:
			if err := s.set(flags, o); err != nil {
				return nil, err
			}
		}
	}
	for key, value := range s.override {
		if flags.Lookup(key) != nil {
			if err := flags.Set(key, value); err != nil {
				return nil, err
			}
		}
	}
	one.settle(flags.Changed)
	if err := one.check(); err != nil {
		return nil, s.fault(node, "step %d: %s", n, strings.TrimPrefix(err.Error(), "--"))
	}
	return one, nil
}

func (s *scenario) set(flags *pflag.FlagSet, o setting) error {
	if err := flags.Set(o.key, o.value); err != nil {
		return s.fault(&yaml.Node{Line: o.line}, "%s: %q: %v", o.key, o.value, errors.Unwrap(err))
	}
	return nil
}

// settings reads a mapping of keys to plain values.
func (s *scenario) settings(node *yaml.Node) ([]setting, error) {
	var all []setting
	err := s.each(node, func(key, value *yaml.Node) error {
		if value.Kind != yaml.ScalarNode {
			return s.fault(value, "%s must be a plain value", key.Value)
		}
		all = append(all, setting{key.Value, value.Value, key.Line})
		return nil
	})
	return all, err
}

// each goes through a mapping. A key that is there twice is a fault.
func (s *scenario) each(node *yaml.Node, do func(key, value *yaml.Node) error) error {
	if node.Kind != yaml.MappingNode {
		return s.fault(node, "this must be a mapping of keys to values")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if seen[key.Value] {
			return s.fault(key, "%q is there twice", key.Value)
		}
		seen[key.Value] = true
		if err := do(key, node.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (s *scenario) fault(at *yaml.Node, format string, args ...any) error {
	return &scenarioError{s.file, at.Line, fmt.Sprintf(format, args...)}
}
