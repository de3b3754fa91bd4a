/*
 * publish.c - a cheap load generator for `make bench` and the soak tests: N RTMP publishers
 * in real time from one process, each looping over the same FLV file, or (-S) nothing but
 * connect .. publish accepted, again and again, timed. Speaks plain RTMP, so that every
 * server can be its target. Its own CPU is near nothing: one tick for all, big writes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define HANDSHAKE 1536
#define CHUNK 4096		/* what OBS announces */
#define TICK_MS 20
#define REPLY_MAX 16384
#define TAGS_PER_WRITE 16

enum state { CLOSED, SHAKING, CONNECTING, CREATING, PUBLISHING, LIVE, OVER };

struct tag { uint8_t type; uint32_t ts, len, wire_len; uint8_t *wire; bool key; };	/* wire: body in chunks */

struct conn {
	int fd;
	enum state state;
	double begun;
	uint8_t in[REPLY_MAX];
	size_t have;
	int64_t start_ms;	/* media time 0 */
	size_t at;		/* next tag */
	uint32_t loop_ms;	/* added to its time */
	uint8_t *pending;	/* what the socket did not take */
	size_t pending_len, pending_off;
	double blocked_since, blocked;
	unsigned index;
};

static struct {
	const char *app, *name, *name_end;	/* a stream is name, its number, name_end */
	char tc_url[256];
	struct sockaddr_in addr;
	unsigned n, parallel, seconds;
	bool setup;
	struct tag *tags;
	size_t ntags;
	uint32_t duration_ms;
	int ep;
	double *times;
	unsigned done, failed, live, cut;
	uint64_t bytes;
	bool said_key;
} g = { .n = 1, .parallel = 1, .seconds = 10 };

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void
die(const char *what)
{
	fprintf(stderr, "publish: %s\n", what);
	exit(2);
}

/* --- the file --- */

/* The body as it goes over the wire: type 3 heads between its chunks. */
static void
chunk_body(struct tag *t, const uint8_t *body)
{
	uint32_t n;

	t->wire = malloc(t->len + t->len / CHUNK + 1);
	for (uint32_t at = 0; at < t->len; at += n) {
		n = t->len - at < CHUNK ? t->len - at : CHUNK;
		if (at > 0)
			t->wire[t->wire_len++] = t->type == 8 ? 0xc4 : 0xc6;
		memcpy(t->wire + t->wire_len, body + at, n);
		t->wire_len += n;
	}
}

static void
load(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *d;
	long size;
	uint32_t len;

	if (f == NULL || fseek(f, 0, SEEK_END) < 0 || (size = ftell(f)) < 13)
		die("can't read the FLV file");
	d = malloc((size_t)size);
	rewind(f);
	if (d == NULL || fread(d, 1, (size_t)size, f) != (size_t)size)
		die("can't read the FLV file");
	fclose(f);
	g.tags = calloc((size_t)size / 15 + 1, sizeof(*g.tags));
	for (long p = 13; p + 11 <= size; p += 11 + (long)len + 4) {
		struct tag *t = &g.tags[g.ntags];

		len = (uint32_t)d[p + 1] << 16 | (uint32_t)d[p + 2] << 8 | d[p + 3];
		if (p + 11 + (long)len > size)
			break;
		if (d[p] != 8 && d[p] != 9)
			continue;
		*t = (struct tag){ .type = d[p], .len = len,
		    .ts = (uint32_t)d[p + 4] << 16 | (uint32_t)d[p + 5] << 8 | d[p + 6] };
		t->key = t->type == 9 && len > 1 && d[p + 11] >> 4 == 1 && d[p + 12] == 1;
		chunk_body(t, d + p + 11);
		if (t->ts > g.duration_ms)
			g.duration_ms = t->ts;
		g.ntags++;
	}
	g.duration_ms += 33;
	free(d);
	if (g.ntags == 0)
		die("no audio or video in the FLV file");
}

/* --- what a client says --- */

struct out { uint8_t b[4096]; size_t n; };

static void
put(struct out *o, const void *p, size_t n)
{
	memcpy(o->b + o->n, p, n);
	o->n += n;
}

static void
put_string(struct out *o, const char *s, bool marker)
{
	size_t n = strlen(s);
	uint8_t len[3] = { 2, (uint8_t)(n >> 8), (uint8_t)n };

	put(o, len + !marker, 3 - !marker);
	put(o, s, n);
}

static void
put_number(struct out *o, double v)
{
	uint64_t bits;
	uint8_t b[9] = { 0 };

	memcpy(&bits, &v, 8);
	for (int i = 0; i < 8; i++)
		b[i + 1] = (uint8_t)(bits >> (56 - 8 * i));
	put(o, b, 9);
}

/* A message head in front of what is written after it: returns where its length goes. */
static size_t
message(struct out *o, uint8_t csid, uint8_t type, uint32_t stream)
{
	uint8_t h[12] = { csid, 0, 0, 0, 0, 0, 0, type, (uint8_t)stream };

	put(o, h, 12);
	return o->n;
}

static void
message_end(struct out *o, size_t at)
{
	size_t n = o->n - at;

	o->b[at - 7] = (uint8_t)(n >> 8);
	o->b[at - 6] = (uint8_t)n;
}

static void
command(struct out *o, const char *name, double tx, const char *arg, uint32_t stream)
{
	size_t at = message(o, stream != 0 ? 8 : 3, 20, stream);

	put_string(o, name, true);
	put_number(o, tx);
	put(o, "\5", 1);
	if (arg != NULL)
		put_string(o, arg, true);
	if (stream != 0)
		put_string(o, "live", true);
	message_end(o, at);
}

static void
say(struct conn *c, const struct out *o)
{
	if (write(c->fd, o->b, o->n) != (ssize_t)o->n)
		c->state = OVER;
}

static void
say_connect(struct conn *c)
{
	static const uint8_t chunk_size[] = { 2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, CHUNK >> 8, 0 };
	static const uint8_t zeros[HANDSHAKE];
	struct out o = { .n = 0 };
	size_t at;

	put(&o, zeros, sizeof(zeros));	/* C2 */
	put(&o, chunk_size, sizeof(chunk_size));
	at = message(&o, 3, 20, 0);
	put_string(&o, "connect", true);
	put_number(&o, 1);
	put(&o, "\3", 1);
	put_string(&o, "app", false);
	put_string(&o, g.app, true);
	put_string(&o, "tcUrl", false);
	put_string(&o, g.tc_url, true);
	put(&o, "\0\0\11", 3);
	message_end(&o, at);
	say(c, &o);
}

static void
say_create(struct conn *c, const char *name)
{
	struct out o = { .n = 0 };

	command(&o, "releaseStream", 2, name, 0);
	command(&o, "FCPublish", 3, name, 0);
	command(&o, "createStream", 4, NULL, 0);
	say(c, &o);
}

static void
say_publish(struct conn *c, const char *name)
{
	struct out o = { .n = 0 };

	command(&o, "publish", 5, name, 1);
	say(c, &o);
}

/* --- connections --- */

static void
conn_open(struct conn *c, unsigned index)
{
	uint8_t c0c1[1 + HANDSHAKE] = { 3 };
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	int on = 1, size = 1 << 20;

	memset(c, 0, sizeof(*c));
	c->index = index;
	c->begun = now();
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&g.addr, sizeof(g.addr)) < 0)
		die(strerror(errno));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	epoll_ctl(g.ep, EPOLL_CTL_ADD, c->fd, &ev);
	c->state = SHAKING;
	if (write(c->fd, c0c1, sizeof(c0c1)) != sizeof(c0c1))
		c->state = OVER;
}

static void
conn_close(struct conn *c)
{
	close(c->fd);
	free(c->pending);
	c->pending = NULL;
	c->state = CLOSED;
}

static bool
has(struct conn *c, const char *pattern, size_t n)
{
	return memmem(c->in, c->have, pattern, n) != NULL;
}

static void
step(struct conn *c)
{
	char name[128];

	snprintf(name, sizeof(name), "%s%u%s", g.name, c->index, g.name_end);
	if (c->state == SHAKING && c->have >= 1 + 2 * HANDSHAKE) {
		c->have = 0;
		c->state = CONNECTING;
		say_connect(c);
	} else if (c->state == CONNECTING && has(c, "_result\0\x3f\xf0", 10)) {
		c->have = 0;
		c->state = CREATING;
		say_create(c, name);
	} else if (c->state == CREATING && has(c, "_result\0\x40\x10", 10)) {
		c->have = 0;
		c->state = PUBLISHING;
		say_publish(c, name);
	} else if (c->state == PUBLISHING && has(c, "NetStream.Publish.Start", 23)) {
		c->state = LIVE;
		c->start_ms = (int64_t)now();
	} else if (has(c, "NetStream.Publish.", 18) || has(c, "_error", 6))
		c->state = c->state == LIVE ? LIVE : OVER;
}

static void
readable(struct conn *c)
{
	ssize_t n = read(c->fd, c->in + c->have, sizeof(c->in) - c->have);

	if (n <= 0 && errno != EAGAIN) {
		c->state = OVER;
		return;
	}
	c->have += n > 0 ? (size_t)n : 0;
	if (c->state != LIVE)
		step(c);
	if (c->state == LIVE || c->have == sizeof(c->in))
		c->have = 0;	/* pings and acknowledgements */
}

/* --- media --- */

/* A type 0 head. Runs shorter than 4.6 hours need no extended timestamp. */
static void
media_head(const struct tag *t, uint32_t ts, uint8_t h[12])
{
	h[0] = t->type == 8 ? 4 : 6;
	h[1] = (uint8_t)(ts >> 16), h[2] = (uint8_t)(ts >> 8), h[3] = (uint8_t)ts;
	h[4] = (uint8_t)(t->len >> 16), h[5] = (uint8_t)(t->len >> 8), h[6] = (uint8_t)t->len;
	h[7] = t->type;
	h[8] = 1, h[9] = h[10] = h[11] = 0;
}

static void
keep_rest(struct conn *c, const struct iovec *iov, int n, size_t sent)
{
	size_t all = 0, off = sent;

	for (int i = 0; i < n; i++)
		all += iov[i].iov_len;
	if (sent == all)
		return;
	c->pending = malloc(all - sent);
	c->pending_len = c->pending_off = 0;
	for (int i = 0; i < n; i++) {
		size_t skip = off < iov[i].iov_len ? off : iov[i].iov_len;

		memcpy(c->pending + c->pending_len, (uint8_t *)iov[i].iov_base + skip, iov[i].iov_len - skip);
		c->pending_len += iov[i].iov_len - skip;
		off -= skip;
	}
	c->blocked_since = now();
}

static bool
flush_pending(struct conn *c)
{
	ssize_t n;

	if (c->pending == NULL)
		return true;
	n = write(c->fd, c->pending + c->pending_off, c->pending_len - c->pending_off);
	if (n < 0 && errno != EAGAIN)
		c->state = OVER;
	c->pending_off += n > 0 ? (size_t)n : 0;
	if (c->pending_off < c->pending_len)
		return false;
	free(c->pending);
	c->pending = NULL;
	c->blocked += now() - c->blocked_since;
	return true;
}

static void
send_due(struct conn *c, int64_t t)
{
	uint8_t heads[TAGS_PER_WRITE][12];
	struct iovec iov[2 * TAGS_PER_WRITE];
	int n = 0;
	ssize_t sent;

	while (c->state == LIVE && flush_pending(c) && c->state == LIVE) {
		for (n = 0; n < 2 * TAGS_PER_WRITE; c->at++) {
			const struct tag *tag;

			if (c->at == g.ntags) {
				c->at = 0;
				c->loop_ms += g.duration_ms;
			}
			tag = &g.tags[c->at];
			if (c->start_ms + tag->ts + c->loop_ms > t)
				break;
			if (tag->key && !g.said_key) {
				printf("first_key_ms=%lld\n", (long long)now());
				fflush(stdout);
				g.said_key = true;
			}
			media_head(tag, tag->ts + c->loop_ms, heads[n / 2]);
			iov[n] = (struct iovec){ heads[n / 2], 12 };
			iov[n + 1] = (struct iovec){ tag->wire, tag->wire_len };
			n += 2;
		}
		if (n == 0)
			return;
		sent = writev(c->fd, iov, n);
		if (sent < 0 && errno != EAGAIN) {
			c->state = OVER;
			return;
		}
		g.bytes += sent > 0 ? (size_t)sent : 0;
		keep_rest(c, iov, n, sent > 0 ? (size_t)sent : 0);
	}
}

static void
media_loop(struct conn *conns)
{
	struct epoll_event ev[256];
	double end = now() + g.seconds * 1e3, worst = 0;
	unsigned opened = 0;

	while (now() < end) {
		int n;

		/* spread over one second, so that key frames don't come at once */
		if (opened < g.n && now() >= end - g.seconds * 1e3 + opened * 1e3 / g.n) {
			conn_open(&conns[opened], opened);
			opened++;
		}
		n = epoll_wait(g.ep, ev, 256, opened < g.n ? 1 : TICK_MS);
		for (int i = 0; i < n; i++)
			readable(ev[i].data.ptr);
		for (unsigned i = 0; i < opened; i++) {
			if (conns[i].state == LIVE)
				send_due(&conns[i], (int64_t)now());
			else if (conns[i].state == OVER) {
				g.cut++;
				conn_close(&conns[i]);
			}
		}
		if (n > 0 && opened == g.n)
			usleep(TICK_MS * 500);
	}
	for (unsigned i = 0; i < g.n; i++) {
		g.live += conns[i].state == LIVE;
		worst = conns[i].blocked > worst ? conns[i].blocked : worst;
		if (conns[i].state != CLOSED)
			conn_close(&conns[i]);
	}
	fprintf(stderr, "publish: %u of %u streams to the end, %u cut, %.1f MB, longest blocked %.0f ms\n", g.live,
	    g.n, g.cut, (double)g.bytes / 1e6, worst);
}

/* --- set-up only --- */

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
setup_loop(struct conn *conns)
{
	struct epoll_event ev[256];
	double begun = now();
	unsigned opened = 0, ended = 0;

	g.times = calloc(g.n, sizeof(*g.times));
	while (ended < g.n) {
		int n;

		for (unsigned i = 0; i < g.parallel && opened < g.n; i++)
			if (conns[i].state == CLOSED)
				conn_open(&conns[i], opened++);
		n = epoll_wait(g.ep, ev, 256, 10000);
		if (n == 0)
			die("no answer for 10 s");
		for (int i = 0; i < n; i++) {
			struct conn *c = ev[i].data.ptr;

			readable(c);
			if (c->state != LIVE && c->state != OVER)
				continue;
			if (c->state == LIVE)
				g.times[g.done++] = now() - c->begun;
			else
				g.failed++;
			ended++;
			conn_close(c);
		}
	}
	qsort(g.times, g.done, sizeof(*g.times), by_value);
	printf("median %.2f ms, p95 %.2f, %.0f/s%s", g.done ? g.times[g.done / 2] : 0,
	    g.done ? g.times[g.done * 95 / 100] : 0, g.done / ((now() - begun) / 1e3), g.failed ? "" : "\n");
	if (g.failed > 0)
		printf(", %u failed\n", g.failed);
	free(g.times);
}

/* rtmp://127.0.0.1:1935/live/NAME_%d */
static void
parse_url(const char *url)
{
	static char copy[256], host[64];
	char *slash, *name, *colon, *number;

	snprintf(copy, sizeof(copy), "%s", url);
	if (strncmp(copy, "rtmp://", 7) != 0 || (slash = strchr(copy + 7, '/')) == NULL ||
	    (name = strrchr(copy, '/')) == slash)
		die("the URL must be rtmp://ADDRESS[:PORT]/APP/NAME, with one %d in NAME");
	snprintf(host, sizeof(host), "%.*s", (int)(slash - copy - 7), copy + 7);
	colon = strchr(host, ':');
	g.addr.sin_family = AF_INET;
	g.addr.sin_port = htons((uint16_t)(colon != NULL ? atoi(colon + 1) : 1935));
	if (colon != NULL)
		*colon = '\0';
	if (inet_pton(AF_INET, host, &g.addr.sin_addr) != 1)
		die("the host must be an IPv4 address");
	snprintf(g.tc_url, sizeof(g.tc_url), "%.*s", (int)(name - copy), copy);
	*name = '\0';
	g.app = slash + 1;
	g.name = name + 1;
	number = strstr(name + 1, "%d");
	if (number == NULL)
		die("NAME needs a %d");
	*number = '\0';
	g.name_end = number + 2;
}

int
main(int argc, char **argv)
{
	struct rlimit r;
	struct conn *conns;
	int opt;

	while ((opt = getopt(argc, argv, "n:t:P:S")) != -1)
		if (opt == 'n')
			g.n = (unsigned)atoi(optarg);
		else if (opt == 't')
			g.seconds = (unsigned)atoi(optarg);
		else if (opt == 'P')
			g.parallel = (unsigned)atoi(optarg);
		else if (opt == 'S')
			g.setup = true;
		else
			die("usage: publish [-n STREAMS] [-t SECONDS] URL FILE.flv | publish -S [-n TIMES] [-P PARALLEL] URL");
	if (argc - optind < (g.setup ? 1 : 2) || g.n == 0 || g.parallel == 0)
		die("usage: publish [-n STREAMS] [-t SECONDS] URL FILE.flv | publish -S [-n TIMES] [-P PARALLEL] URL");
	parse_url(argv[optind]);
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	g.ep = epoll_create1(EPOLL_CLOEXEC);
	conns = calloc(g.setup ? g.parallel : g.n, sizeof(*conns));
	if (g.setup)
		setup_loop(conns);
	else {
		load(argv[optind + 1]);
		media_loop(conns);
	}
	free(conns);
	for (size_t i = 0; i < g.ntags; i++)
		free(g.tags[i].wire);
	free(g.tags);
	return g.failed > 0 || g.cut > 0 || (!g.setup && g.live < g.n);
}
