package loadgen

import (
	"slices"
	"strings"
)

// driverKind is one driver by its name.
type driverKind struct {
	name     string
	what     string   // for the help text
	schemes  []string // of a URL
	inflates bool     // it reads whole frames, which may be compressed; the others change what was read in place
	make     func(p *Plan, w webSocket, t topics) driver
}

// driverKinds are the servers that loadgen can drive. Those behind native number no messages, so the publisher does it in
// the payload, see marker.
var driverKinds = []driverKind{
	{"native", "megawire.v1 on /ws", []string{"ws"}, true, func(p *Plan, w webSocket, t topics) driver {
		return newNativeDriver(w, t, p.data)
	}},
	{"template", "text frames made by --subscribe-template and --publish-template", []string{"ws"}, true, newTemplateDriver},
	{"mqtt", "MQTT 3.1.1 with QoS 0, over WebSocket or mqtt://", []string{"ws", "mqtt"}, false, newMQTTDriver},
	{"nats", "the NATS protocol, over WebSocket or nats://", []string{"ws", "nats"}, false, newNATSDriver},
	{"centrifugo", "Centrifugo's client protocol in JSON", []string{"ws"}, false, newCentrifugoDriver},
	{"socketio", "Socket.IO 4 over WebSocket: events subscribe, publish, message", []string{"ws"}, true, newSocketIODriver},
}

// defaultPorts are those of the schemes that a URL may have.
var defaultPorts = map[string]string{"ws": "80", "mqtt": "1883", "nats": "4222"}

// DriversHelp names the drivers for a help text, a line each.
func DriversHelp() string {
	var b strings.Builder
	for _, k := range driverKinds {
		b.WriteString("  " + k.name + strings.Repeat(" ", max(1, 12-len(k.name))) + k.what + "\n")
	}
	return b.String()
}

func driverNamed(name string) *driverKind {
	if name == "" {
		name = "native"
	}
	for i := range driverKinds {
		if driverKinds[i].name == name {
			return &driverKinds[i]
		}
	}
	return nil
}

// native reports whether the server speaks our own protocol.
func (p *Plan) native() bool { return p.Driver == "" || p.Driver == "native" }

func (p *Plan) validateDriver() error {
	k := driverNamed(p.Driver)
	if k == nil {
		return planError("driver", "%q is not a driver; they are:\n%s", p.Driver, DriversHelp())
	}
	scheme, _, _ := strings.Cut(p.URL, "://")
	if err := p.validatePayload(); err != nil {
		return err
	}
	switch {
	case !slices.Contains(k.schemes, scheme):
		return planError("url", "driver %s takes %s://", k.name, strings.Join(k.schemes, ":// or "))
	case p.Deflate && !k.inflates:
		return planError("deflate", "driver %s reads no compressed frames", k.name)
	case p.native():
		return nil
	case p.Workload == Echo:
		return planError("driver", "echo needs none: it sends plain frames")
	case p.Workload.publishes() && p.Via == ViaHTTP:
		return planError("via", "driver %s publishes over a connection of its own", k.name)
	case p.Workload.subscribes() && p.Payload < markedBytesMin:
		return planError("payload", "driver %s needs %d bytes at least", k.name, markedBytesMin)
	case k.name == "template":
		return p.validateTemplates()
	}
	return nil
}
