/*
 * conf_keys_limits.h - the rows of section limits: a part of conf_keys.c's table, for which that
 * file is long enough without them. Included there and nowhere else.
 */
#ifndef MILLRACE_CONF_KEYS_LIMITS_H
#define MILLRACE_CONF_KEYS_LIMITS_H

#define CONF_KEYS_LIMITS \
	{ "limits.connections", CONF_INT, "1000", CONF_LIVE, 0, 1, 10000, NULL, \
	    "Publishers' connections in all; one process each.", false }, \
	{ "limits.per_address", CONF_INT, "250", CONF_LIVE, 0, 1, 10000, NULL, \
	    "Publishers' connections of one address.", false }, \
	{ "limits.handshakes", CONF_INT, "250", CONF_LIVE, 0, 1, 10000, NULL, \
	    "Connections that do not publish yet; when full, the oldest is closed.", false }, \
	{ "limits.spare", CONF_INT, "2", CONF_LIVE, 0, 0, 64, NULL, \
	    "Idle ingests kept ready, so that a publisher waits for no start of a process.", false }, \
	{ "limits.ingest_memory", CONF_SIZE, "256MiB", CONF_NEW_STREAMS, 0, MIB(64), GIB(64), NULL, \
	    "Address space of an ingest. More than streams.ring and rtmp.max_buffered and " \
	    "64MiB.", false }, \
	{ "limits.ffmpeg_memory", CONF_SIZE, "1GiB", CONF_NEW_STREAMS, 0, MIB(64), GIB(64), NULL, \
	    "Address space of an ffmpeg.", false }, \
	{ "limits.worker_memory", CONF_SIZE, "2GiB", CONF_RESTART, 0, MIB(128), GIB(64), NULL, \
	    "Memory of each other process of ours, as an HTTP worker; who wants more is replaced. A " \
	    "WebRTC worker may have webrtc.ring for each of its streams on top.", false }, \
	{ "limits.files", CONF_INT, "1024", CONF_NEW_STREAMS, 0, 64, 1000000, NULL, \
	    "Descriptors of a child; an HTTP worker gets two per connection.", false }, \
	{ "limits.pushes", CONF_INT, "8", CONF_LIVE, 0, 0, 8, NULL, \
	    "Push targets of one stream.", false }, \
	{ "limits.pushes_added", CONF_INT, "1000", CONF_LIVE, 0, 0, 10000, NULL, \
	    "Push targets that `millrace push add` and the API may add, of all streams together.", false }, \
	{ "limits.ingress_keys", CONF_INT, "10000", CONF_LIVE, 0, 0, 100000, NULL, \
	    "Streams that /v1/createIngress may have given a key.", false }, \
	{ "limits.control", CONF_INT, "32", CONF_LIVE, 0, 2, 1000, NULL, \
	    "Clients of control.sock at once: `millrace` while it asks, scripts.", false }, \
	{ "limits.calls", CONF_INT, "1024", CONF_LIVE, 0, 1, 100000, NULL, \
	    "Questions that one process has asked another and that are not answered yet.", false }, \
	{ "limits.watch_files", CONF_INT, "100000", CONF_LIVE, SEE_WATCH, 16, 10000000, NULL, \
	    "Files of watched folders that are known; what is beyond is not looked at.", false }, \
	{ "limits.watch_depth", CONF_INT, "16", CONF_LIVE, SEE_WATCH, 1, 64, NULL, \
	    "Folders inside each other that a recursive watch goes into.", false }

#endif
