package http1

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// Error is a refused request: the response that it gets.
type Error struct {
	Status  int
	Code    string   // for programs; one of package codes
	Message string   // for people
	Header  []string // complete lines without their CRLF, "Name: value"
}

// Error gives the text for a log.
func (e *Error) Error() string {
	return "http1: " + strconv.Itoa(e.Status) + " " + e.Code + ": " + e.Message
}

// AppendError appends the whole response to a refused request: JSON that names the fault. The connection is to be closed
// after it.
func AppendError(dst []byte, e *Error) []byte {
	var room [256]byte
	body := append(room[:0], `{"error":{"code":`...)
	body = appendJSONString(body, e.Code)
	body = append(body, `,"message":`...)
	body = append(appendJSONString(body, e.Message), "}}\n"...)
	return appendResponse(dst, e.Status, e.Header, "application/json", body)
}

// AppendResponse appends a whole response. The connection is to be closed after it.
func AppendResponse(dst []byte, status int, contentType string, body []byte) []byte {
	return appendResponse(dst, status, nil, contentType, body)
}

// HeadOnly gives what of a whole response answers HEAD: the same headers, no body (RFC 9110 §9.3.2).
func HeadOnly(response []byte) []byte {
	return response[:bytes.Index(response, emptyLine)+len(emptyLine)]
}

func appendResponse(dst []byte, status int, header []string, contentType string, body []byte) []byte {
	dst = strconv.AppendInt(append(dst, "HTTP/1.1 "...), int64(status), 10)
	dst = append(append(dst, ' '), reason(status)...)
	for _, line := range header {
		dst = append(append(dst, "\r\n"...), line...)
	}
	dst = append(append(dst, "\r\nContent-Type: "...), contentType...)
	dst = strconv.AppendInt(append(dst, "\r\nContent-Length: "...), int64(len(body)), 10)
	dst = append(dst, "\r\nConnection: close\r\n\r\n"...)
	return append(dst, body...)
}

// appendJSONString appends s as a JSON string (RFC 8259 §7).
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xF])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// reason gives the phrase of a status (RFC 9110 §15, RFC 6585). Nobody reads it but people: others do without.
func reason(status int) string {
	switch status {
	case 200:
		return "OK"
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 408:
		return "Request Timeout"
	case 414:
		return "URI Too Long"
	case 426:
		return "Upgrade Required"
	case 429:
		return "Too Many Requests"
	case 431:
		return "Request Header Fields Too Large"
	case 500:
		return "Internal Server Error"
	case 503:
		return "Service Unavailable"
	case 505:
		return "HTTP Version Not Supported"
	default:
		return ""
	}
}
