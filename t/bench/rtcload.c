/*
 * rtcload.c - load generator: N viewers of live streams by WHEP in one process, real ICE checks, DTLS and
 * SRTP keys (t/lib/rtc_client.c), for `make bench` and the tests of limits.
 *
 *   rtcload [options] http://HOST:PORT/whep/NAME      %d in NAME: the viewer's number modulo -m
 *     -n N   viewers (1)                 -t SEC  watched after the last has come (10)
 *     -i MS  between starts (5)          -w SEC  at most, until all are connected (20)
 *     -d     decrypt every packet (else only RTP's heads are read)
 *     -T     by ICE-TCP                  -m M    names (1)
 *     -a IP  connect there instead of to the answer's candidate
 *     -q     quit without a word: no DELETE, no close_notify
 *   rtcload -s [options]     for other servers, the caller does the signalling: the first line printed is our
 *     fingerprint, then each line read is a viewer: "IP:PORT UFRAG PWD sha-256 AB:..", as the server's SDP says;
 *     our own ufrag is "test", our pwd "every/client/has/this/one"
 *
 * Prints one JSON object at the end: viewers, connected, refused, rtp packets and bytes (of the measured
 * time only), lost and late ones by sequence numbers (of all time), bad ones (-d), setup_ms and first_ms
 * (from the answer to connected and to the first packet: median, longest). CPU and memory of the server are
 * the caller's to measure. Exit status 1 if a viewer was refused, did not connect or got nothing, 2 for usage.
 */
#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "t/lib/rtc_client.h"
#include "util.h"

#define REPLY_MAX 65536
#define EVENTS 256
#define STEP_MS 40		/* checks and DTLS' timers of all */

struct viewer {
	struct rtc_client *client;
	char location[512];
	uint64_t rtp_before, bytes_before;
};

static struct {
	int n, names, start_ms;
	long seconds, wait;
	bool decrypt, tcp, quiet, lines;
	const char *address;
	char host[256], port[8], path[512];
} opt = { .n = 1, .names = 1, .start_ms = 5, .seconds = 10, .wait = 20 };

static struct viewer *viewers;
static struct addrinfo *address;
static int epfd;
static volatile sig_atomic_t stopped;

/* --- WHEP --- */

static int
dial(void)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval tv = { 10, 0 };

	if (fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) == -1)
		err(2, "%s:%s", opt.host, opt.port);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

/* The status; the whole answer, terminated, in reply. Connection: close, so its end is the connection's. */
static int
ask(const char *method, const char *path, const char *body, char *reply)
{
	char *head = xasprintf("%s %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\nContent-Type: application/sdp\r\n"
	    "Content-Length: %zu\r\n\r\n%s", method, path, opt.host, opt.port, strlen(body), body);
	size_t len = strlen(head), n = 0;
	int fd = dial(), status = 0;
	ssize_t got;

	if (send(fd, head, len, MSG_NOSIGNAL) != (ssize_t)len)
		warn("%s %s", method, path);
	while (n < REPLY_MAX - 1 && (got = recv(fd, reply + n, REPLY_MAX - 1 - n, 0)) > 0)
		n += (size_t)got;
	reply[n] = '\0';
	close(fd);
	free(head);
	return sscanf(reply, "HTTP/1.%*d %d", &status) == 1 ? status : 0;
}

static char *
offer(void)
{
	return xasprintf("v=0\r\no=- %lld 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=msid-semantic: WMS\r\n"
	    "m=video 9 UDP/TLS/RTP/SAVPF 102 103\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
	    "a=ice-ufrag:" RTC_CLIENT_UFRAG "\r\na=ice-pwd:" RTC_CLIENT_PWD "\r\na=fingerprint:%s\r\na=setup:actpass\r\na=mid:0\r\n"
	    "a=recvonly\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:102 H264/90000\r\na=rtcp-fb:102 nack\r\n"
	    "a=rtcp-fb:102 nack pli\r\na=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
	    "a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\n"
	    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
	    "a=ice-ufrag:" RTC_CLIENT_UFRAG "\r\na=ice-pwd:" RTC_CLIENT_PWD "\r\na=fingerprint:%s\r\na=setup:actpass\r\na=mid:1\r\n"
	    "a=recvonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n",
	    (long long)now_ms(), rtc_client_fingerprint(), rtc_client_fingerprint());
}

/* The rest of the first line that begins so, in out; false: none. */
static bool
line_of(const char *text, const char *begin, char *out, size_t size)
{
	size_t n = strlen(begin), len;

	for (const char *p = text; p != NULL; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncasecmp(p, begin, n) != 0)
			continue;
		len = strcspn(p + n, "\r\n");
		snprintf(out, size, "%.*s", (int)len, p + n);
		return true;
	}
	return false;
}

/* The first candidate of our protocol as "IP:PORT". */
static bool
candidate_of(const char *sdp, char *out, size_t size)
{
	char protocol[8], ip[64];
	unsigned port;

	for (const char *p = sdp; (p = strstr(p, "a=candidate:")) != NULL; p++) {
		if (sscanf(p, "a=candidate:%*s %*u %7s %*u %63s %u", protocol, ip, &port) != 3 ||
		    strcasecmp(protocol, opt.tcp ? "tcp" : "udp") != 0)
			continue;
		if (opt.address != NULL)
			str_copy(ip, opt.address, sizeof(ip));
		snprintf(out, size, strchr(ip, ':') != NULL ? "[%s]:%u" : "%s:%u", ip, port);
		return true;
	}
	return false;
}

static void
media(void *ctx, bool rtcp, const uint8_t *p, size_t n)
{
}

/* What a server says of itself. */
struct remote { char ufrag[64], pwd[128], print[256], server[128]; };

static void
start(struct viewer *v, const struct remote *r)
{
	struct rtc_client_conf conf = { .server = r->server, .ufrag = r->ufrag, .pwd = r->pwd, .fingerprint = r->print,
		.tcp = opt.tcp, .media = opt.decrypt ? media : NULL };
	struct epoll_event event = { .events = EPOLLIN };

	v->client = rtc_client_new(&conf);
	if (v->client == NULL)
		err(2, "%s", r->server);
	event.data.ptr = v->client;
	epoll_ctl(epfd, EPOLL_CTL_ADD, rtc_client_fd(v->client), &event);
}

static bool
join_by_line(struct viewer *v, int i)
{
	struct remote r;
	char line[1024];

	if (fgets(line, sizeof(line), stdin) == NULL ||
	    sscanf(line, "%127s %63s %127s %255[^\n]", r.server, r.ufrag, r.pwd, r.print) != 4) {
		warnx("viewer %d: no line for it", i);
		return false;
	}
	start(v, &r);
	return true;
}

static bool
join(struct viewer *v, int i)
{
	static char reply[REPLY_MAX];
	char *path, *body, *sdp = offer();
	const char *at = strstr(opt.path, "%d");
	struct remote r;
	int status;

	path = at == NULL ? xstrdup(opt.path) :
	    xasprintf("%.*s%d%s", (int)(at - opt.path), opt.path, i % opt.names, at + 2);
	status = ask("POST", path, sdp, reply);
	free(path);
	free(sdp);
	if (status != 201) {
		body = strstr(reply, "\r\n\r\n");
		warnx("viewer %d: %d %.200s", i, status, body != NULL ? body + 4 : "no answer");
		return false;
	}
	line_of(reply, "Location:", v->location, sizeof(v->location));
	if (!line_of(reply, "a=ice-ufrag:", r.ufrag, sizeof(r.ufrag)) || !line_of(reply, "a=ice-pwd:", r.pwd, sizeof(r.pwd)) ||
	    !line_of(reply, "a=fingerprint:", r.print, sizeof(r.print)) ||
	    !candidate_of(reply, r.server, sizeof(r.server))) {
		warnx("viewer %d: no ICE, fingerprint or %s candidate in the answer", i, opt.tcp ? "TCP" : "UDP");
		return false;
	}
	start(v, &r);
	return true;
}

static void
leave(struct viewer *v)
{
	static char reply[REPLY_MAX];
	const char *path = v->location + strspn(v->location, " ");

	if (v->client != NULL && !opt.quiet) {
		rtc_client_close(v->client);
		if (strncmp(path, "http://", 7) == 0)
			path = path + 7 + strcspn(path + 7, "/");
		if (*path == '/')
			ask("DELETE", path, "", reply);
	}
	rtc_client_free(&v->client);
}

/* --- the loop --- */

/* Until then, or until done() says so. */
static void
run_until(int64_t end_ms, bool (*done)(void))
{
	struct epoll_event events[EVENTS];
	int64_t step_ms = 0, now;
	int n;

	while ((now = now_ms()) < end_ms && !stopped && (done == NULL || !done())) {
		if (now >= step_ms) {
			for (int i = 0; i < opt.n; i++)
				if (viewers[i].client != NULL)
					rtc_client_step(viewers[i].client);
			step_ms = now + STEP_MS;
		}
		n = epoll_wait(epfd, events, EVENTS, (int)(end_ms < step_ms ? end_ms - now : step_ms - now));
		for (int i = 0; i < n; i++)
			rtc_client_step(events[i].data.ptr);
	}
}

static bool
all_watch(void)
{
	for (int i = 0; i < opt.n; i++)
		if (viewers[i].client != NULL && !rtc_client_stats(viewers[i].client)->failed &&
		    rtc_client_stats(viewers[i].client)->first_ms == 0)
			return false;
	return true;
}

/* --- the report --- */

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void
print_times(const char *name, int64_t *ms, int n)
{
	qsort(ms, (size_t)n, sizeof(*ms), by_value);
	printf(", \"%s\": {\"median\": %lld, \"max\": %lld}", name, n > 0 ? (long long)ms[n / 2] : -1,
	    n > 0 ? (long long)ms[n - 1] : -1);
}

static int
report(int refused, double seconds)
{
	int64_t *setup = xcalloc((size_t)opt.n, sizeof(*setup)), *first = xcalloc((size_t)opt.n, sizeof(*first));
	uint64_t rtp = 0, bytes = 0, lost = 0, late = 0, bad = 0;
	int connected = 0, fed = 0, closed = 0;

	for (int i = 0; i < opt.n; i++) {
		const struct rtc_client_stats *s;

		if (viewers[i].client == NULL)
			continue;
		s = rtc_client_stats(viewers[i].client);
		if (s->connected)
			setup[connected++] = s->connected_ms - s->started_ms;
		if (s->first_ms > 0)
			first[fed++] = s->first_ms - s->started_ms;
		closed += s->closed;
		rtp += s->rtp - viewers[i].rtp_before;
		bytes += s->bytes - viewers[i].bytes_before;
		bad += s->bad;
		for (int k = 0; k < RTC_CLIENT_SSRCS; k++) {
			lost += s->source[k].lost;
			late += s->source[k].late;
		}
	}
	printf("{\"viewers\": %d, \"connected\": %d, \"fed\": %d, \"refused\": %d, \"closed\": %d, \"seconds\": %.3f, "
	    "\"rtp\": %llu, \"bytes\": %llu, \"lost\": %llu, \"late\": %llu, \"bad\": %llu", opt.n, connected, fed, refused,
	    closed, seconds, (unsigned long long)rtp, (unsigned long long)bytes, (unsigned long long)lost,
	    (unsigned long long)late, (unsigned long long)bad);
	print_times("setup_ms", setup, connected);
	print_times("first_ms", first, fed);
	printf("}\n");
	free(setup);
	free(first);
	return fed == opt.n && refused == 0 ? 0 : 1;
}

/* --- main --- */

static void
usage(void)
{
	fprintf(stderr, "usage: rtcload [-dqT] [-n N] [-m NAMES] [-t SEC] [-w SEC] [-i MS] [-a IP] "
	    "http://HOST:PORT/whep/NAME | -s\n");
	exit(2);
}

static void
parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:m:t:w:i:a:dTqs")) != -1)
		switch (c) {
		case 'n': opt.n = atoi(optarg); break;
		case 'm': opt.names = atoi(optarg); break;
		case 't': opt.seconds = atol(optarg); break;
		case 'w': opt.wait = atol(optarg); break;
		case 'i': opt.start_ms = atoi(optarg); break;
		case 'a': opt.address = optarg; break;
		case 'd': opt.decrypt = true; break;
		case 'T': opt.tcp = true; break;
		case 'q': opt.quiet = true; break;
		case 's': opt.lines = opt.quiet = true; break;
		default: usage();
		}
	if (opt.n < 1 || opt.names < 1 || optind != argc - !opt.lines || (!opt.lines &&
	    sscanf(argv[optind], "http://%255[^:/]:%7[0-9]%511[^\n]", opt.host, opt.port, opt.path) != 3))
		usage();
}

static void
stop_cb(int sig)
{
	stopped = 1;
}

static void
prepare(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct rlimit files;
	int rc = opt.lines ? 0 : getaddrinfo(opt.host, opt.port, &hints, &address);

	if (rc != 0)
		errx(2, "%s: %s", opt.host, gai_strerror(rc));
	if (opt.lines)
		printf("%s\n", rtc_client_fingerprint());
	fflush(stdout);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, stop_cb);
	signal(SIGTERM, stop_cb);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	viewers = xcalloc((size_t)opt.n, sizeof(*viewers));
}

int
main(int argc, char **argv)
{
	int refused = 0, rc;
	int64_t begun;

	parse_options(argc, argv);
	prepare();
	for (int i = 0; i < opt.n && !stopped; i++) {
		refused += !(opt.lines ? join_by_line : join)(&viewers[i], i);
		run_until(now_ms() + opt.start_ms, NULL);
	}
	run_until(now_ms() + opt.wait * 1000, all_watch);
	for (int i = 0; i < opt.n; i++)
		if (viewers[i].client != NULL) {
			viewers[i].rtp_before = rtc_client_stats(viewers[i].client)->rtp;
			viewers[i].bytes_before = rtc_client_stats(viewers[i].client)->bytes;
		}
	fprintf(stderr, "rtcload: watching\n");		/* the caller begins to measure */
	begun = now_ms();
	run_until(begun + opt.seconds * 1000, NULL);
	rc = report(refused, (double)(now_ms() - begun) / 1000);
	fflush(stdout);
	for (int i = 0; i < opt.n; i++)
		leave(&viewers[i]);
	free(viewers);
	if (address != NULL)
		freeaddrinfo(address);
	close(epfd);
	return rc;
}
