// Command gorilla serves the comparison's topics with gorilla/websocket, as its chat example does: a goroutine a connection
// that reads, another that writes what comes through a channel; a PreparedMessage a message.
package main

import (
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/megawire/megawire/bench/peers/go/hub"
)

// sendMax is how many messages may wait for a client before it is given up, as in the chat example.
const sendMax = 256

type client struct {
	conn *websocket.Conn
	send chan *websocket.PreparedMessage
	done chan struct{}
	once sync.Once
}

func (c *client) close() { c.once.Do(func() { close(c.done) }) }

func (c *client) put(m *websocket.PreparedMessage) {
	select {
	case c.send <- m:
	default:
		c.close()
	}
}

func (c *client) write() {
	defer c.conn.Close()
	for {
		select {
		case m := <-c.send:
			if c.conn.WritePreparedMessage(m) != nil {
				return
			}
		case <-c.done:
			return
		}
	}
}

func reply(c *client, text []byte) {
	if m, err := websocket.NewPreparedMessage(websocket.TextMessage, text); err == nil {
		c.put(m)
	}
}

func broadcast(to map[*client]struct{}, message []byte) {
	m, err := websocket.NewPreparedMessage(websocket.TextMessage, message)
	if err != nil {
		return
	}
	for c := range to {
		c.put(m)
	}
}

func main() {
	address := hub.Address("github.com/gorilla/websocket")
	h := hub.New(reply, broadcast)
	upgrader := websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024, WriteBufferPool: &sync.Pool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c := &client{conn: conn, send: make(chan *websocket.PreparedMessage, sendMax), done: make(chan struct{})}
		go c.write()
		defer c.close()
		defer h.Leave(c)
		for {
			_, text, err := conn.ReadMessage()
			if err != nil {
				return
			}
			h.Message(c, text)
		}
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		for {
			kind, data, err := conn.ReadMessage()
			if err != nil || conn.WriteMessage(kind, data) != nil {
				return
			}
		}
	})
	l, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal((&http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}).Serve(l))
}
