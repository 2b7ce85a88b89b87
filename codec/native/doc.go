// Package native reads and writes the JSON texts of Megawire's own protocol, megawire.v1: what clients ask and what they
// are told, one object a WebSocket frame. It is pure and knows neither frames nor sockets.
package native
