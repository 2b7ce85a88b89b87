// floor is the least that a push server can do, to measure others by: one epoll loop, and for each message one plain
// write() a subscriber. It batches nothing, bounds little and trusts its clients; it is not a server to run.
//
// It speaks as much of megawire.v1 on /ws as the load generator needs (subscribe and its answer, publish, ping), with the
// same envelope, so that both servers are measured by one client that does the same work; and /echo.
//
//	cc -O2 -o floor floor.c && ./floor 8080

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "handshake.h"

enum {
	EVENTS_MAX = 1024,
	MESSAGE_BYTES_MAX = 60000, // a frame with its envelope has a length of 16 bits at most
	IN_BYTES_MAX = 1 << 17,
	OUT_BYTES_MAX = 4 << 20, // what may wait for a client that does not read; then it is hung up on
	BUCKETS = 1 << 16,
};

typedef struct {
	uint32_t topic, place; // in topics[topic].subscribers
} subscription;

typedef struct {
	enum { CLOSED, OPENING, NATIVE, ECHO } state;
	uint32_t n, in_bytes, out_bytes;
	subscription *subscriptions;
	uint8_t *in, *out; // an incomplete request, and what the kernel has not taken
} conn;

typedef struct {
	uint32_t fd, slot; // in conns[fd].subscriptions
} subscriber;

typedef struct {
	char *name;
	uint32_t length, next, n, room;
	uint64_t seq;
	subscriber *subscribers;
} topic;

static int epoll;
static conn *conns; // by descriptor
static topic *topics;
static uint32_t topics_n = 1, buckets[BUCKETS]; // topic 0 is none
static uint8_t in[IN_BYTES_MAX], reply[MESSAGE_BYTES_MAX + 1024];

static void die(const char *what) {
	perror(what);
	exit(1);
}

static void *grow(void *p, size_t bytes) {
	p = realloc(p, bytes);
	if (!p && bytes) die("realloc");
	return p;
}

// find gives the topic of a name, which it makes when it is new.
static uint32_t find(const char *name, uint32_t length) {
	uint32_t hash = 2166136261u; // FNV-1a
	for (uint32_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)name[i]) * 16777619u;
	uint32_t *bucket = &buckets[hash % BUCKETS];
	for (uint32_t t = *bucket; t; t = topics[t].next)
		if (topics[t].length == length && !memcmp(topics[t].name, name, length)) return t;
	if (!(topics_n & (topics_n - 1))) topics = grow(topics, 2 * topics_n * sizeof *topics);
	topics[topics_n] = (topic){.name = strndup(name, length), .length = length, .next = *bucket};
	return *bucket = topics_n++;
}

static void join(int fd, uint32_t t) {
	conn *c = &conns[fd];
	for (uint32_t i = 0; i < c->n; i++)
		if (c->subscriptions[i].topic == t) return;
	topic *p = &topics[t];
	if (p->n == p->room) {
		p->room = p->room ? 2 * p->room : 4;
		p->subscribers = grow(p->subscribers, p->room * sizeof *p->subscribers);
	}
	c->subscriptions = grow(c->subscriptions, (c->n + 1) * sizeof *c->subscriptions);
	p->subscribers[p->n] = (subscriber){fd, c->n};
	c->subscriptions[c->n++] = (subscription){t, p->n++};
}

static void hang_up(int fd) {
	conn *c = &conns[fd];
	for (uint32_t i = 0; i < c->n; i++) {
		subscription s = c->subscriptions[i];
		topic *p = &topics[s.topic];
		subscriber last = p->subscribers[--p->n];
		p->subscribers[s.place] = last; // then its own entry says where it is now; harmless where it was the last itself
		conns[last.fd].subscriptions[last.slot].place = s.place;
	}
	free(c->subscriptions), free(c->in), free(c->out);
	*c = (conn){0};
	close(fd);
}

// put is the one write. What the kernel does not take waits; an error is left for epoll to tell.
static void put(int fd, const uint8_t *p, uint32_t n) {
	conn *c = &conns[fd];
	if (!c->out_bytes) {
		ssize_t done = write(fd, p, n);
		if (done == (ssize_t)n) return;
		if (done < 0 && errno != EAGAIN) return;
		if (done > 0) p += done, n -= done;
		epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &(struct epoll_event){.events = EPOLLIN | EPOLLOUT, .data.fd = fd});
	}
	if (c->out_bytes + n > OUT_BYTES_MAX) {
		shutdown(fd, SHUT_RDWR);
		return;
	}
	c->out = grow(c->out, c->out_bytes + n);
	memcpy(c->out + c->out_bytes, p, n);
	c->out_bytes += n;
}

static void put_rest(int fd) {
	conn *c = &conns[fd];
	ssize_t done = write(fd, c->out, c->out_bytes);
	if (done <= 0) return;
	memmove(c->out, c->out + done, c->out_bytes -= done);
	if (c->out_bytes) return;
	free(c->out), c->out = 0;
	epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
}

// frame writes a header that ends where the payload at reply + 4 begins, and gives where it begins.
static uint8_t *frame(uint8_t op, uint32_t n, uint32_t *whole) {
	if (n < 126) {
		reply[2] = 0x80 | op, reply[3] = n, *whole = n + 2;
		return reply + 2;
	}
	reply[0] = 0x80 | op, reply[1] = 126, reply[2] = n >> 8, reply[3] = n, *whole = n + 4;
	return reply;
}

static void answer(int fd, uint8_t op, uint32_t n) {
	uint32_t whole;
	uint8_t *p = frame(op, n, &whole);
	put(fd, p, whole);
}

// value gives where the value of a key begins and its length, up to one of the characters of stop.
static char *value(char *text, const char *key, const char *stop, uint32_t *n) {
	char *p = strstr(text, key);
	if (!p) return *n = 0, NULL;
	p += strlen(key);
	*n = strcspn(p, stop);
	return p;
}

// publish is what all this is for.
static void publish(char *text, uint32_t n) {
	uint32_t name_n;
	char *name = value(text, "\"topic\":\"", "\"", &name_n), *data = strstr(text, "\"data\":");
	if (!name || !data) return;
	data += 7;
	topic *t = &topics[find(name, name_n)];
	struct timeval now;
	gettimeofday(&now, NULL);
	char *out = (char *)reply + 4, *p = out;
	p += sprintf(p, "{\"topic\":\"%.*s\",\"seq\":%llu,\"ts\":%lld,\"data\":", (int)name_n, name, (unsigned long long)++t->seq,
		(long long)now.tv_sec * 1000 + now.tv_usec / 1000);
	p = mempcpy(p, data, text + n - data); // with the request's own closing brace
	uint32_t whole;
	uint8_t *first = frame(1, p - out, &whole);
	for (uint32_t i = 0; i < t->n; i++) put(t->subscribers[i].fd, first, whole);
}

static void subscribe(int fd, char *text) {
	uint32_t id_n, name_n;
	char *id = value(text, "\"id\":", ",}", &id_n), *p = strstr(text, "\"topics\":[");
	char *out = (char *)reply + 4, *q = out;
	q += sprintf(q, "{\"op\":\"ok\",\"id\":%.*s,\"client\":\"%d\",\"topics\":[", id ? (int)id_n : 4, id ? id : "null", fd);
	const char *comma = "";
	for (p = p ? p + 10 : text + strlen(text); *p == '"'; p += *p == ',') {
		name_n = strcspn(++p, "\"");
		uint32_t t = find(p, name_n);
		join(fd, t);
		if (q - out + name_n + 80 > MESSAGE_BYTES_MAX) break;
		q += sprintf(q, "%s{\"topic\":\"%.*s\",\"epoch\":\"0\",\"seq\":%llu}", comma, (int)name_n, p, (unsigned long long)topics[t].seq);
		p += name_n + 1, comma = ",";
	}
	q += sprintf(q, "]}");
	answer(fd, 1, q - out);
}

static void request(int fd, char *text, uint32_t n) {
	if (!strncmp(text, "{\"op\":\"publish\"", 15)) {
		publish(text, n);
	} else if (!strncmp(text, "{\"op\":\"subscribe\"", 17)) {
		subscribe(fd, text);
	} else if (!strncmp(text, "{\"op\":\"ping\"", 12)) {
		uint32_t id_n;
		char *id = value(text, "\"id\":", ",}", &id_n);
		answer(fd, 1, sprintf((char *)reply + 4, "{\"op\":\"pong\",\"id\":%.*s}", id ? (int)id_n : 4, id ? id : "null"));
	}
}

// take deals with one frame at p and gives its length, 0 when it is not whole, -1 when the connection is over.
static int take(int fd, uint8_t *p, uint32_t n) {
	if (n < 6) return 0;
	uint32_t head = 2, length = p[1] & 127;
	if (length == 126) head = 4, length = p[2] << 8 | p[3];
	if (length == 127 || length > MESSAGE_BYTES_MAX || !(p[1] & 128)) return -1;
	if (n < head + 4 + length) return 0;
	uint8_t *mask = p + head, *text = mask + 4, op = p[0] & 15;
	for (uint32_t i = 0; i < length; i++) text[i] ^= mask[i & 3];
	if (op == 8 || op == 9 || conns[fd].state == ECHO) {
		memcpy(reply + 4, text, length);
		answer(fd, op == 9 ? 10 : op, length);
		return op == 8 ? -1 : (int)(head + 4 + length);
	}
	if (op == 1) {
		uint8_t next = text[length]; // of the frame behind it, which may be there already
		text[length] = 0;
		request(fd, (char *)text, length);
		text[length] = next;
	}
	return head + 4 + length;
}

static int open_ws(int fd, char *text, uint32_t n) {
	char *end = memmem(text, n, "\r\n\r\n", 4);
	if (!end) return 0;
	*end = 0;
	uint32_t whole = ws_handshake((char *)reply, text);
	if (!whole) return -1;
	conns[fd].state = strncmp(text, "GET /echo", 9) ? NATIVE : ECHO;
	put(fd, reply, whole);
	return end + 4 - text;
}

static void readable(int fd) {
	conn *c = &conns[fd];
	uint32_t n = c->in_bytes, at = 0;
	if (n) memcpy(in, c->in, n);
	ssize_t got = read(fd, in + n, sizeof in - n - 1);
	if (got < 0 && errno == EAGAIN) return;
	if (got <= 0) return hang_up(fd);
	n += got;
	for (int took = 1; took; at += took) {
		took = c->state == OPENING ? open_ws(fd, (char *)in + at, n - at) : take(fd, in + at, n - at);
		if (took < 0) return hang_up(fd);
	}
	free(c->in), c->in = 0;
	if ((c->in_bytes = n - at)) c->in = memcpy(grow(NULL, n - at), in + at, n - at);
}

static void accept_all(int listener) {
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) return;
		conns[fd] = (conn){.state = OPENING};
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
	}
}

static int listen_on(int port) {
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); // accepted sockets inherit it
	if (bind(fd, (void *)&a, sizeof a)) die("bind");
	if (listen(fd, 65535)) die("listen");
	return fd;
}

int main(int argc, char **argv) {
	if (argc != 2) return fprintf(stderr, "usage: floor PORT\n"), 2;
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	conns = calloc(files.rlim_max, sizeof *conns);
	topics = calloc(2, sizeof *topics);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	int listener = listen_on(atoi(argv[1]));
	if (!conns || !topics || epoll < 0) die("floor");
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.fd = listener});
	static struct epoll_event events[EVENTS_MAX];
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS_MAX, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				accept_all(fd);
				continue;
			}
			if (events[i].events & EPOLLOUT) put_rest(fd);
			if (events[i].events & ~EPOLLOUT) readable(fd);
		}
	}
}
