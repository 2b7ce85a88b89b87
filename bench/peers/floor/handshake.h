// The WebSocket handshake (RFC 6455 §4.2.2), with the SHA-1 (RFC 3174) and base64 that it takes.

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1_block(uint32_t h[5], const uint8_t *p) {
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
	for (int i = 0; i < 16; i++) w[i] = p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (int i = 0; i < 80; i++) {
		uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 ? b ^ c ^ d : i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
		uint32_t k = i < 20 ? 0x5A827999 : i < 40 ? 0x6ED9EBA1 : i < 60 ? 0x8F1BBCDC : 0xCA62C1D6;
		uint32_t t = rotate(a, 5) + f + e + k + w[i];
		e = d, d = c, c = rotate(b, 30), b = a, a = t;
	}
	h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

// sha1 takes less than 120 bytes.
static void sha1(uint8_t out[20], const char *text, uint32_t n) {
	uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
	uint8_t block[128] = {0};
	uint32_t whole = n < 56 ? 64 : 128;
	memcpy(block, text, n);
	block[n] = 0x80;
	block[whole - 2] = n * 8 >> 8, block[whole - 1] = n * 8;
	for (uint32_t i = 0; i < whole; i += 64) sha1_block(h, block + i);
	for (int i = 0; i < 20; i++) out[i] = h[i / 4] >> (24 - i % 4 * 8);
}

static void base64(char *out, const uint8_t *p, int n) {
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (int i = 0; i < n; i += 3) {
		uint32_t v = p[i] << 16 | (i + 1 < n ? p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
		*out++ = digits[v >> 18], *out++ = digits[v >> 12 & 63];
		*out++ = i + 1 < n ? digits[v >> 6 & 63] : '=', *out++ = i + 2 < n ? digits[v & 63] : '=';
	}
	*out = 0;
}

// ws_handshake writes the answer to a request's head and gives its length; 0: it is not an upgrade.
static uint32_t ws_handshake(char *out, char *head) {
	static const char name[] = "\r\nSec-WebSocket-Key: ";
	char *key = strcasestr(head, name), text[61], accept[32];
	if (!key || strlen(key += sizeof name - 1) < 24) return 0;
	uint8_t sum[20];
	snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	sha1(sum, text, 60);
	base64(accept, sum, 20);
	return sprintf(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
}
