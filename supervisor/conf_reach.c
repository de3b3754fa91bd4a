/*
 * conf_reach.c - ports that two of ours want, and hooks' URLs that no request would leave for.
 *
 * Errors are what never works; hints, only of `millraced -t`, are what does at times. A hook's URL
 * is never part of a message, it may hold a key; the address in it is. Names are not looked up: only
 * localhost is known. Pure; called by conf_check.c and conf_host.c.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf.h"
#include "net.h"
#include "obj.h"
#include "private.h"
#include "supervisor/conf_table.h"
#include "url.h"
#include "util.h"

/* --- ports --- */

static const char *
first_taken(const json_t *listeners, const struct net_addr *by)
{
	const json_t *one;
	struct net_addr addr;
	size_t i;

	json_array_foreach(listeners, i, one)
		if (net_parse(obj_str(one, "address"), &addr) == 0 && net_collide(&addr, by))
			return obj_str(one, "address");
	return NULL;
}

static void
check_listeners(const json_t *conf, const unsigned *lines, struct conf_errors *e)
{
	const json_t *one;
	struct net_addr addr;
	const char *text;
	size_t i;

	if (!conf_both_read(lines, "http.listen", "rtmp.listen"))
		return;
	json_array_foreach(conf_get(conf, "http.listen"), i, one)
		if (net_parse(obj_str(one, "address"), &addr) == 0 &&
		    (text = first_taken(conf_get(conf, "rtmp.listen"), &addr)) != NULL)
			conf_error(e, conf_line_of(lines, "http.listen", "rtmp.listen"), "http.listen and rtmp.listen "
			    "both have %s", text);
}

/* Each worker has a port of its own, the next one. 0: there are none, or any. */
static int64_t
webrtc_ports(const json_t *conf, struct net_addr *first)
{
	if (net_parse(conf_str(conf, "webrtc.listen"), first) == -1 || net_port((const void *)&first->ss) == 0)
		return 0;
	return conf_int(conf, "webrtc.workers");
}

static void
check_tcp(const json_t *conf, const char *key, const unsigned *lines, struct conf_errors *e)
{
	struct net_addr addr;
	int64_t n = webrtc_ports(conf, &addr);
	unsigned port = n > 0 ? net_port((const void *)&addr.ss) : 0;
	const char *text;

	if (!conf_bool(conf, "webrtc.tcp") || !conf_both_read(lines, key, "webrtc.listen") ||
	    !conf_both_read(lines, "webrtc.workers", "webrtc.tcp"))
		return;
	for (int64_t i = 0; i < n && port + i <= 65535; i++) {
		net_set_port(&addr, port + (unsigned)i);
		if ((text = first_taken(conf_get(conf, key), &addr)) != NULL)
			conf_error(e, conf_line_of(lines, key, "webrtc.listen"), "%s and webrtc.listen%s both have %s "
			    "over TCP: give one of them another port, or set webrtc.tcp: false", key,
			    n > 1 ? ", a port per worker," : "", text);
	}
}

/* How many of webrtc.ingest_ports are the workers', and of how many; 0: none. */
static unsigned
shared_ports(const json_t *conf, unsigned *all)
{
	struct net_addr addr;
	int64_t n = webrtc_ports(conf, &addr), port = n > 0 ? net_port((const void *)&addr.ss) : 0;
	unsigned first, last, shared = 0;

	*all = 0;
	if (conf_parse_ports(conf_str(conf, "webrtc.ingest_ports"), &first, &last) == -1)
		return 0;
	*all = last - first + 1;
	for (int64_t p = port; p < port + n; p++)
		shared += p >= first && p <= last;
	return shared;
}

static void
check_ingest_ports(const json_t *conf, const unsigned *lines, struct conf_errors *e)
{
	unsigned all;

	if (conf_both_read(lines, "webrtc.ingest_ports", "webrtc.listen") &&
	    conf_both_read(lines, "webrtc.workers", "webrtc.workers") && shared_ports(conf, &all) == all && all > 0)
		conf_error(e, conf_line_of(lines, "webrtc.ingest_ports", "webrtc.listen"), "webrtc.ingest_ports has no "
		    "port that is not of webrtc.listen: want others, as 8200-8299");
}

static void
hint_ingest_ports(const json_t *conf, struct conf_errors *e)
{
	unsigned all, shared = shared_ports(conf, &all), line = conf_line(e->file, "webrtc.ingest_ports");

	if (shared > 0)
		conf_error(e, line != 0 ? line : conf_line(e->file, "webrtc.listen"), "warning: %u of "
		    "webrtc.ingest_ports (%s) %s of webrtc.listen, too: publishers have what is left, and a worker "
		    "more may find its port taken; give them others", shared, conf_str(conf, "webrtc.ingest_ports"),
		    shared == 1 ? "is" : "are");
}

/* --- URLs --- */

static bool
is_barred(const char *address, const json_t *networks)
{
	struct net_addr addr;

	return net_parse(address, &addr) == 0 && !private_allowed((const struct sockaddr *)&addr.ss, networks);
}

/* What a request is refused for (workers/hooks/send_url.c), if that is known before. */
static bool
leads_nowhere(const char *url, const json_t *networks, char address[NET_TEXT])
{
	char host[256], text[300];
	struct in_addr in;
	size_t n;
	const char *from = url_host(url, &n);

	n = from[0] == '[' ? strcspn(from, "]%") : url_host_name(from, n);	/* neither bracket nor zone */
	snprintf(host, sizeof(host), "%.*s", (int)n, from);
	if (strcasecmp(host, "localhost") == 0) {
		str_copy(address, "127.0.0.1", NET_TEXT);
		return is_barred("127.0.0.1:1", networks) && is_barred("[::1]:1", networks);
	}
	if (host[0] == '[')
		snprintf(text, sizeof(text), "%s]:1", host);
	else if (inet_aton(host, &in) != 0)	/* 127.1 and 0x7f000001 are addresses, too */
		snprintf(text, sizeof(text), "%s:1", inet_ntoa(in));
	else
		return false;
	snprintf(address, NET_TEXT, "%.*s", (int)strcspn(text + (host[0] == '['), host[0] == '[' ? "]" : ":"),
	    text + (host[0] == '['));
	return is_barred(text, networks);
}

static void
check_urls(const json_t *conf, const unsigned *lines, struct conf_errors *e)
{
	const json_t *networks = conf_get(conf, "hooks.networks"), *hook;
	char address[NET_TEXT], shown[CONF_HOOK_SHOWN];
	size_t i;

	if (!conf_both_read(lines, "hooks.networks", "hooks.networks"))
		return;
	if (conf_both_read(lines, "authorize.hook", "authorize.hook") &&
	    leads_nowhere(conf_str(conf, "authorize.hook"), networks, address))
		conf_error(e, conf_line_of(lines, "authorize.hook", NULL), "authorize.hook leads to %s, which is "
		    "private: add it to hooks.networks if that is meant", address);
	if (!conf_both_read(lines, "hooks.urls", "hooks.urls"))
		return;
	json_array_foreach(conf_get(conf, "hooks.urls"), i, hook)
		if (leads_nowhere(obj_str(hook, "url"), networks, address))
			conf_error(e, conf_line_of(lines, "hooks.urls", NULL), "hooks.urls: %s leads to "
			    "%s, which is private: add it to hooks.networks if that is meant",
			    conf_hook_show(obj_str(hook, "url"), shown), address);
}

/* Its receivers look a secret up by the key in the token. */
static void
check_livekit(const json_t *conf, const unsigned *lines, struct conf_errors *e)
{
	const json_t *hook;
	size_t i;

	if (!conf_both_read(lines, "hooks.urls", "hooks.secret") || conf_str(conf, "hooks.secret")[0] == '\0')
		return;
	json_array_foreach(conf_get(conf, "hooks.urls"), i, hook)
		if (strcmp(obj_str(hook, "style"), "livekit") == 0 && obj_str(hook, "key")[0] == '\0')
			conf_error(e, conf_line_of(lines, "hooks.urls", NULL), "hooks.urls: style livekit with "
			    "hooks.secret wants key, too: the API key whose secret it is");
}

/* LiveKit's own receivers take nothing without a token; another one may not look at it. */
static void
hint_livekit(const json_t *conf, struct conf_errors *e)
{
	const json_t *hook;
	char shown[CONF_HOOK_SHOWN];
	size_t i;

	json_array_foreach(conf_get(conf, "hooks.urls"), i, hook)
		if (strcmp(obj_str(hook, "style"), "livekit") == 0 && obj_str(hook, "secret")[0] == '\0' &&
		    conf_str(conf, "hooks.secret")[0] == '\0')
			conf_error(e, conf_line(e->file, "hooks.urls"), "warning: hooks.urls: style livekit to %s "
			    "is sent without a token, which LiveKit's receivers refuse: give it key and secret",
			    conf_hook_show(obj_str(hook, "url"), shown));
}

static void
hint_timeout(const json_t *conf, struct conf_errors *e)
{
	int64_t ask = conf_int(conf, "authorize.hook_timeout"), wait = conf_int(conf, "rtmp.handshake_timeout");
	unsigned line = conf_line(e->file, "authorize.hook_timeout");
	char buf[CONF_FORMAT];

	if (conf_str(conf, "authorize.hook")[0] != '\0' && ask >= wait)
		conf_error(e, line != 0 ? line : conf_line(e->file, "rtmp.handshake_timeout"), "warning: "
		    "authorize.hook_timeout: publishers by RTMP are cut off after rtmp.handshake_timeout, %s, whatever "
		    "is answered later: give it less than that", conf_format_duration(wait, buf));
}

void
conf_check_reach(const json_t *conf, const unsigned *lines, struct conf_errors *e)
{
	check_listeners(conf, lines, e);
	check_tcp(conf, "http.listen", lines, e);
	check_tcp(conf, "rtmp.listen", lines, e);
	check_ingest_ports(conf, lines, e);
	check_urls(conf, lines, e);
	check_livekit(conf, lines, e);
}

void
conf_reach_hints(const json_t *conf, struct conf_errors *e)
{
	hint_ingest_ports(conf, e);
	hint_livekit(conf, e);
	hint_timeout(conf, e);
}
