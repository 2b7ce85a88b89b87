// Package arch holds the architecture to its word: who may import whom, which
// library enters through which folder, and that every package says what it is.
package arch

// module is the import path of the project's root.
const module = "github.com/megawire/megawire"

// imports says for each package which packages of the project it may import. A
// package that is not here fails the test: a new one is placed in the house
// first. Tests may import more; they are held to the libraries alone.
//
// codec, pubsub and poller are three leaves that do not know each other;
// protocol joins codec and pubsub, server joins all, client and loadgen know
// nothing of the server.
var imports = map[string][]string{
	"codec/codes":  {},
	"codec/http1":  {"codec/codes"},
	"codec/native": {"codec/codes"},
	"codec/ws":     {"codec/codes", "codec/http1"},
	"poller":       {"internal/slab"},
	"pubsub":       {"internal/slab"},

	"pubsub/brokertest": {"pubsub"}, // what every broker is held to

	"protocol":        {"pubsub", "codec/codes", "codec/http1", "codec/native", "codec/ws"},
	"protocol/echo":   {"protocol", "pubsub", "codec/http1", "codec/ws"},
	"protocol/native": {"protocol", "pubsub", "codec/codes", "codec/http1", "codec/native", "codec/ws"},
	"protocol/raw":    {"protocol", "pubsub", "codec/codes", "codec/http1", "codec/native", "codec/ws"},

	"server": {
		"poller", "codec/codes", "codec/http1", "codec/native", "codec/ws", "pubsub",
		"protocol", "protocol/echo", "protocol/native", "protocol/raw",
		"server/admin", "server/config", "server/demo",
		"internal/slab", "internal/buildinfo",
	},
	"server/admin":  {"codec/codes", "codec/native"},
	"server/config": {"pubsub"},
	"server/demo":   {},

	"client":  {"codec/codes", "codec/native"},
	"loadgen": {"codec/http1", "codec/native", "codec/ws", "poller"},

	"bench":           {}, // starts programs, imports none of what they are made of
	"bench/cmd/bench": {"bench"},

	"bench/million":             {}, // likewise
	"bench/million/cmd/guest":   {"bench/million"},
	"bench/million/cmd/million": {"bench/million"},

	"cmd/megawire": {"server", "server/config", "client", "codec/codes", "internal/buildinfo"},
	"cmd/loadgen":  {"loadgen", "internal/buildinfo"},

	"docs/examples/go/subscribe": {"client"},

	"internal/arch":      {},
	"internal/buildinfo": {},
	"internal/dialogues": {},
	"internal/e2e":       {},
	"internal/interop":   {},
	"internal/model":     {},
	"internal/plainjson": {},
	"internal/slab":      {},
}

// library is a third-party module, or a part of the standard library that is
// kept to one place, and the packages it may enter through.
type library struct {
	path    string   // import path; what lies below it is meant too
	in      []string // packages of the project
	inTests bool     // tests of any package may use it as well
}

// libraries lists every third-party module that is used at all.
var libraries = []library{
	{path: "github.com/panjf2000/gnet", in: []string{"poller"}},
	{path: "github.com/gobwas/ws", in: []string{"codec/ws"}},
	{path: "compress/flate", in: []string{"codec/ws", "internal/dialogues"}, inTests: true},
	{path: "github.com/klauspost/compress", in: []string{"codec/ws"}},
	{path: "github.com/coder/websocket", in: []string{"client"}, inTests: true},
	{path: "github.com/valyala/bytebufferpool", in: []string{"codec/http1", "codec/native", "codec/ws", "poller", "pubsub", "protocol", "server"}},
	{path: "github.com/prometheus/client_golang", in: []string{"server", "server/admin"}, inTests: true},
	{path: "github.com/knadh/koanf", in: []string{"server/config"}},
	{path: "go.yaml.in/yaml", in: []string{"server/config", "cmd/loadgen"}},
	{path: "github.com/spf13/pflag", in: []string{"server/config", "cmd/megawire", "cmd/loadgen"}, inTests: true},
	{path: "github.com/spf13/cobra", in: []string{"cmd/megawire", "cmd/loadgen"}},
	{path: "github.com/HdrHistogram/hdrhistogram-go", in: []string{"loadgen"}, inTests: true},
	{path: "github.com/mochi-mqtt/server/v2/packets", in: []string{"loadgen"}, inTests: true},
	{path: "golang.org/x/sync", in: []string{"server", "server/admin", "client", "loadgen"}, inTests: true},
	{path: "golang.org/x/sys", in: []string{"poller", "server", "loadgen"}, inTests: true},
	{path: "golang.org/x/term", in: []string{"cmd/megawire", "cmd/loadgen"}},
	{path: "go.uber.org/goleak", inTests: true},
	{path: "github.com/rogpeppe/go-internal", inTests: true},
}

// purity lists what a pure core must do without: it takes bytes and events and
// returns values. Tests are free, and so is sync.Pool, which is memory and no lock.
var purity = map[string][]string{
	"codec":  {"net", "net/http", "os", "os/exec", "syscall", "time", "sync", "context", "log", "log/slog", "golang.org/x/sys"},
	"pubsub": {"net", "net/http", "os", "os/exec", "syscall", "golang.org/x/sys"},
}

// withoutGoroutines are the folders whose packages start none.
var withoutGoroutines = []string{"codec", "pubsub"}

// docFiles are the packages whose threading and flow stand in a doc.go.
var docFiles = []string{"codec/ws", "poller", "protocol", "pubsub", "server"}
