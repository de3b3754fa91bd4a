/*
 * conf_keys_webrtc.h - the rows of section webrtc: a part of conf_keys.c's table, for which that
 * file is long enough without them. Included there and nowhere else.
 */
#ifndef MILLRACE_CONF_KEYS_WEBRTC_H
#define MILLRACE_CONF_KEYS_WEBRTC_H

#define CONF_KEYS_WEBRTC \
	{ "webrtc.listen", CONF_ADDRESS, "\":8189\"", CONF_LIVE, SEE_WEBRTC | SEE_HTTP, 0, 0, NULL, \
	    "Address of the first WebRTC worker, UDP and TCP; each further one has the next port. Port 0: any free " \
	    "ones.", false }, \
	{ "webrtc.workers", CONF_INT, "1", CONF_LIVE, SEE_WEBRTC | SEE_INGEST | SEE_HTTP, 0, 16, NULL, \
	    "Processes that serve browsers by WebRTC, streams spread over them by name. 0: no WebRTC.", false }, \
	{ "webrtc.addresses", CONF_ADDRESSES, "[]", CONF_LIVE, SEE_WEBRTC | SEE_INGEST, 0, 16, NULL, \
	    "This host's IP addresses as browsers reach them, behind NAT the public one. Empty: those of its " \
	    "interfaces.", false }, \
	{ "webrtc.ice_servers", CONF_ICE_SERVERS, "[]", CONF_LIVE, SEE_HTTP | SEE_INGEST, 0, 4, NULL, \
	    "STUN and TURN servers that players and publishers are told of, each \"stun:HOST:PORT\" or " \
	    "\"turn:HOST:PORT USER PASSWORD\". This server needs none.", true }, \
	{ "webrtc.tcp", CONF_BOOL, "true", CONF_LIVE, SEE_WEBRTC, 0, 0, NULL, \
	    "Also by TCP, for networks without UDP.", false }, \
	{ "webrtc.ingest_ports", CONF_PORTS, "8200-8299", CONF_LIVE, 0, 1, 65535, NULL, \
	    "UDP ports for publishers by WHIP, one each; others than those of webrtc.listen.", false }, \
	{ "webrtc.jitter", CONF_DURATION, "200ms", CONF_NEW_STREAMS, SEE_INGEST, 0, SEC(5), NULL, \
	    "How long a publisher's packets wait for one that is missing, which is asked for again meanwhile.", \
	    false }, \
	{ "webrtc.key_frame_interval", CONF_DURATION, "2s", CONF_NEW_STREAMS, SEE_INGEST, 0, SEC(60), NULL, \
	    "A publisher by WHIP whose last key frame is older is asked for one: browsers send none by " \
	    "themselves. 0: it is not.", false }, \
	{ "webrtc.publish_bitrate", CONF_BITRATE, "8M", CONF_NEW_STREAMS, SEE_INGEST, 100000, 100000000, NULL, \
	    "Bits a second that a browser that publishes by WHIP is told it may send; it begins with that, and " \
	    "less if packets are lost.", false }, \
	{ "webrtc.first_media_timeout", CONF_DURATION, "30s", CONF_LIVE, SEE_INGEST, 100, SEC(600), NULL, \
	    "From a WHIP publisher's connection to its first audio or video.", false }, \
	{ "webrtc.max_viewers", CONF_INT, "1000", CONF_LIVE, SEE_WEBRTC, 1, 100000, NULL, \
	    "Viewers of one worker.", false }, \
	{ "webrtc.max_per_address", CONF_INT, "500", CONF_LIVE, SEE_WEBRTC, 1, 100000, NULL, \
	    "Viewers of one worker that one address has, of IPv6 a /64. A proxy that is not in http.trusted_proxies " \
	    "is one.", false }, \
	{ "webrtc.max_sdp", CONF_SIZE, "32KiB", CONF_LIVE, SEE_WEBRTC | SEE_INGEST | SEE_HTTP, KIB(4), KIB(56), NULL, \
	    "Longest session description taken.", false }, \
	{ "webrtc.max_chat", CONF_SIZE, "2KiB", CONF_LIVE, SEE_WEBRTC, 0, KIB(64), NULL, \
	    "Longest chat message in a room.", false }, \
	{ "webrtc.chat_rate", CONF_INT, "2", CONF_LIVE, SEE_WEBRTC, 0, 1000, NULL, \
	    "Chat messages a second of one client of a room; five may come at once. 0: no chat.", false }, \
	{ "webrtc.room_chat_rate", CONF_INT, "20", CONF_LIVE, SEE_WEBRTC, 0, 1000, NULL, \
	    "Chat messages a second in one room.", false }, \
	{ "webrtc.max_handshakes", CONF_INT, "200", CONF_LIVE, SEE_WEBRTC, 1, 100000, NULL, \
	    "Sessions of one worker that have an answer and are not connected yet; when full, the oldest goes.", \
	    false }, \
	{ "webrtc.max_checks", CONF_INT, "50", CONF_LIVE, SEE_WEBRTC | SEE_INGEST, 5, 10000, NULL, \
	    "ICE checks of one browser that are answered in a second.", false }, \
	{ "webrtc.max_queued", CONF_INT, "2000", CONF_LIVE, SEE_WEBRTC | SEE_INGEST, 16, 100000, NULL, \
	    "Packets of one viewer that may wait for the network; what is more is dropped, counted.", false }, \
	{ "webrtc.transcode", CONF_CHOICE, "auto", CONF_NEW_STREAMS, SEE_INGEST, 0, 0, "auto|always|never", \
	    "Video that browsers cannot take is made H.264 baseline, while somebody watches; all video is; or " \
	    "none, and they get its sound. Sound is made Opus in any case.", false }, \
	{ "webrtc.opus_bitrate", CONF_BITRATE, "96k", CONF_NEW_STREAMS, 0, 6000, 510000, NULL, \
	    "Bits a second of sound that is made Opus.", false }, \
	{ "webrtc.linger", CONF_DURATION, "10s", CONF_LIVE, SEE_WEBRTC, 0, SEC(600), NULL, \
	    "How long a stream's media still goes to its worker, and its ffmpegs run, after the last viewer.", \
	    false }, \
	{ "webrtc.ring", CONF_SIZE, "16MiB", CONF_LIVE, SEE_WEBRTC, MIB(1), GIB(1), NULL, \
	    "Packets kept per stream: the newest key frame and what follows, which new viewers begin with and " \
	    "lost packets are sent from again.", false }, \
	{ "webrtc.consent", CONF_DURATION, "30s", CONF_LIVE, SEE_WEBRTC | SEE_INGEST, SEC(5), SEC(600), NULL, \
	    "A browser that has not asked again for this long is gone.", false }, \
	{ "webrtc.batch", CONF_DURATION, "20ms", CONF_NEW_STREAMS, SEE_INGEST, 0, SEC(1), NULL, \
	    "A stream that somebody watches by WebRTC is read, and handed on, this often.", false }, \
	{ "webrtc.lag", CONF_DURATION, "2s", CONF_NEW_STREAMS, SEE_INGEST, 200, SEC(60), NULL, \
	    "A worker, or an ffmpeg for it, so far behind goes on at the next key frame; what is between is " \
	    "lost, counted.", false }
#endif
