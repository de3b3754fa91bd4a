/*
 * conf_keys.c - THE table of config keys: type, default, limits, what a reload does with a
 * change, which kinds of children may see it. Nothing else in the tree knows a default.
 *
 * A key here is also named in etc/millrace.yaml (with this default) and man/millrace.yaml.5;
 * a unit test compares the three. `millrace help KEY` prints its line.
 */
#include "supervisor/conf_keys_hooks.h"
#include "supervisor/conf_keys_webrtc.h"
#include "supervisor/conf_table.h"

#define KIB(n) ((int64_t)(n) << 10)
#define MIB(n) ((int64_t)(n) << 20)
#define GIB(n) ((int64_t)(n) << 30)
#define SEC(n) ((int64_t)(n) * 1000)
#define MEDIA (SEE_INGEST | SEE_FINISH)
#define REDIS (SEE_REGISTRY | SEE_JOBS | SEE_WATCH | SEE_HOOKS)

const struct conf_key conf_keys[] = {
	{ "run_dir", CONF_PATH, "/run/millrace", CONF_RESTART, SEE_ALL, 0, 0, NULL,
	    "Sockets, pid file and the board that status reads. Private to one millraced; "
	    "made if absent.", false },
	{ "data_dir", CONF_PATH, "/var/lib/millrace", CONF_RESTART, SEE_ALL, 0, 0, NULL,
	    "Media, the embedded Redis' files, unsent events. Private to one millraced; "
	    "made if absent.", false },
	{ "user", CONF_TEXT, "\"\"", CONF_RESTART, 0, 0, 0, NULL,
	    "Account to run as when started as root. Empty: the account millrace if there "
	    "is one.", false },

	{ "host.name", CONF_TEXT, "\"\"", CONF_RESTART, SEE_ALL, 0, 0, NULL,
	    "This host's name in status, logs and events. Empty: the system's host name.", false },

	{ "redis.url", CONF_REDIS, "embedded", CONF_RESTART, REDIS, 0, 0, NULL,
	    "embedded (a private redis-server), redis://[USER:PASSWORD@]HOST[:PORT][/DB], "
	    "sentinel://[USER:PASSWORD@]HOST[:PORT],.../MASTER[/DB] or unix:///PATH.", false },
	{ "redis.prefix", CONF_TEXT, "\"millrace:\"", CONF_RESTART, REDIS, 0, 0, NULL,
	    "What every key in Redis begins with; one cluster, one prefix.", false },
	{ "redis.when_down", CONF_CHOICE, "allow", CONF_LIVE, SEE_REGISTRY, 0, 0, "allow|refuse",
	    "New publishers while a shared Redis is away: let in, or refused. Running "
	    "streams go on.", false },
	{ "redis.claim_wait", CONF_DURATION, "250ms", CONF_LIVE, SEE_REGISTRY, 10, SEC(10), NULL,
	    "How long a new publisher waits for the lease of its name in a shared Redis.", false },
	{ "redis.timeout", CONF_DURATION, "1s", CONF_LIVE, REDIS, 10, SEC(60), NULL,
	    "A command without an answer for this long: Redis counts as away.", false },
	{ "redis.retry_max", CONF_DURATION, "5s", CONF_LIVE, REDIS, 100, SEC(600), NULL,
	    "Longest wait between two attempts to connect.", false },
	{ "redis.abandon_embedded", CONF_BOOL, "false", CONF_RESTART, SEE_REGISTRY, 0, 0, NULL,
	    "true: switch from embedded to a URL although the embedded one holds data.", false },

	{ "rtmp.listen", CONF_LISTENERS, "\":1935\"", CONF_LIVE, MEDIA | SEE_HTTP, 1, 16, NULL,
	    "Addresses for publishers. Each ADDRESS:PORT or {address: ..., proxy_protocol: "
	    "true}.", false },
	{ "rtmp.chunk_size", CONF_SIZE, "64KiB", CONF_NEW_STREAMS, SEE_INGEST, 128, 0xffffff, NULL,
	    "Chunk size of what we send.", false },
	{ "rtmp.ack_window", CONF_SIZE, "2500000B", CONF_NEW_STREAMS, SEE_INGEST, KIB(16), GIB(1), NULL,
	    "Acknowledgement window announced to publishers.", false },
	{ "rtmp.handshake_timeout", CONF_DURATION, "10s", CONF_NEW_STREAMS, SEE_INGEST, 100, SEC(300), NULL,
	    "From the connection to the publish command.", false },
	{ "rtmp.first_media_timeout", CONF_DURATION, "10s", CONF_LIVE, SEE_INGEST, 100, SEC(300), NULL,
	    "From the publish command to the first audio or video.", false },
	{ "rtmp.ping_interval", CONF_DURATION, "5s", CONF_LIVE, SEE_INGEST, 100, SEC(300), NULL,
	    "Between two pings to a publisher.", false },
	{ "rtmp.ping_timeout", CONF_DURATION, "15s", CONF_LIVE, SEE_INGEST, 200, SEC(600), NULL,
	    "No byte at all for this long: the publisher is gone. More than "
	    "ping_interval.", false },
	{ "rtmp.user_timeout", CONF_DURATION, "10s", CONF_NEW_STREAMS, SEE_INGEST, 0, SEC(600), NULL,
	    "TCP_USER_TIMEOUT: sent bytes unacknowledged for this long end the connection. "
	    "0s: as the kernel does.", false },
	{ "rtmp.max_message", CONF_SIZE, "10MiB", CONF_NEW_STREAMS, SEE_INGEST, KIB(64), 0xffffff, NULL,
	    "Longest message (one video frame) taken from a publisher.", false },
	{ "rtmp.max_chunk_streams", CONF_INT, "64", CONF_NEW_STREAMS, SEE_INGEST, 8, 65598, NULL,
	    "Chunk streams that one publisher may use.", false },
	{ "rtmp.max_buffered", CONF_SIZE, "16MiB", CONF_NEW_STREAMS, SEE_INGEST, KIB(64), GIB(1), NULL,
	    "Sum of a publisher's unfinished messages. Not less than max_message.", false },
	{ "rtmp.max_unpublished", CONF_SIZE, "64KiB", CONF_NEW_STREAMS, SEE_INGEST, KIB(4), MIB(16), NULL,
	    "The two of a connection whose publishing is not accepted yet.", false },
	{ "rtmp.max_unread", CONF_SIZE, "64KiB", CONF_NEW_STREAMS, SEE_INGEST, KIB(4), MIB(16), NULL,
	    "Replies that a publisher may leave unread.", false },
	{ "rtmp.max_metadata", CONF_SIZE, "64KiB", CONF_NEW_STREAMS, SEE_INGEST, KIB(1), MIB(1), NULL,
	    "Longest onMetaData that is looked at, and longest sequence header taken.", false },
	{ "rtmp.read_tick", CONF_DURATION, "250ms", CONF_LIVE, SEE_INGEST, 0, SEC(1), NULL,
	    "How often a live publisher's socket is read. Less: more CPU, not sooner "
	    "segments.", false },

	{ "http.listen", CONF_LISTENERS, "\":8080\"", CONF_LIVE, SEE_ALL, 1, 16, NULL,
	    "Addresses for viewers, and for publishers who come by WebSocket. As rtmp.listen; a port alone is one of "
	    "all interfaces.", false },
	{ "http.workers", CONF_INT, "2", CONF_LIVE, SEE_HTTP, 1, 64, NULL,
	    "Processes that share the HTTP listeners.", false },
	{ "http.public_url", CONF_BASE_URL, "\"\"", CONF_LIVE, SEE_ALL, 0, 0, NULL,
	    "This host's URL as viewers see it; where a viewer is sent who asks another "
	    "host of the cluster.", false },
	{ "http.api_token", CONF_SECRET, "\"\"", CONF_LIVE, SEE_HTTP, 8, 0, NULL,
	    "Bearer token for calls that change state. Empty: only from this machine.", true },
	{ "http.trusted_proxies", CONF_NETS, "[]", CONF_LIVE, SEE_HTTP, 0, 256, NULL,
	    "Networks whose Forwarded and X-Forwarded-For are believed.", false },
	{ "http.max_connections", CONF_INT, "4096", CONF_LIVE, SEE_HTTP, 8, 500000, NULL,
	    "Open connections of one worker.", false },
	{ "http.max_per_address", CONF_INT, "256", CONF_LIVE, SEE_HTTP, 1, 500000, NULL,
	    "Open connections of one address at one worker; trusted proxies are not "
	    "counted.", false },
	{ "http.header_timeout", CONF_DURATION, "10s", CONF_LIVE, SEE_HTTP, 100, SEC(600), NULL,
	    "From the first byte of a request to its end.", false },
	{ "http.idle_timeout", CONF_DURATION, "30s", CONF_LIVE, SEE_HTTP, 100, SEC(3600), NULL,
	    "Between two requests of a connection.", false },
	{ "http.send_timeout", CONF_DURATION, "30s", CONF_LIVE, SEE_HTTP, 100, SEC(3600), NULL,
	    "A viewer who takes no byte for this long is dropped.", false },
	{ "http.max_header", CONF_SIZE, "16KiB", CONF_LIVE, SEE_HTTP, KIB(1), MIB(1), NULL,
	    "Longest request head.", false },
	{ "http.max_body", CONF_SIZE, "64KiB", CONF_LIVE, SEE_HTTP, KIB(1), MIB(1), NULL,
	    "Longest request body of an API call.", false },
	{ "http.cors", CONF_TEXT, "\"*\"", CONF_LIVE, SEE_HTTP | SEE_INGEST, 0, 0, NULL,
	    "Access-Control-Allow-Origin of media. Empty: none.", false },
	{ "http.viewer_targets", CONF_INT, "3", CONF_LIVE, SEE_HTTP, 1, 60, NULL,
	    "A viewer is counted for this many target durations after the last playlist.", false },
	{ "http.max_viewers", CONF_INT, "65536", CONF_LIVE, SEE_HTTP, 16, 1 << 24, NULL,
	    "Viewers that are counted, per worker; above it the one unseen for longest is forgotten.", false },
	{ "http.max_recordings", CONF_INT, "10000", CONF_LIVE, SEE_HTTP, 1, 1000000, NULL,
	    "Recordings that /recordings lists, the newest. Older ones can still be fetched.", false },

	{ "ws.origins", CONF_ORIGINS, "[\"*\"]", CONF_LIVE, SEE_INGEST | SEE_WEBRTC, 0, 64, NULL,
	    "Origins of web pages that may open a WebSocket, as https://HOST. \"*\": any; pages of this "
	    "server always may.", false },
	{ "ws.max_message", CONF_SIZE, "64KiB", CONF_NEW_STREAMS, SEE_INGEST | SEE_WEBRTC, KIB(1), MIB(16), NULL,
	    "Longest text message taken over a WebSocket. Media is not bounded.", false },
	{ "ws.max_unread", CONF_SIZE, "256KiB", CONF_NEW_STREAMS, SEE_INGEST | SEE_WEBRTC, KIB(4), MIB(16), NULL,
	    "Messages that the other end of a WebSocket may leave unread.", false },
	{ "ws.buffer", CONF_SIZE, "4MiB", CONF_NEW_STREAMS, SEE_INGEST, KIB(256), MIB(64), NULL,
	    "Media of one publisher that may wait for ffmpeg; then its socket is not read.", false },
	{ "ws.stuck", CONF_DURATION, "10s", CONF_LIVE, SEE_INGEST, SEC(1), SEC(300), NULL,
	    "An ffmpeg that takes and gives nothing for this long, although media waits, is replaced.", false },
	{ "ws.ffmpeg_memory", CONF_SIZE, "3GiB", CONF_NEW_STREAMS, 0, MIB(256), GIB(64), NULL,
	    "Address space of the ffmpeg that makes H.264 and AAC of what a publisher sends, or of a push "
	    "that makes H.264.", false },
	{ "ws.hls_url", CONF_BASE_URL, "\"\"", CONF_LIVE, SEE_HTTP, 0, 0, NULL,
	    "A stream's playlist as viewers of rooms are told it: its last part is replaced, or, without .m3u8, "
	    "/NAME.m3u8 follows. Empty: hls_base_url, or this server's own.", false },
	{ "ws.hls_base_url", CONF_BASE_URL, "\"\"", CONF_LIVE, SEE_HTTP, 0, 0, NULL,
	    "What their playlists' URLs begin with; /NAME.m3u8 follows. It goes before hls_url.", false },
	{ "ws.first_media_timeout", CONF_DURATION, "30s", CONF_LIVE, SEE_INGEST, 100, SEC(600), NULL,
	    "From the connection to the first audio or video.", false },
	{ "ws.ping_interval", CONF_DURATION, "5s", CONF_LIVE, SEE_INGEST | SEE_WEBRTC, 100, SEC(300), NULL,
	    "Between two pings over a WebSocket.", false },
	{ "ws.ping_timeout", CONF_DURATION, "15s", CONF_LIVE, SEE_INGEST | SEE_WEBRTC, 200, SEC(600), NULL,
	    "No byte at all for this long: the other end is gone. More than ping_interval.", false },

	{ "authorize.patterns", CONF_PATTERNS, "[\"/live/{app}/{username}\", \"/live/{username}\"]",
	    CONF_NEW_STREAMS, SEE_INGEST | SEE_HTTP, 1, 32, NULL,
	    "Paths of RTMP URLs that may publish. {username} is the stream's name.", false },
	{ "authorize.routes", CONF_CHOICES, "[ws, whip, frames, upload]", CONF_LIVE, SEE_INGEST | SEE_HTTP, 0, 4,
	    "ws|whip|frames|upload", "Other ways to publish that are open, each as /ROUTE/NAME.", false },
	{ "authorize.keys", CONF_KEYS, "{}", CONF_LIVE, 0, 0, 0, NULL,
	    "Stream names and the hashes of their keys, as `millrace key NAME` prints them.", true },
	{ "authorize.secret", CONF_SECRET, "\"\"", CONF_LIVE, 0, 16, 0, NULL,
	    "Signs the expiring URLs of `millrace sign-url`. Empty: no signed URLs.", true },
	CONF_KEYS_AUTHORIZE_HOOK,

	{ "streams.reconnect_delay", CONF_DURATION, "5s", CONF_LIVE, SEE_ALL, 0, SEC(3600), NULL,
	    "How long a stream waits for its publisher to come back before its playlist "
	    "ends.", false },
	{ "streams.cleanup_delay", CONF_DURATION, "2s", CONF_LIVE, SEE_ALL, 0, SEC(3600), NULL,
	    "From the playlist's end to the removal of its files.", false },
	{ "streams.silence", CONF_DURATION, "2s", CONF_LIVE, SEE_ALL, 0, SEC(60), NULL,
	    "A publisher that sent no media for this long may be replaced by its own "
	    "second connection.", false },
	{ "streams.duplicate", CONF_CHOICE, "reject", CONF_LIVE, SEE_ALL, 0, 0, "reject|takeover",
	    "A second publisher of a name that is live: refused, or it takes over.", false },
	{ "streams.ring", CONF_SIZE, "32MiB", CONF_NEW_STREAMS, SEE_ALL, MIB(1), GIB(4), NULL,
	    "Media kept in memory per stream; an output that falls further behind loses "
	    "frames.", false },
	{ "streams.key_frame_age", CONF_DURATION, "15s", CONF_LIVE, SEE_ALL, SEC(1), SEC(600), NULL,
	    "Video without a key frame for this long is ended: it can't be cut into "
	    "segments.", false },
	{ "streams.max", CONF_INT, "256", CONF_LIVE, SEE_ALL, 1, 1024, NULL,
	    "Streams of this host.", false },
	{ "streams.hls.segment", CONF_DURATION, "1s", CONF_NEW_STREAMS, SEE_ALL, 200, SEC(60), NULL,
	    "Least length of a segment; each ends at the next key frame.", false },
	{ "streams.hls.window", CONF_INT, "6", CONF_NEW_STREAMS, SEE_ALL, 3, 63, NULL,
	    "Segments in the playlist.", false },
	{ "streams.hls.keep", CONF_INT, "3", CONF_NEW_STREAMS, SEE_ALL, 0, 63, NULL,
	    "Segments kept on disk after they left the playlist.", false },
	{ "streams.hls.batch", CONF_DURATION, "250ms", CONF_NEW_STREAMS, SEE_ALL, 0, SEC(5), NULL,
	    "Media is handed to ffmpeg this often, and at every key frame.", false },
	{ "streams.hls.stuck", CONF_DURATION, "5s", CONF_NEW_STREAMS, SEE_ALL, 500, SEC(300), NULL,
	    "An ffmpeg that takes no media for this long is replaced.", false },

	{ "storage.s3.endpoint", CONF_BASE_URL, "\"\"", CONF_LIVE, SEE_JOBS, 0, 0, NULL,
	    "URL of the S3 server that files are uploaded to. Empty: none.", false },
	{ "storage.s3.region", CONF_TEXT, "us-east-1", CONF_LIVE, SEE_JOBS, 0, 0, NULL,
	    "Its region, part of every signature.", false },
	{ "storage.s3.bucket", CONF_TEXT, "\"\"", CONF_LIVE, SEE_JOBS, 0, 0, NULL,
	    "Its bucket; Millrace does not make it. Empty: nothing is uploaded.", false },
	{ "storage.s3.prefix", CONF_TEXT, "\"\"", CONF_LIVE, SEE_JOBS, 0, 0, NULL,
	    "What names of objects of recordings begin with.", false },
	{ "storage.s3.access_key", CONF_TEXT, "\"\"", CONF_LIVE, SEE_JOBS, 0, 0, NULL,
	    "Who we are to it.", true },
	{ "storage.s3.secret_key", CONF_TEXT, "\"\"", CONF_LIVE, SEE_JOBS, 0, 0, NULL,
	    "Signs the requests. Best from the environment: ${S3_SECRET}.", true },
	{ "storage.s3.session_token", CONF_TEXT, "\"\"", CONF_LIVE, SEE_JOBS, 0, 0, NULL,
	    "Of temporary credentials.", true },
	{ "storage.s3.path_style", CONF_BOOL, "true", CONF_LIVE, SEE_JOBS, 0, 0, NULL,
	    "true: the bucket is part of the path. false: of the host's name, as AWS wants it.", false },
	{ "storage.s3.ca_file", CONF_TEXT, "\"\"", CONF_LIVE, SEE_JOBS, 0, 0, NULL,
	    "Certificates to trust instead of the system's.", false },
	{ "storage.s3.part_size", CONF_SIZE, "16MiB", CONF_LIVE, SEE_JOBS, MIB(5), GIB(5), NULL,
	    "A file goes up in parts of this size; bigger ones if it has more than max_parts of them.", false },
	{ "storage.s3.max_parts", CONF_INT, "1000", CONF_LIVE, SEE_JOBS, 1, 10000, NULL,
	    "Parts of one object that the server allows: AWS 10000, OpenStack Swift 1000.", false },
	{ "storage.s3.concurrency", CONF_INT, "4", CONF_LIVE, SEE_JOBS, 1, 32, NULL,
	    "Parts of one file that go up at once.", false },
	{ "storage.s3.bandwidth", CONF_SIZE, "0B", CONF_LIVE, SEE_JOBS, 0, GIB(100), NULL,
	    "Bytes a second that this host's uploads may send, shared evenly by the workers that "
	    "take them (jobs.uploads). 0B: no limit.", false },
	{ "storage.s3.attempts", CONF_INT, "5", CONF_LIVE, SEE_JOBS, 1, 100, NULL,
	    "Attempts of one request; then the whole job waits.", false },
	{ "storage.s3.connect_timeout", CONF_DURATION, "10s", CONF_LIVE, SEE_JOBS, 100, SEC(300), NULL,
	    "How long a connection may take to open.", false },
	{ "storage.s3.timeout", CONF_DURATION, "60s", CONF_LIVE, SEE_JOBS, SEC(1), SEC(3600), NULL,
	    "A request over which nothing moves for this long is given up.", false },

	{ "storage.s3.stale_after", CONF_DURATION, "24h", CONF_LIVE, SEE_JOBS, 0, SEC(30 * 86400), NULL,
	    "An upload that is open in the bucket for this long, under a name that Millrace gives, and that no "
	    "host knows of, is aborted. 0s: never.", false },

	{ "jobs.workers", CONF_INT, "0", CONF_LIVE, SEE_JOBS, 0, 64, NULL,
	    "Jobs (finishing recordings, uploads) that run at once, one process each. 0: as many as the "
	    "machine has cores.", false },
	{ "jobs.uploads", CONF_INT, "2", CONF_LIVE, SEE_JOBS, 1, 64, NULL,
	    "How many of the workers take uploads, too.", false },
	{ "jobs.lease", CONF_DURATION, "30s", CONF_LIVE, SEE_JOBS, SEC(2), SEC(3600), NULL,
	    "A worker of another host that says nothing for this long has lost its job to others.", false },
	{ "jobs.attempts", CONF_INT, "10", CONF_LIVE, SEE_JOBS, 1, 1000, NULL,
	    "A job that failed so often is dead, until `millrace jobs retry`.", false },
	{ "jobs.crashes", CONF_INT, "10", CONF_LIVE, SEE_JOBS, 1, 1000, NULL,
	    "So is one whose worker died so often in a row without progress.", false },
	{ "jobs.retry_min", CONF_DURATION, "1s", CONF_LIVE, SEE_JOBS, 10, SEC(3600), NULL,
	    "How long a failed job waits; doubled with each failure.", false },
	{ "jobs.retry_max", CONF_DURATION, "5m", CONF_LIVE, SEE_JOBS, 10, SEC(86400), NULL,
	    "Longest such wait.", false },
	{ "jobs.keep", CONF_INT, "1000", CONF_LIVE, SEE_JOBS, 0, 100000, NULL,
	    "Jobs that are done and still listed.", false },
	{ "jobs.scan", CONF_DURATION, "30s", CONF_LIVE, SEE_JOBS, SEC(1), SEC(3600), NULL,
	    "How often the disk is searched for recordings that no job is known of.", false },
	{ "jobs.converts", CONF_INT, "1", CONF_LIVE, SEE_JOBS, 1, 64, NULL,
	    "How many of the workers take conversions of sent files, too.", false },
	{ "jobs.pushes", CONF_INT, "2", CONF_LIVE, SEE_JOBS, 1, 64, NULL,
	    "Sent files that are pushed at once, one more process each; those of one target wait for each "
	    "other.", false },

	{ "upload.target", CONF_TEXT, "rtmp://localhost/live/stream", CONF_LIVE, SEE_JOBS, 0, 0, NULL,
	    "The RTMP server that sent files are pushed to, one after the other; with {name} in it each "
	    "name has its own.", true },
	{ "upload.target_base", CONF_TEXT, "\"\"", CONF_LIVE, SEE_JOBS, 0, 0, NULL,
	    "Not empty: a sent file goes to this URL with its name behind it; upload.target is not used.", true },
	{ "upload.verify", CONF_BOOL, "true", CONF_LIVE, 0, 0, 0, NULL,
	    "The certificate of an rtmps:// target must be right.", false },
	{ "upload.max_size", CONF_SIZE, "4GiB", CONF_LIVE, SEE_INGEST, 1, GIB(10240), NULL,
	    "Of one sent file, and of what it is converted to.", false },
	{ "upload.max_uploads", CONF_INT, "1000", CONF_LIVE, SEE_INGEST, 1, 1000000, NULL,
	    "Sent files that are here at once: unfinished ones, and those whose push is not done or given up.", false },
	{ "upload.max_per_address", CONF_INT, "100", CONF_LIVE, SEE_INGEST, 1, 1000000, NULL,
	    "Unfinished ones of one address, of IPv6 of a /64. A proxy that is not in http.trusted_proxies "
	    "is one.", false },
	{ "upload.idle_timeout", CONF_DURATION, "60s", CONF_LIVE, SEE_INGEST, SEC(1), SEC(3600), NULL,
	    "A sender from whom no byte of its file came for this long is sent away; it can go on later.", false },
	{ "upload.unsynced", CONF_SIZE, "64MiB", CONF_LIVE, SEE_INGEST, MIB(1), GIB(4), NULL,
	    "What of an upload may be received and not on the disk yet; then its sender waits.", false },
	{ "upload.retry", CONF_DURATION, "1d", CONF_LIVE, SEE_JOBS, SEC(1), SEC(365 * 86400), NULL,
	    "How long a push that comes to nothing is tried again; then its job is dead.", false },
	{ "upload.keep", CONF_DURATION, "7d", CONF_LIVE, SEE_JOBS, 0, SEC(365 * 86400), NULL,
	    "How long files of a dead or cancelled job are kept for `millrace jobs retry`, and the word that one "
	    "is done.", false },
	{ "upload.expire", CONF_DURATION, "1d", CONF_LIVE, SEE_INGEST | SEE_JOBS, SEC(1), SEC(365 * 86400), NULL,
	    "An unfinished upload to which nothing was added for this long is deleted.", false },
	{ "upload.max_kbps", CONF_INT, "4000", CONF_LIVE, 0, 50, 1000000, NULL,
	    "Kilobits a second of video that has to be encoded, at most.", false },
	{ "upload.memory", CONF_SIZE, "4GiB", CONF_LIVE, 0, MIB(64), GIB(64), NULL,
	    "Address space of an ffmpeg that converts.", false },
	{ "upload.convert_timeout", CONF_DURATION, "6h", CONF_LIVE, SEE_JOBS, SEC(1), SEC(30 * 86400), NULL,
	    "A conversion that takes longer is given up.", false },

	{ "streams.record.path", CONF_TEXT, "\"\"", CONF_NEW_STREAMS, SEE_ALL, 0, 0, NULL,
	    "MP4 files of recordings in data_dir, e.g. recordings/{stream}/{start}.mp4; {date}, too. Empty: "
	    "streams are not recorded.", false },
	{ "streams.record.split", CONF_DURATION, "1h", CONF_LIVE, SEE_ALL, 0, SEC(86400), NULL,
	    "A recording goes on in a new file after this time, at a key frame. 0s: never.", false },
	{ "streams.record.split_size", CONF_SIZE, "0B", CONF_LIVE, SEE_ALL, 0, GIB(10240), NULL,
	    "... or after this many bytes. 0B: never.", false },
	{ "streams.record.sync", CONF_DURATION, "1s", CONF_LIVE, SEE_ALL, 100, SEC(60), NULL,
	    "How often what was recorded is brought from the system's memory to the disk.", false },
	{ "streams.record.upload", CONF_BOOL, "true", CONF_LIVE, SEE_JOBS, 0, 0, NULL,
	    "Recordings go to storage.s3, if there is a bucket.", false },
	{ "streams.record.upload_while_recording", CONF_BOOL, "false", CONF_LIVE, SEE_JOBS, 0, 0, NULL,
	    "The raw recording goes up part by part while it is written, too, and makes room for its MP4 once "
	    "that is verified in the bucket.", false },
	{ "streams.record.keep.days", CONF_INT, "0", CONF_LIVE, SEE_JOBS, 0, 36500, NULL,
	    "Recordings that are older are deleted. 0: never.", false },
	{ "streams.record.keep.count", CONF_INT, "0", CONF_LIVE, SEE_JOBS, 0, 1000000, NULL,
	    "So many files of each stream are kept, the newest. 0: all.", false },
	{ "streams.record.keep.bytes", CONF_SIZE, "0B", CONF_LIVE, SEE_JOBS, 0, GIB(1048576), NULL,
	    "With more in all recordings together, the oldest are deleted. 0B: any number.", false },
	{ "streams.record.keep.free_space", CONF_SIZE, "0B", CONF_LIVE, SEE_JOBS, 0, GIB(1048576), NULL,
	    "With less left on the disk, the oldest recordings are deleted until there is. More than "
	    "disk.reserve, so that recording does not pause. 0B: none are.", false },
	{ "streams.record.keep.only_uploaded", CONF_BOOL, "true", CONF_LIVE, SEE_JOBS, 0, 0, NULL,
	    "With a bucket and streams.record.upload: only what is verified there is deleted here. false: "
	    "the others, too, and for good.", false },

	{ "frames.fps", CONF_INT, "15", CONF_NEW_STREAMS, SEE_INGEST, 1, 240, NULL,
	    "Frames a second of an MP4 whose client gave no times.", false },
	{ "frames.max_message", CONF_SIZE, "8MiB", CONF_NEW_STREAMS, SEE_INGEST, KIB(64), MIB(64), NULL,
	    "Longest message (one JPEG in base64) taken from a client of /frames.", false },
	{ "frames.max_pixels", CONF_INT, "8847360", CONF_NEW_STREAMS, SEE_INGEST, 256, 67108864, NULL,
	    "Pixels of one frame; 4096 x 2160 by default.", false },
	{ "frames.max_size", CONF_SIZE, "16GiB", CONF_NEW_STREAMS, SEE_INGEST, MIB(1), GIB(1024), NULL,
	    "What one session may send before it is finished.", false },
	{ "frames.max_time", CONF_DURATION, "6h", CONF_NEW_STREAMS, SEE_INGEST, SEC(1), SEC(43200), NULL,
	    "How long one session may last before it is finished.", false },
	{ "frames.idle_timeout", CONF_DURATION, "60s", CONF_NEW_STREAMS, SEE_INGEST, SEC(1), SEC(3600), NULL,
	    "A client of which nothing is heard for this long, not even an answer to a ping, is gone.", false },
	{ "frames.close_wait", CONF_DURATION, "30s", CONF_LIVE, SEE_INGEST, 0, SEC(600), NULL,
	    "How long CLOSE waits for its files to be complete before it is answered; then they are announced "
	    "as queued.", false },
	{ "frames.playback_file", CONF_TEXT, "\"\"", CONF_LIVE, SEE_INGEST, 0, 0, NULL,
	    "A sound file that is played to clients which ask for playback and have no recording of their "
	    "own. Empty: none.", false },
	{ "frames.playback_chunk", CONF_DURATION, "100ms", CONF_NEW_STREAMS, SEE_INGEST, 20, 500, NULL,
	    "Sound in one message of a playback.", false },
	{ "frames.ffmpeg_memory", CONF_SIZE, "3GiB", CONF_LIVE, 0, MIB(256), GIB(64), NULL,
	    "Address space of the ffmpeg that makes an MP4 of frames.", false },

	CONF_KEYS_WEBRTC,
	CONF_KEYS_HOOKS,

	{ "watch", CONF_WATCH, "[]", CONF_LIVE, SEE_WATCH | SEE_JOBS, 0, 0, NULL,
	    "Folders whose files are uploaded, each {dir: /PATH, extensions: [mp4, mkv], recursive: false, "
	    "to: s3://BUCKET/PREFIX/, layout: object|chunks, poll: 0s}.", false },
	{ "watch_quiet", CONF_DURATION, "2s", CONF_LIVE, SEE_WATCH, 100, SEC(3600), NULL,
	    "A file in a watched folder that has not changed for this long, and that nobody writes, is "
	    "complete.", false },
	{ "watch_rescan", CONF_DURATION, "60s", CONF_LIVE, SEE_WATCH, SEC(1), SEC(86400), NULL,
	    "How often watched folders are looked through for what the system did not tell.", false },

	{ "push", CONF_PUSH, "[]", CONF_LIVE, 0, 0, 0, NULL,
	    "Servers that streams are sent on to, each {id: youtube, url: \"rtmp://HOST/APP/KEY\", stream: \"*\", "
	    "app: \"*\", transcode: false, verify: true}; {stream}, {app} and {host} in the URL.", true },
	{ "push_batch", CONF_DURATION, "33ms", CONF_NEW_STREAMS, SEE_INGEST, 0, SEC(1), NULL,
	    "Media is handed to a push's ffmpeg this often; a stream with a push is read as often.", false },
	{ "push_lag", CONF_DURATION, "10s", CONF_NEW_STREAMS, SEE_INGEST, SEC(1), SEC(600), NULL,
	    "A push so far behind goes on at the next key frame; what is between is lost, counted.", false },
	{ "push_stuck", CONF_DURATION, "10s", CONF_NEW_STREAMS, SEE_INGEST, SEC(1), SEC(300), NULL,
	    "A push whose target takes nothing for this long is begun anew; half of it is how long a "
	    "target may take to answer.", false },

	{ "limits.connections", CONF_INT, "1000", CONF_LIVE, 0, 1, 10000, NULL,
	    "Publishers' connections in all; one process each.", false },
	{ "limits.per_address", CONF_INT, "250", CONF_LIVE, 0, 1, 10000, NULL,
	    "Publishers' connections of one address.", false },
	{ "limits.handshakes", CONF_INT, "250", CONF_LIVE, 0, 1, 10000, NULL,
	    "Connections that do not publish yet; when full, the oldest is closed.", false },
	{ "limits.spare", CONF_INT, "2", CONF_LIVE, 0, 0, 64, NULL,
	    "Idle ingests kept ready, so that a publisher waits for no start of a process.", false },
	{ "limits.ingest_memory", CONF_SIZE, "256MiB", CONF_NEW_STREAMS, 0, MIB(64), GIB(64), NULL,
	    "Address space of an ingest. More than streams.ring and rtmp.max_buffered and "
	    "64MiB.", false },
	{ "limits.ffmpeg_memory", CONF_SIZE, "1GiB", CONF_NEW_STREAMS, 0, MIB(64), GIB(64), NULL,
	    "Address space of an ffmpeg.", false },
	{ "limits.files", CONF_INT, "1024", CONF_NEW_STREAMS, 0, 64, 1000000, NULL,
	    "Descriptors of a child; an HTTP worker gets two per connection.", false },

	{ "limits.pushes", CONF_INT, "8", CONF_LIVE, 0, 0, 8, NULL,
	    "Push targets of one stream.", false },
	{ "limits.pushes_added", CONF_INT, "1000", CONF_LIVE, 0, 0, 10000, NULL,
	    "Push targets that `millrace push add` and the API may add, of all streams together.", false },
	{ "limits.ingress_keys", CONF_INT, "10000", CONF_LIVE, 0, 0, 100000, NULL,
	    "Streams that /v1/createIngress may have given a key.", false },

	{ "limits.watch_files", CONF_INT, "100000", CONF_LIVE, SEE_WATCH, 16, 10000000, NULL,
	    "Files of watched folders that are known; what is beyond is not looked at.", false },
	{ "limits.watch_depth", CONF_INT, "16", CONF_LIVE, SEE_WATCH, 1, 64, NULL,
	    "Folders inside each other that a recursive watch goes into.", false },

	{ "disk.reserve", CONF_SIZE, "512MiB", CONF_LIVE, MEDIA | SEE_HTTP | SEE_JOBS, 0, GIB(10240), NULL,
	    "Less space than this in data_dir is a fault in status; below it recordings "
	    "pause first.", false },
	{ "control.group", CONF_TEXT, "\"\"", CONF_RESTART, 0, 0, 0, NULL,
	    "Members of this group may use millrace besides root and millraced's own "
	    "user, who must be a member, too: adduser millrace GROUP.", false },
	{ "ffmpeg.path", CONF_TEXT, "ffmpeg", CONF_RESTART, 0, 0, 0, NULL,
	    "The ffmpeg to use; without a slash it is searched in PATH.", false },
	{ "log.format", CONF_CHOICE, "logfmt", CONF_LIVE, SEE_ALL, 0, 0, "logfmt|json",
	    "One line per event, as key=value or as JSON.", false },
	{ "log.level", CONF_CHOICE, "info", CONF_LIVE, SEE_ALL, 0, 0, "error|warn|info|debug",
	    "Least level that is written.", false },
	{ "log.file", CONF_TEXT, "\"\"", CONF_RESTART, 0, 0, 0, NULL,
	    "Where the log goes. Empty: stderr.", false },
	{ "events.spool_max", CONF_SIZE, "64MiB", CONF_LIVE, SEE_REGISTRY, KIB(64), GIB(16), NULL,
	    "Events kept on disk while Redis is away; beyond it new ones are lost, counted.", false },
};
const size_t conf_nkeys = sizeof(conf_keys) / sizeof(conf_keys[0]);
