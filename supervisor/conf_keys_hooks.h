/*
 * conf_keys_hooks.h - the rows of webhooks, and of the hook that is asked whether somebody may
 * publish: parts of conf_keys.c's table. Included there and nowhere else.
 */
#ifndef MILLRACE_CONF_KEYS_HOOKS_H
#define MILLRACE_CONF_KEYS_HOOKS_H

#include "conf.h"

#define CONF_KEYS_AUTHORIZE_HOOK \
	{ "authorize.hook", CONF_URL, "\"\"", CONF_LIVE, SEE_HOOKS, 0, 0, NULL, \
	    "URL that is asked before anybody publishes, after key and signature. Empty: nobody is asked.", true }, \
	{ "authorize.hook_style", CONF_CHOICE, "native", CONF_LIVE, SEE_HOOKS, 0, 0, "native|nginx-rtmp|srs|mediamtx", \
	    "How it is asked, and what it must answer to allow.", false }, \
	{ "authorize.hook_timeout", CONF_DURATION, "3s", CONF_LIVE, SEE_HOOKS, 50, SEC(30), NULL, \
	    "No answer for this long: as hook_fail says. Less than rtmp.handshake_timeout.", false }, \
	{ "authorize.hook_cache", CONF_DURATION, "10s", CONF_LIVE, SEE_HOOKS, 0, SEC(86400), NULL, \
	    "The same publisher with the same query is not asked for again for this long. 0s: always.", false }, \
	{ "authorize.hook_max_asked", CONF_INT, "128", CONF_LIVE, SEE_HOOKS, 1, 512, NULL, \
	    "Publishers asked about at once; further ones are refused, whatever hook_fail says.", false }, \
	{ "authorize.hook_max_cached", CONF_INT, "1024", CONF_LIVE, SEE_HOOKS, 1, 100000, NULL, \
	    "Verdicts kept for hook_cache; of more the oldest is forgotten.", false }, \
	{ "authorize.hook_fail", CONF_CHOICE, "deny", CONF_LIVE, SEE_HOOKS, 0, 0, "deny|allow", \
	    "What counts when that URL gives no verdict: no answer, a 5xx or a 429.", false }

#define CONF_KEYS_HOOKS \
	{ "hooks.urls", CONF_HOOKS, "[]", CONF_LIVE, SEE_HOOKS, 0, 0, NULL, \
	    "URLs that events are sent to, each {url: \"https://HOST/PATH\", id: shop, events: [publish, unpublish], " \
	    "streams: \"*\", style: native, secret: \"...\", key: \"\"}.", true }, \
	{ "hooks.secret", CONF_SECRET, "\"\"", CONF_LIVE, SEE_HOOKS, 16, 0, NULL, \
	    "Signs what is sent to URLs that have no secret of their own. Empty: that is not signed.", true }, \
	{ "hooks.networks", CONF_NETS, "[]", CONF_LIVE, SEE_HOOKS, 0, 64, NULL, \
	    "Private networks, this host among them, in which URLs may be: 127.0.0.0/8, 10.0.0.0/8. Public ones " \
	    "always may.", false }, \
	{ "hooks.timeout", CONF_DURATION, "10s", CONF_LIVE, SEE_HOOKS, 100, SEC(120), NULL, \
	    "How long one request may take.", false }, \
	{ "hooks.retry", CONF_DURATION, "1d", CONF_LIVE, SEE_HOOKS, SEC(1), SEC(365 * 86400), NULL, \
	    "How long an event is tried again; then it is a dead letter.", false }, \
	{ "hooks.retry_min", CONF_DURATION, "1s", CONF_LIVE, SEE_HOOKS, 10, SEC(3600), NULL, \
	    "Until an event is tried again; doubled with each failure.", false }, \
	{ "hooks.retry_max", CONF_DURATION, "1m", CONF_LIVE, SEE_HOOKS, 10, SEC(86400), NULL, \
	    "Longest such wait. Not less than retry_min.", false }, \
	{ "hooks.per_url", CONF_INT, "4", CONF_LIVE, SEE_HOOKS, 1, 64, NULL, \
	    "Requests to one URL at once, each of another stream.", false }, \
	{ "hooks.concurrency", CONF_INT, "64", CONF_LIVE, SEE_HOOKS, 1, 512, NULL, \
	    "Requests at once in all. One is each URL's own, so give no less than there are URLs.", false }, \
	{ "hooks.max_waiting", CONF_INT, "100000", CONF_LIVE, SEE_HOOKS | SEE_REGISTRY, 16, 10000000, NULL, \
	    "Events that wait in Redis for one URL; with more, new ones are lost to it, counted.", false }, \
	{ "hooks.max_dead", CONF_INT, "1000", CONF_LIVE, SEE_HOOKS, 0, 100000, NULL, \
	    "Dead letters that are kept, the newest.", false }, \
	{ "hooks.error_interval", CONF_DURATION, "10s", CONF_LIVE, 0, 100, SEC(3600), NULL, \
	    "Each trouble of a stream is told at most once in this time; what was over before it was told is not.", \
	    false }, \
	{ "hooks.max_viewers", CONF_INT, "131072", CONF_LIVE, 0, 1, 1 << 24, NULL, \
	    "Viewers that play and stop are told of at once; of who comes beyond that neither is told.", false }, \
	{ "hooks.max_registered", CONF_INT, "100", CONF_LIVE, SEE_HOOKS, 0, CONF_REGISTERED_MAX, NULL, \
	    "URLs that may be registered by /v1/registerWebhook.", false }, \
	{ "hooks.ca_file", CONF_TEXT, "\"\"", CONF_LIVE, SEE_HOOKS, 0, 0, NULL, \
	    "Certificates to trust instead of the system's.", false }
#endif
