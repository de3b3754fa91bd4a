/*
 * listen_webrtc.c - the ports of WebRTC: of each worker one number, UDP and (webrtc.tcp) TCP,
 * bound here before rights are dropped and inherited by worker i, so that its successor has the
 * same. A browser is told them in an SDP, so any number will do; a firewall has to let them in.
 *
 * A port that is taken is an error as for every listener, but for the default alone: two
 * millraceds with small configs on one machine must not fight for what neither of them asked for.
 * Called by listen.c (start, reload, end) and child.c (whose descriptors).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/conf_table.h"
#include "supervisor/listen.h"
#include "util.h"

#define BACKLOG 256
#define ANY_TRIES 20		/* for a number that is free both by UDP and by TCP */
#define DEFAULT_TRIES 100	/* ports after the default that are looked at */
#define NAP_MS 50

struct ports { int udp, tcp; };	/* of one worker; tcp -1: not wanted */

static struct ports *table;
static int ntable;
static char *note;		/* standing: another port than the default's */

static void
close_ports(struct ports *p)
{
	if (p->udp != -1)
		close(p->udp);
	if (p->tcp != -1)
		close(p->tcp);
	p->udp = p->tcp = -1;
}

static void
free_table(struct ports **t, int *n)
{
	for (int i = 0; i < *n; i++)
		close_ports(&(*t)[i]);
	free(*t);
	*t = NULL;
	*n = 0;
}

static int
fail(const struct net_addr *addr, bool udp, char *why, size_t size)
{
	char text[NET_TEXT];

	listen_explain(addr, udp, net_format((const struct sockaddr *)&addr->ss, text), "webrtc.listen", why, size);
	return -1;
}

/* TCP with the number that UDP has. */
static int
open_tcp(struct ports *p, struct net_addr *addr)
{
	addr->len = sizeof(addr->ss);
	if (getsockname(p->udp, (struct sockaddr *)&addr->ss, &addr->len) == -1)
		return -1;
	p->tcp = net_listen(addr, BACKLOG);
	return p->tcp == -1 ? -1 : 0;
}

static int
open_ports(struct ports *p, const struct net_addr *addr, bool tcp, char *why, size_t size)
{
	int tries = net_port((const struct sockaddr *)&addr->ss) == 0 ? ANY_TRIES : 1, saved;
	struct net_addr bound = *addr;

	p->tcp = -1;
	while ((p->udp = net_udp(addr)) != -1) {
		if (!tcp || open_tcp(p, &bound) == 0)
			return 0;
		saved = errno;
		close_ports(p);
		errno = saved;
		if (--tries == 0)
			return fail(&bound, false, why, size);
	}
	return fail(addr, true, why, size);
}

/* Adds to t until it has n; -1: it is as it was, errno and why say what is in the way. */
static int
grow(struct ports **t, int *have, int n, const struct net_addr *first, bool tcp, char *why, size_t size)
{
	unsigned port = net_port((const struct sockaddr *)&first->ss);
	struct net_addr addr = *first;
	int i, saved;

	*t = xrealloc(*t, ((size_t)n + 1) * sizeof(**t));
	for (i = *have; i < n; i++) {
		net_set_port(&addr, port == 0 ? 0 : port + (unsigned)i);
		if (open_ports(&(*t)[i], &addr, tcp, why, size) == -1)
			break;
	}
	if (i == n) {
		*have = n;
		return 0;
	}
	saved = errno;
	while (--i >= *have)
		close_ports(&(*t)[i]);
	errno = saved;
	return -1;
}

/* Somebody's who is up, and not the rest of a millraced that was killed, which leaves by itself. */
static bool
is_another(const struct net_addr *addr)
{
	char holder[100], tcp[100];

	return strncmp(listen_holder(addr, true, holder, sizeof(holder)), "millraced ", 10) == 0 ||
	    strncmp(listen_holder(addr, false, tcp, sizeof(tcp)), "millraced ", 10) == 0;
}

static int
open_default(struct net_addr *addr, int n, bool tcp, const char *taken)
{
	unsigned first = net_port((const struct sockaddr *)&addr->ss);
	char why[400];

	for (unsigned i = 1; i <= DEFAULT_TRIES; i++) {
		net_set_port(addr, first + i);
		if (grow(&table, &ntable, n, addr, tcp, why, sizeof(why)) == 0) {
			note = xasprintf("webrtc.listen: %s; as it is not set, port %u is used", taken, first + i);
			report_note(note);
			return 0;
		}
	}
	return -1;
}

int
listen_webrtc_open(int64_t end)
{
	static const struct timespec nap = { 0, NAP_MS * 1000000 };
	int n = (int)conf_int(sv.conf, "webrtc.workers");
	bool tcp = conf_bool(sv.conf, "webrtc.tcp"), set = conf_line(sv.conf_path, "webrtc.listen") != 0, said = false;
	struct net_addr addr;
	char why[400] = "";

	if (n == 0 || net_parse(conf_str(sv.conf, "webrtc.listen"), &addr) == -1)
		return 0;
	while (grow(&table, &ntable, n, &addr, tcp, why, sizeof(why)) == -1) {
		bool taken = errno == EADDRINUSE;

		if (taken && now_ms() < end && (set || !is_another(&addr))) {
			if (!said)
				log_info("waiting for a port of webrtc.listen: %s", why);
			said = true;
			nanosleep(&nap, NULL);
		} else if (taken && !set)
			return open_default(&addr, n, tcp, why);
		else {
			log_errorx("%s", why);
			return -1;
		}
	}
	return 0;
}

void
listen_webrtc_close(void)
{
	report_unnote(&note);
	free_table(&table, &ntable);
}

/* A new set, while the old one is still there. */
static int
move_all(int n, const char *listen, bool tcp, char *why, size_t size)
{
	struct ports *fresh = NULL;
	struct net_addr addr;
	int nfresh = 0;

	if (net_parse(listen, &addr) == -1 || grow(&fresh, &nfresh, n, &addr, tcp, why, size) == -1) {
		free_table(&fresh, &nfresh);
		return -1;
	}
	report_unnote(&note);
	free_table(&table, &ntable);
	table = fresh;
	ntable = nfresh;
	return 0;
}

static int
switch_tcp(bool tcp, char *why, size_t size)
{
	struct net_addr addr;

	int rc = 0;

	for (int i = 0; i < ntable && tcp && rc == 0; i++)
		if (table[i].tcp == -1 && open_tcp(&table[i], &addr) == -1)
			rc = fail(&addr, false, why, size);
	for (int i = 0; i < ntable && (!tcp || rc == -1); i++)
		if (table[i].tcp != -1) {
			close(table[i].tcp);
			table[i].tcp = -1;
		}
	return rc;
}

static void
put_back(const json_t *from, json_t *to, const char *key)
{
	conf_set(to, key, json_deep_copy(conf_get(from, key)));
}

bool
listen_webrtc_reload(const json_t *from, json_t *to, char *why, size_t size)
{
	static const char *const keys[] = { "webrtc.listen", "webrtc.tcp", "webrtc.workers" };
	const char *listen = conf_str(to, keys[0]);
	bool tcp = conf_bool(to, keys[1]), changed[3];
	int n = (int)conf_int(to, keys[2]), rc = 0;
	struct net_addr addr;

	why[0] = '\0';
	for (int i = 0; i < 3; i++)
		changed[i] = !json_equal(conf_get(from, keys[i]), conf_get(to, keys[i]));
	if (!changed[0] && !changed[1] && !changed[2])
		return false;
	if (changed[0] || ntable == 0)
		rc = move_all(n, listen, tcp, why, size);
	else if (changed[1])
		rc = switch_tcp(tcp, why, size);
	while (rc == 0 && ntable > n)
		close_ports(&table[--ntable]);
	if (rc == 0 && ntable < n)
		rc = net_parse(listen, &addr) == -1 ? -1 : grow(&table, &ntable, n, &addr, tcp, why, size);
	if (rc == 0)
		return true;
	for (int i = 0; i < 3; i++)
		put_back(from, to, keys[i]);
	return false;
}

static unsigned
port_of(int fd)
{
	struct net_addr addr = { .len = sizeof(addr.ss) };

	if (getsockname(fd, (struct sockaddr *)&addr.ss, &addr.len) == -1)
		return 0;
	return net_port((const struct sockaddr *)&addr.ss);
}

void
listen_webrtc_show(char *buf, size_t size)
{
	const char *listen = conf_str(sv.conf, "webrtc.listen"), *colon = strrchr(listen, ':');
	int host = (int)(colon != NULL ? colon - listen : (long)strlen(listen)), n = 0;
	unsigned first = ntable > 0 ? port_of(table[0].udp) : 0;
	bool row = true;

	buf[0] = '\0';
	for (int i = 1; i < ntable; i++)
		row = row && port_of(table[i].udp) == first + (unsigned)i;
	if (ntable > 1 && row)
		snprintf(buf, size, "%.*s:%u-%u", host, listen, first, first + (unsigned)ntable - 1);
	for (int i = 0; i < ntable && (ntable == 1 || !row) && n >= 0 && (size_t)n < size; i++)
		n += snprintf(buf + n, size - (size_t)n, "%s%.*s:%u", i > 0 ? " " : "", host, listen,
		    port_of(table[i].udp));
}

int
listen_webrtc_fds(int worker, int fds[2])
{
	if (worker >= ntable)
		return 0;
	fds[0] = table[worker].udp;
	fds[1] = table[worker].tcp;
	return fds[1] == -1 ? 1 : 2;
}
