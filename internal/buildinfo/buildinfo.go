// Package buildinfo says which build of Megawire is running.
package buildinfo

import (
	"runtime"
	"runtime/debug"
)

// Set by the Makefile's -ldflags -X. A build without them (go install, go run)
// takes what the Go tool stamped into it.
var (
	version string
	commit  string
)

// Info names a build.
type Info struct {
	Version   string `json:"version"`    // a release such as 0.1.0, or "devel"
	Commit    string `json:"commit"`     // "unknown" where the build was not told; ends in "-dirty" where files had changed
	GoVersion string `json:"go_version"` // of the compiler: go1.26.0
}

// Get returns the running build's names.
func Get() Info {
	info := Info{Version: version, Commit: commit, GoVersion: runtime.Version()}
	if stamped, ok := debug.ReadBuildInfo(); ok {
		info.fill(stamped)
	}
	if info.Version == "" {
		info.Version = "devel"
	}
	if info.Commit == "" {
		info.Commit = "unknown"
	}
	return info
}

func (i *Info) fill(stamped *debug.BuildInfo) {
	if i.Version == "" && stamped.Main.Version != "(devel)" {
		i.Version = stamped.Main.Version
	}
	if i.Commit != "" {
		return
	}
	dirty := ""
	for _, s := range stamped.Settings {
		switch {
		case s.Key == "vcs.revision":
			i.Commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if i.Commit != "" {
		i.Commit += dirty
	}
}
