// Package http1 parses the head of HTTP/1.1 and 1.0 requests and writes responses (RFC 9112), for what arrives on a listener
// whose connections mostly become something else. It takes no request bodies and keeps no connection alive. It is pure:
// bytes in, values out.
package http1
