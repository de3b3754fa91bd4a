/*
 * publish.c - load generator: N real-time RTMP publishers in one process that costs nearly
 * nothing, for `make bench` and the tests of limits. Plain RTMP as ffmpeg speaks it.
 *
 *   publish [options] rtmp://HOST[:PORT]/APP/NAME_%d FILE.flv|synthetic
 *     -n N  streams (1)             -t SEC  of media each (10)        -i MS  between starts (20)
 *     -o MS timestamp of the first frame (0)                          -w MS  gather writes (10)
 *     synthetic: -b BIT/S (2500000) -g SEC a GOP (2) -f FPS (30) -a BIT/S of audio (128000, 0 = none)
 *   publish -S [-n N] [-P N at once (1)] [-i MS] URL    only set up: connect .. publish accepted, then leave
 *   publish -Z N URL    N connections that say nothing, for -t seconds
 *   publish -H N URL    N that stop in the middle of the handshake
 *   -1  every byte in a write of its own (with any of the above)
 *
 * A line for each stream at its end; exit status 1 if one was refused or cut, 2 for usage.
 * "first_key_ms" is CLOCK_MONOTONIC of the write with the first key frame.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "source.h"

#define C1_BYTES 1536
#define START_MS 20			/* between the starts of streams */
#define BATCH 64			/* tags of one write */
#define REPLY_MAX (64 * 1024)		/* a server's message that we keep */

enum state { WAITS, CONNECTING, SHAKING, CONNECT, CREATE, PUBLISH, LIVE, IDLE, DONE, LOST };

struct stream {
	int fd;
	enum state state;
	char name[256];
	struct evbuffer *in, *out;
	uint32_t chunk_size, csid_len[64];	/* of the server's chunks */
	uint8_t csid_type[64];
	bool csid_extended[64];
	struct evbuffer *message;
	int64_t begun_us, live_us, start_us, blocked_since_us;
	size_t next;
	uint32_t round;
	uint64_t bytes;
	int64_t late_ms, blocked_total_us;
	bool key_seen, writable_wanted;
	char why[320];
};

static struct {
	int n, parallel, idle, half, gather_ms, start_ms;
	long seconds, offset_ms;
	bool setup, slow;
	struct recipe recipe;
	char host[256], port[8], app[256], name[256];
} opt = { .n = 1, .parallel = 1, .seconds = 10, .gather_ms = 10, .start_ms = -1,
    .recipe = { 2500000, 128000, 30, 2 } };

static struct source source;
static struct addrinfo *address;
static int epfd;
static volatile sig_atomic_t stopped;

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* --- AMF and chunks out --- */

static void
put_text(struct evbuffer *b, const char *s, bool marker)
{
	size_t n = strlen(s);
	uint8_t head[3] = { 2, (uint8_t)(n >> 8), (uint8_t)n };

	evbuffer_add(b, head + !marker, 2 + (size_t)marker);
	evbuffer_add(b, s, n);
}

static void
put_number(struct evbuffer *b, double v)
{
	uint8_t out[9] = { 0 };
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	for (int i = 0; i < 8; i++)
		out[1 + i] = (uint8_t)(bits >> (56 - 8 * i));
	evbuffer_add(b, out, 9);
}

static struct evbuffer *
call(const char *name, double tx)
{
	struct evbuffer *b = evbuffer_new();

	put_text(b, name, true);
	put_number(b, tx);
	return b;
}

static size_t
chunk_head(uint8_t out[16], uint32_t csid, uint8_t type, uint32_t ts, uint32_t len, uint32_t stream)
{
	uint32_t t = ts < 0xffffff ? ts : 0xffffff;
	uint8_t h[16] = { (uint8_t)csid, (uint8_t)(t >> 16), (uint8_t)(t >> 8), (uint8_t)t,
		(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, type, (uint8_t)stream, 0, 0, 0,
		(uint8_t)(ts >> 24), (uint8_t)(ts >> 16), (uint8_t)(ts >> 8), (uint8_t)ts };

	memcpy(out, h, sizeof(h));
	return t == 0xffffff ? 16 : 12;
}

/* Commands are shorter than a chunk. */
static void
say(struct stream *s, uint32_t csid, uint8_t type, uint32_t stream, struct evbuffer *body)
{
	uint8_t head[16];

	evbuffer_add(s->out, head, chunk_head(head, csid, type, 0, (uint32_t)evbuffer_get_length(body), stream));
	evbuffer_add_buffer(s->out, body);
	evbuffer_free(body);
}

static void
say_control(struct stream *s, uint8_t type, const uint8_t *p, size_t n)
{
	struct evbuffer *b = evbuffer_new();

	evbuffer_add(b, p, n);
	say(s, 2, type, 0, b);
}

static void
say_connect(struct stream *s)
{
	static const uint8_t size[4] = { 0, 0, CHUNK_BYTES >> 8, CHUNK_BYTES & 255 };
	struct evbuffer *b = call("connect", 1);
	char url[600];

	snprintf(url, sizeof(url), "rtmp://%s:%s/%s", opt.host, opt.port, opt.app);
	say_control(s, 1, size, 4);
	evbuffer_add(b, "\3", 1);
	put_text(b, "app", false);
	put_text(b, opt.app, true);
	put_text(b, "type", false);
	put_text(b, "nonprivate", true);
	put_text(b, "flashVer", false);
	put_text(b, "FMLE/3.0 (compatible; millrace-bench)", true);
	put_text(b, "tcUrl", false);
	put_text(b, url, true);
	evbuffer_add(b, "\0\0\11", 3);
	say(s, 3, 20, 0, b);
	s->state = CONNECT;
}

static void
say_named(struct stream *s, const char *what, double tx, uint32_t csid, uint32_t stream, const char *kind)
{
	struct evbuffer *b = call(what, tx);

	evbuffer_add(b, "\5", 1);
	put_text(b, s->name, true);
	if (kind != NULL)
		put_text(b, kind, true);
	say(s, csid, 20, stream, b);
}

static void
say_create(struct stream *s)
{
	struct evbuffer *b;

	say_named(s, "releaseStream", 2, 3, 0, NULL);
	say_named(s, "FCPublish", 3, 3, 0, NULL);
	b = call("createStream", 4);
	evbuffer_add(b, "\5", 1);
	say(s, 3, 20, 0, b);
	s->state = CREATE;
}

static void
say_end(struct stream *s)
{
	struct evbuffer *b;

	say_named(s, "FCUnpublish", 6, 3, 0, NULL);
	b = call("deleteStream", 7);
	evbuffer_add(b, "\5", 1);
	put_number(b, 1);
	say(s, 3, 20, 0, b);
}

/* --- the socket --- */

static void
stream_end(struct stream *s, enum state state, const char *why)
{
	if (s->state >= DONE)
		return;
	s->state = state;
	str_copy(s->why, why, sizeof(s->why));
	if (state == LOST)
		fprintf(stderr, "publish: %s: %s\n", s->name, why);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	evbuffer_free(s->in);
	evbuffer_free(s->out);
	evbuffer_free(s->message);
}

static void
want_writable(struct stream *s, bool on)
{
	struct epoll_event ev = { .events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = s };

	if (on == s->writable_wanted)
		return;
	s->writable_wanted = on;
	epoll_ctl(epfd, EPOLL_CTL_MOD, s->fd, &ev);
	if (on)
		s->blocked_since_us = now_us();
	else if (s->state == LIVE)
		s->blocked_total_us += now_us() - s->blocked_since_us;
}

static void
flush_out(struct stream *s)
{
	int n = 1;

	while (n > 0 && s->state < DONE && evbuffer_get_length(s->out) > 0) {
		n = evbuffer_write_atmost(s->out, s->fd, opt.slow ? 1 : -1);
		if (n > 0)
			s->bytes += (uint64_t)n;
		else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			stream_end(s, LOST, strerror(errno));
			return;
		}
	}
	if (s->state < DONE)
		want_writable(s, evbuffer_get_length(s->out) > 0);
}

static void
stream_start(struct stream *s)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT, .data.ptr = s };
	int on = 1;

	s->begun_us = now_us();
	s->in = evbuffer_new();
	s->out = evbuffer_new();
	s->message = evbuffer_new();
	s->chunk_size = 128;
	s->writable_wanted = true;
	s->state = CONNECTING;
	s->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		err(2, "socket");
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(s->fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS) {
		stream_end(s, LOST, strerror(errno));
		return;
	}
	epoll_ctl(epfd, EPOLL_CTL_ADD, s->fd, &ev);
}

static void
connected(struct stream *s)
{
	uint8_t c0c1[1 + C1_BYTES] = { 3 };
	socklen_t len = sizeof(int);
	int error = 0;

	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		stream_end(s, LOST, strerror(error));
		return;
	}
	for (size_t i = 9; i < sizeof(c0c1); i++)
		c0c1[i] = (uint8_t)(i * 7);
	s->state = opt.idle + opt.half > 0 ? IDLE : SHAKING;
	if (opt.idle == 0)
		evbuffer_add(s->out, c0c1, opt.half > 0 ? sizeof(c0c1) / 2 : sizeof(c0c1));
	flush_out(s);
}

/* --- what the server says --- */

static void
go_live(struct stream *s)
{
	s->live_us = now_us();
	if (opt.setup) {
		say_end(s);
		flush_out(s);
		stream_end(s, DONE, "set up");
		return;
	}
	s->state = LIVE;
	s->start_us = s->live_us;
}

static bool
contains(const uint8_t *p, size_t n, const char *word)
{
	return memmem(p, n, word, strlen(word)) != NULL;
}

/* The AMF string behind a key of an info object, for people. */
static void
info_text(const uint8_t *p, size_t n, const char *key, char *out, size_t size)
{
	const uint8_t *at = memmem(p, n, key, strlen(key));
	size_t left, len;

	out[0] = '\0';
	if (at == NULL)
		return;
	at += strlen(key);
	left = n - (size_t)(at - p);
	if (left < 3 || at[0] != 2)
		return;
	len = (size_t)at[1] << 8 | at[2];
	if (len <= left - 3)
		snprintf(out, size, "%.*s", (int)len, at + 3);
}

/* "_result" with the transaction id 4 as a double. */
static bool
is_create_result(const uint8_t *p, size_t n)
{
	return n >= 19 && memcmp(p, "\2\0\7_result\0\x40\x10\0\0\0\0\0\0", 19) == 0;
}

static void
on_command(struct stream *s, const uint8_t *p, size_t n)
{
	char code[96], text[160], why[300];

	if (contains(p, n < 12 ? n : 12, "_error") || memmem(p, n, "level\2\0\5error", 13) != NULL) {
		info_text(p, n, "code", code, sizeof(code));
		info_text(p, n, "description", text, sizeof(text));
		snprintf(why, sizeof(why), "refused: %s: %s", code, text);
		stream_end(s, LOST, why);
	} else if (s->state == CONNECT && contains(p, n, "NetConnection.Connect.Success"))
		say_create(s);
	else if (s->state == CREATE && is_create_result(p, n)) {
		say_named(s, "publish", 5, 8, 1, "live");
		s->state = PUBLISH;
	} else if (s->state == PUBLISH && contains(p, n, "NetStream.Publish.Start"))
		go_live(s);
}

static void
on_message(struct stream *s, uint8_t type, const uint8_t *p, size_t n)
{
	uint8_t pong[6] = { 0, 7 };

	if (type == 1 && n >= 4)
		s->chunk_size = (uint32_t)p[0] << 24 | be24(p + 1);
	else if (type == 4 && n >= 6 && p[1] == 6) {
		memcpy(pong + 2, p + 2, 4);
		say_control(s, 4, pong, 6);
	} else if (type == 20)
		on_command(s, p, n);
}

/* One chunk of the server's if it is whole; servers answer on chunk streams below 64. */
static bool
take_chunk(struct stream *s)
{
	static const size_t heads[] = { 12, 8, 4, 1 };
	uint8_t h[16];
	size_t have = evbuffer_get_length(s->in), size, body, gathered = evbuffer_get_length(s->message);
	uint8_t *p;
	int id;

	if (have == 0)
		return false;
	evbuffer_copyout(s->in, h, have < 16 ? have : 16);
	size = heads[h[0] >> 6];
	id = h[0] & 63;
	if (have < size)
		return false;
	if (size >= 4)
		s->csid_extended[id] = be24(h + 1) == 0xffffff;
	if (size >= 8) {
		s->csid_len[id] = be24(h + 4);
		s->csid_type[id] = h[7];
	}
	size += s->csid_extended[id] ? 4 : 0;
	body = s->csid_len[id] - gathered < s->chunk_size ? s->csid_len[id] - gathered : s->chunk_size;
	if (have < size + body)
		return false;
	evbuffer_drain(s->in, size);
	evbuffer_remove_buffer(s->in, s->message, body);
	if (gathered + body < s->csid_len[id])
		return true;
	p = evbuffer_pullup(s->message, -1);
	on_message(s, s->csid_type[id], p, gathered + body);
	if (s->state < DONE)
		evbuffer_drain(s->message, gathered + body);
	return s->state < DONE;
}

static void
take_handshake(struct stream *s)
{
	uint8_t c2[C1_BYTES];

	if (evbuffer_get_length(s->in) < 1 + 2 * C1_BYTES)
		return;
	evbuffer_drain(s->in, 1);
	evbuffer_remove(s->in, c2, C1_BYTES);
	evbuffer_drain(s->in, C1_BYTES);
	evbuffer_add(s->out, c2, C1_BYTES);
	say_connect(s);
}

static void
on_readable(struct stream *s)
{
	int n = evbuffer_read(s->in, s->fd, REPLY_MAX);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		stream_end(s, s->state == IDLE ? DONE : LOST, n == 0 ? "the server closed the connection" : strerror(errno));
		return;
	}
	if (s->state == SHAKING)
		take_handshake(s);
	while (s->state > SHAKING && s->state < IDLE && take_chunk(s))
		;
	if (s->state < DONE)
		flush_out(s);
}

/* --- media --- */

/* When the tag is due, from the start of the stream. */
static int64_t
due_us(const struct stream *s, const struct tag *t)
{
	return t->header ? 0 : ((int64_t)t->ts + (int64_t)s->round * source.loop_ms) * 1000;
}

static void
next_tag(struct stream *s)
{
	do {
		if (++s->next == source.ntags) {
			s->next = 0;
			s->round++;
		}
	} while (s->round > 0 && source.tags[s->next].header);
}

static void
wrote_tag(struct stream *s, const struct tag *t, int64_t now)
{
	int64_t late = (now - s->start_us - due_us(s, t)) / 1000;

	if (late > s->late_ms)
		s->late_ms = late;
	if (t->key && !s->key_seen) {
		s->key_seen = true;
		printf("%s first_key_ms=%lld\n", s->name, (long long)(now / 1000));
		fflush(stdout);
	}
}

/* A body that lies in one chunk, or whose timestamps fit 24 bits, goes as it is; else each
 * continuation repeats the extended timestamp. */
static void
send_long_time(struct stream *s, const struct tag *t, const uint8_t *head)
{
	const uint8_t *p = source.bytes + t->at;
	size_t left = t->bytes, n;

	evbuffer_add(s->out, head, 16);
	for (n = left < CHUNK_BYTES ? left : CHUNK_BYTES; left > 0; n = left < CHUNK_BYTES + 1 ? left : CHUNK_BYTES + 1) {
		if (left != t->bytes) {
			evbuffer_add(s->out, p++, 1);
			evbuffer_add(s->out, head + 12, 4);
			n--;
			left--;
		}
		evbuffer_add(s->out, p, n);
		p += n;
		left -= n;
	}
}

static int
gather(struct stream *s, int64_t now, struct iovec *iov, uint8_t heads[][16])
{
	int n = 0;

	while (n < BATCH && !stopped) {
		const struct tag *t = &source.tags[s->next];
		int64_t due = due_us(s, t);
		size_t size;

		if (due > now - s->start_us || due >= opt.seconds * 1000000)
			break;
		size = chunk_head(heads[n], tag_csid(t), t->type,
		    (uint32_t)(t->header ? opt.offset_ms : opt.offset_ms + due / 1000), t->len, 1);
		wrote_tag(s, t, now);
		next_tag(s);
		if (size == 16 || opt.slow) {
			for (int i = 0; i < 2 * n; i++)
				evbuffer_add(s->out, iov[i].iov_base, iov[i].iov_len);
			if (size == 16)
				send_long_time(s, t, heads[n]);
			else {
				evbuffer_add(s->out, heads[n], size);
				evbuffer_add(s->out, source.bytes + t->at, t->bytes);
			}
			n = 0;
			if (evbuffer_get_length(s->out) > 1 << 20)
				break;
			continue;
		}
		iov[2 * n] = (struct iovec){ heads[n], size };
		iov[2 * n + 1] = (struct iovec){ source.bytes + t->at, t->bytes };
		n++;
	}
	return n;
}

/* All that is due in one write; what the socket does not take waits in s->out, and no more is made. */
static void
send_due(struct stream *s, int64_t now)
{
	static uint8_t heads[BATCH][16];
	struct iovec iov[2 * BATCH];
	ssize_t wrote = 0;
	int n;

	if (evbuffer_get_length(s->out) > 0)
		return;
	n = gather(s, now, iov, heads);
	if (n > 0 && evbuffer_get_length(s->out) == 0) {
		wrote = writev(s->fd, iov, 2 * n);
		if (wrote < 0 && errno != EAGAIN && errno != EINTR) {
			stream_end(s, LOST, strerror(errno));
			return;
		}
		wrote = wrote < 0 ? 0 : wrote;
		s->bytes += (uint64_t)wrote;
	}
	for (int i = 0; i < 2 * n; i++) {
		size_t skip = (size_t)wrote < iov[i].iov_len ? (size_t)wrote : iov[i].iov_len;

		wrote -= (ssize_t)skip;
		evbuffer_add(s->out, (uint8_t *)iov[i].iov_base + skip, iov[i].iov_len - skip);
	}
	flush_out(s);
}

static void
finish(struct stream *s)
{
	say_end(s);
	flush_out(s);
	stream_end(s, DONE, "done");
}

static void
tick(struct stream *s, int64_t now)
{
	if (s->state == LIVE) {
		send_due(s, now);
		if (s->state == LIVE && (stopped || (now - s->start_us >= opt.seconds * 1000000 &&
		    evbuffer_get_length(s->out) == 0)))
			finish(s);
	} else if (s->state == IDLE && (stopped || now - s->begun_us >= opt.seconds * 1000000))
		stream_end(s, DONE, "idle to the end");
	else if (s->state < LIVE && s->state > WAITS && (stopped || now - s->begun_us > 15000000))
		stream_end(s, LOST, stopped ? "stopped" : "no answer for 15 s");
}

/* --- the loop, the report, the command line --- */

static void
on_event(struct stream *s, uint32_t events)
{
	if (s->state >= DONE)
		return;
	if (s->state == CONNECTING && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		connected(s);
	else if (events & EPOLLOUT)
		flush_out(s);
	if (s->state < DONE && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		on_readable(s);
}

static void
run(struct stream *all, int n)
{
	struct epoll_event events[256];
	int64_t t0 = now_us(), now, next_tick = 0;
	int started = 0, open = 0, ready, wait;

	do {
		now = now_us();
		while (started < n && !stopped && (!opt.setup || open < opt.parallel) &&
		    now - t0 >= (int64_t)started * opt.start_ms * 1000) {
			stream_start(&all[started++]);
			open++;
		}
		if (now >= next_tick) {
			for (int i = 0; i < started; i++)
				tick(&all[i], now);
			next_tick = now + opt.gather_ms * 1000;
		}
		wait = (int)((next_tick - now_us() + 999) / 1000);
		ready = epoll_wait(epfd, events, 256, wait > 0 ? wait : 0);
		for (int i = 0; i < ready; i++)
			on_event(events[i].data.ptr, events[i].events);
		open = 0;
		for (int i = 0; i < started; i++)
			open += all[i].state < DONE;
	} while (open > 0 || (started < n && !stopped));
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void
report_setup(struct stream *all, int n, int64_t took_us)
{
	int64_t *t = xcalloc((size_t)n, sizeof(*t));
	int good = 0;

	for (int i = 0; i < n; i++)
		if (all[i].state == DONE)
			t[good++] = all[i].live_us - all[i].begun_us;
	qsort(t, (size_t)good, sizeof(*t), by_value);
	if (good > 0)
		printf("median %.2f ms, 90%% %.2f, 99%% %.2f, max %.2f; %.0f conn/s; %d of %d\n", (double)t[good / 2] / 1e3,
		    (double)t[good * 9 / 10] / 1e3, (double)t[good * 99 / 100] / 1e3, (double)t[good - 1] / 1e3,
		    good / ((double)took_us / 1e6), good, n);
	free(t);
}

static int
report(struct stream *all, int n, int64_t took_us)
{
	struct rusage ru;
	int lost = 0;

	for (int i = 0; i < n; i++) {
		struct stream *s = &all[i];

		lost += s->state != DONE;
		if (opt.setup || opt.idle + opt.half > 0)
			continue;
		printf("%s bytes=%llu setup_ms=%.2f blocked_ms=%lld late_ms=%lld %s\n", s->name,
		    (unsigned long long)s->bytes, s->live_us > 0 ? (double)(s->live_us - s->begun_us) / 1e3 : -1.0,
		    (long long)(s->blocked_total_us / 1000), (long long)s->late_ms, s->why);
	}
	getrusage(RUSAGE_SELF, &ru);
	if (opt.setup)
		report_setup(all, n, took_us);
	else
		printf("%d streams, %d lost, generator's CPU %.2f s\n", n, lost,
		    (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
		    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
	return lost > 0;
}

static void
usage(void)
{
	fputs("usage: publish [-n N] [-t SEC] [-i MS] [-o MS] [-w MS] [-b BIT/S] [-g SEC] [-f FPS] [-a BIT/S] [-1]\n"
	    "               rtmp://HOST[:PORT]/APP/NAME_%d FILE.flv|synthetic\n"
	    "       publish -S [-n N] [-P N] [-i MS] | -Z N | -H N   [-t SEC] [-1] rtmp://HOST[:PORT]/APP/NAME_%d\n", stderr);
	exit(2);
}

static void
parse_url(const char *url)
{
	char *slash, *colon;
	char rest[512];

	if (strncmp(url, "rtmp://", 7) != 0 || strlen(url) >= sizeof(rest))
		usage();
	str_copy(rest, url + 7, sizeof(rest));
	slash = strchr(rest, '/');
	if (slash == NULL || strrchr(rest, '/') == slash)
		usage();
	str_copy(opt.name, strrchr(rest, '/') + 1, sizeof(opt.name));
	*strrchr(rest, '/') = '\0';
	*slash = '\0';
	str_copy(opt.app, slash + 1, sizeof(opt.app));
	colon = strrchr(rest, ':');
	str_copy(opt.port, colon != NULL ? colon + 1 : "1935", sizeof(opt.port));
	if (colon != NULL)
		*colon = '\0';
	str_copy(opt.host, rest, sizeof(opt.host));
}

static void
parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:t:i:o:w:b:g:f:a:SP:Z:H:1")) != -1)
		switch (c) {
		case 'n': opt.n = atoi(optarg); break;
		case 't': opt.seconds = atol(optarg); break;
		case 'i': opt.start_ms = atoi(optarg); break;
		case 'o': opt.offset_ms = atol(optarg); break;
		case 'w': opt.gather_ms = atoi(optarg); break;
		case 'b': opt.recipe.bitrate = atol(optarg); break;
		case 'g': opt.recipe.gop_sec = atof(optarg); break;
		case 'f': opt.recipe.fps = atoi(optarg); break;
		case 'a': opt.recipe.audio_bitrate = atol(optarg); break;
		case 'S': opt.setup = true; break;
		case 'P': opt.parallel = atoi(optarg); break;
		case 'Z': opt.n = opt.idle = atoi(optarg); break;
		case 'H': opt.n = opt.half = atoi(optarg); break;
		case '1': opt.slow = true; break;
		default: usage();
		}
	if (opt.start_ms < 0)
		opt.start_ms = opt.setup ? 0 : START_MS;
	if (opt.n < 1 || opt.seconds < 1 || opt.parallel < 1 || opt.gather_ms < 1 ||
	    opt.recipe.fps < 1 || opt.recipe.fps > 240 || opt.recipe.bitrate < 0 || opt.recipe.gop_sec <= 0 ||
	    opt.recipe.gop_sec > 120 || opt.recipe.audio_bitrate < 0 || opt.recipe.audio_bitrate > 512000)
		usage();
	if (optind >= argc)
		usage();
	parse_url(argv[optind++]);
	if (opt.n > 1 && opt.idle + opt.half == 0 && strstr(opt.name, "%d") == NULL)
		errx(2, "%d streams, but no %%d in the name", opt.n);
	if (opt.setup || opt.idle + opt.half > 0)
		return;
	if (optind >= argc)
		usage();
	if (strcmp(argv[optind], "synthetic") == 0)
		source_synthetic(&source, &opt.recipe);
	else
		source_file(&source, argv[optind]);
}

static void
name_streams(struct stream *all)
{
	const char *at = strstr(opt.name, "%d");

	for (int i = 0; i < opt.n; i++) {
		all[i].fd = -1;
		if (at == NULL)
			str_copy(all[i].name, opt.name, sizeof(all[i].name));
		else
			snprintf(all[i].name, sizeof(all[i].name), "%.*s%d%.200s", (int)(at - opt.name), opt.name, i, at + 2);
	}
}

static void
stop_cb(int sig)
{
	stopped = 1;
}

int
main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct rlimit files;
	struct stream *all;
	int64_t t0;
	int rc;

	parse_options(argc, argv);
	rc = getaddrinfo(opt.host, opt.port, &hints, &address);
	if (rc != 0)
		errx(2, "%s: %s", opt.host, gai_strerror(rc));
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, stop_cb);
	signal(SIGTERM, stop_cb);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	all = xcalloc((size_t)opt.n, sizeof(*all));
	name_streams(all);
	t0 = now_us();
	run(all, opt.n);
	rc = report(all, opt.n, now_us() - t0);
	free(all);
	free(source.tags);
	free(source.bytes);
	freeaddrinfo(address);
	return rc;
}
