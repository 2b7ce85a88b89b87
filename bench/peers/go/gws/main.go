// Command gws serves the comparison's topics with lxzan/gws: a goroutine a connection that reads, a Broadcaster a message.
package main

import (
	"log"
	"net"
	"net/http"
	"time"

	"github.com/lxzan/gws"

	"github.com/megawire/megawire/bench/peers/go/hub"
)

type handler struct {
	gws.BuiltinEventHandler
	hub *hub.Hub[*gws.Conn]
}

const echo = "echo" // a key of the session

func (h *handler) OnClose(c *gws.Conn, _ error) { h.hub.Leave(c) }

func (h *handler) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

func (h *handler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if _, found := c.Session().Load(echo); found {
		_ = c.WriteMessage(m.Opcode, m.Bytes())
		return
	}
	h.hub.Message(c, m.Bytes())
}

func broadcast(to map[*gws.Conn]struct{}, message []byte) {
	b := gws.NewBroadcaster(gws.OpcodeText, message)
	defer b.Close()
	for c := range to {
		_ = b.Broadcast(c)
	}
}

func main() {
	address := hub.Address("github.com/lxzan/gws")
	h := &handler{hub: hub.New(func(c *gws.Conn, text []byte) { c.WriteAsync(gws.OpcodeText, text, nil) }, broadcast)}
	upgrader := gws.NewUpgrader(h, &gws.ServerOption{HandshakeTimeout: 10 * time.Second})
	serve := func(isEcho bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			c, err := upgrader.Upgrade(w, r)
			if err != nil {
				return
			}
			if isEcho {
				c.Session().Store(echo, true)
			}
			go c.ReadLoop() // so that what net/http holds for the request can be collected
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", serve(false))
	mux.HandleFunc("/echo", serve(true))
	l, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal((&http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}).Serve(l))
}
