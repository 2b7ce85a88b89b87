package buildinfo

import (
	"runtime/debug"
	"testing"
)

func TestFill(t *testing.T) {
	stamp := &debug.BuildInfo{
		Main:     debug.Module{Version: "v0.2.0"},
		Settings: []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "abc"}},
	}
	for _, row := range []struct {
		says        string
		given, want Info
		stamp       *debug.BuildInfo
	}{
		{"the Go tool's stamp fills what the Makefile left", Info{}, Info{Version: "v0.2.0", Commit: "abc-dirty"}, stamp},
		{"the Makefile goes before it", Info{Version: "0.3.0", Commit: "def"}, Info{Version: "0.3.0", Commit: "def"}, stamp},
		{"no stamp leaves it empty", Info{}, Info{}, &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}},
	} {
		got := row.given
		got.fill(row.stamp)
		if got != row.want {
			t.Errorf("%s: %+v, want %+v", row.says, got, row.want)
		}
	}
}

func TestGetIsNeverEmpty(t *testing.T) {
	if i := Get(); i.Version == "" || i.Commit == "" || i.GoVersion == "" {
		t.Errorf("%+v", i)
	}
}
