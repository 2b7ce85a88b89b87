// Command nbio serves the comparison's topics with lesismal/nbio: its own non-blocking engine, all connections on pollers.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"

	"github.com/megawire/megawire/bench/peers/go/hub"
)

func broadcast(to map[*websocket.Conn]struct{}, message []byte) {
	for c := range to {
		_ = c.WriteMessage(websocket.TextMessage, message)
	}
}

func main() {
	address := hub.Address("github.com/lesismal/nbio")
	logging.SetLevel(logging.LevelError)
	h := hub.New(func(c *websocket.Conn, text []byte) { _ = c.WriteMessage(websocket.TextMessage, text) }, broadcast)

	native := websocket.NewUpgrader()
	native.KeepaliveTime = time.Hour // its own bound of two minutes without a message would end idle connections
	native.OnMessage(func(c *websocket.Conn, _ websocket.MessageType, text []byte) { h.Message(c, text) })
	native.OnClose(func(c *websocket.Conn, _ error) { h.Leave(c) })
	echo := websocket.NewUpgrader()
	echo.OnMessage(func(c *websocket.Conn, kind websocket.MessageType, data []byte) { _ = c.WriteMessage(kind, data) })

	mux := http.NewServeMux()
	for path, upgrader := range map[string]*websocket.Upgrader{"/ws": native, "/echo": echo} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { _, _ = upgrader.Upgrade(w, r, nil) })
	}
	engine := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp", Addrs: []string{address}, Handler: mux, IOMod: nbhttp.IOModNonBlocking, NPoller: 1,
		MaxLoad: 1 << 20, ReleaseWebsocketPayload: true,
	})
	if err := engine.Start(); err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
}
