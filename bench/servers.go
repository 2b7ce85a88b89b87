package bench

// plain are the URLs of those that speak megawire.v1, or as much of it as the load generator needs.
var plain = map[string]string{needTopics: "ws://127.0.0.1:{port}/ws", needEcho: "ws://127.0.0.1:{port}/echo"}

// megawire is the command that starts the server under test: as it is shipped, but for the ports, a place for the load
// client to publish from, and loops for the cores it is given. That client has one connection to publish over, and sends more
// messages than one client may by default where the most deliveries are searched for: up to 30,000 a second.
func megawire(loops string) []string {
	return []string{
		"{bin}/megawire", "serve", "--listen", "127.0.0.1:{port}", "--admin.listen", "127.0.0.1:{admin}",
		"--loops", loops, "--anonymous.publish", "#", "--limits.messages_per_second", "1000000", "--log.level", "warn",
	}
}

// Servers are those that are compared, in the order of the tables, and the variants behind them.
var Servers = append(peers, deflateVariants()...)

var peers = []Server{
	{
		Name: "megawire", Title: "Megawire", How: "its defaults",
		Command: megawire("1"), Version: []string{"{bin}/megawire", "version"}, URLs: plain, Always: true,
	},
	{
		Name: "megawire-2", Title: "Megawire, two loops", How: "on both cores, which the load client shares",
		Command: megawire("2"), Version: []string{"{bin}/megawire", "version"}, URLs: plain, Always: true, Loops: 2,
	},
	{
		Name: Floor, Title: "floor (C, epoll)", How: "a plain write() for every subscriber of every message",
		Command: []string{"{bin}/peers/floor", "{port}"}, URLs: plain, Always: true,
	},
	{
		Name: "bun", Title: "Bun (uWebSockets inside)", How: "`ws.subscribe`, `server.publish`",
		Command: []string{"{peers}/node/node_modules/@oven/bun-linux-*/bin/bun", "{peers}/node/bun.js", "{port}"},
		Version: []string{"{peers}/node/node_modules/@oven/bun-linux-*/bin/bun", "--version"}, URLs: plain, Always: true,
	},
	{
		Name: "gws", Title: "gws (Go)", How: "a `Broadcaster`, one goroutine a connection",
		Command: []string{"{bin}/peers/gws", "{port}"}, Version: []string{"{bin}/peers/gws", "version"}, URLs: plain,
	},
	{
		Name: "nbio", Title: "nbio (Go)", How: "its non-blocking engine, a message a `WriteMessage`",
		Command: []string{"{bin}/peers/nbio", "{port}"}, Version: []string{"{bin}/peers/nbio", "version"}, URLs: plain,
	},
	{
		Name: "gorilla", Title: "gorilla/websocket (Go)", How: "a `PreparedMessage` through a channel to two goroutines a connection",
		Command: []string{"{bin}/peers/gorilla", "{port}"}, Version: []string{"{bin}/peers/gorilla", "version"}, URLs: plain,
	},
	{
		Name: "ws", Title: "ws (Node)", How: "`send` to a set of clients, no compression",
		Command: []string{"node", "{peers}/node/ws.js", "{port}"}, Files: []string{"{peers}/node/node_modules/ws/package.json"},
		Version: []string{"node", "{peers}/node/version.js", "ws"}, URLs: plain,
	},
	{
		Name: "websockets", Title: "websockets (Python)", How: "`websockets.broadcast`",
		Command: []string{"/usr/bin/python3", "{peers}/python/server.py", "{port}"},
		Files:   []string{"/usr/lib/python3/dist-packages/websockets/__init__.py"},
		Version: []string{"/usr/bin/python3", "-c", "import websockets; print(websockets.__version__)"}, URLs: plain,
	},
	{
		Name: "socketio", Title: "Socket.IO (Node)", How: "`io.to(room).emit`, WebSocket transport",
		Command: []string{"node", "{peers}/node/socketio.js", "{port}"}, Files: []string{"{peers}/node/node_modules/socket.io/package.json"},
		Version: []string{"node", "{peers}/node/version.js", "socket.io"},
		URLs:    map[string]string{needTopics: "ws://127.0.0.1:{port}"}, Driver: []string{"--driver", "socketio"},
	},
	{
		Name: "mosquitto", Title: "mosquitto", How: "MQTT over WebSocket, QoS 0",
		Command: []string{"/usr/sbin/mosquitto", "-c", "{dir}/config.conf"}, Config: "mosquitto/mosquitto.conf",
		Version: []string{"/usr/sbin/mosquitto", "-h"},
		URLs:    map[string]string{needTopics: "ws://127.0.0.1:{port}/mqtt"}, Driver: []string{"--driver", "mqtt"},
	},
	{
		Name: "nats", Title: "nats-server", How: "NATS over WebSocket",
		Command: []string{"nats-server", "-c", "{dir}/config.conf"}, Config: "nats/nats.conf", Version: []string{"nats-server", "--version"},
		URLs: map[string]string{needTopics: "ws://127.0.0.1:{port}"}, Driver: []string{"--driver", "nats"},
	},
	{
		Name: "centrifugo", Title: "Centrifugo (Go)", How: "its JSON protocol, memory engine",
		Command: []string{"centrifugo", "-c", "{dir}/config.json"}, Config: "centrifugo/centrifugo.json", Version: []string{"centrifugo", "version"},
		URLs: map[string]string{needTopics: "ws://127.0.0.1:{port}/connection/websocket"}, Driver: []string{"--driver", "centrifugo"},
	},
}
