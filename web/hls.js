/*
 * hls.js - one stream by HLS in a video element, for watch.js, which asks every second how it goes. What plays
 * is hls.min.js when the operator fetched it (make web), else the browser itself.
 */
"use strict";

const STUCK_TICKS = 4;		/* the playlist went on this long and the video did not */
const STILL_TICKS = 1;		/* no picture for longer than that is said */
const LATE_S = 10;		/* further behind the live edge than that: jump after a pause */
const EDGE_S = 3;

class HlsPlay {
	constructor(video, url) {
		this.video = video;
		this.url = url;
		this.player = null;	/* the hls.min.js object, when that plays */
		this.failed = false;	/* it gave up: begin anew */
		this.loaded = null;	/* settles when hls.min.js is there or known not to be */
		this.begin();
	}

	begin() {
		this.failed = false;
		this.stuck = this.still = this.lastTime = 0;
		this.list = this.failedAt = "";
	}

	load(src) {
		const script = document.createElement("script");

		script.src = src;
		this.loaded = new Promise((done) => { script.onload = script.onerror = done; });
		document.head.append(script);
	}

	byScript() {
		return Boolean(window.Hls && window.Hls.isSupported());
	}

	able() {
		return this.byScript() || this.video.canPlayType("application/vnd.apple.mpegurl") !== "";
	}

	/* "": no playlist (yet); "ended": the stream is over; otherwise the text of a stream in progress. */
	async playlist() {
		const answer = await fetch(this.url, { cache: "no-store", signal: AbortSignal.timeout(5000) });
		const text = answer.ok ? await answer.text() : "";

		if (text.includes("#EXT-X-ENDLIST"))
			return "ended";
		return /#EXTINF|#EXT-X-STREAM-INF/.test(text) ? text : "";
	}

	start() {
		this.begin();
		if (!this.byScript()) {
			this.video.src = this.url;
			return;
		}
		this.player = new window.Hls({ liveSyncDurationCount: 2, liveMaxLatencyDurationCount: 8 });
		this.player.on(window.Hls.Events.ERROR, (event, data) => {
			this.failed = this.failed || data.fatal;
		});
		this.player.loadSource(this.url);
		this.player.attachMedia(this.video);
	}

	stop() {
		if (this.player)
			this.player.destroy();
		this.player = null;
		this.video.removeAttribute("src");
		this.video.load();
	}

	moved() {
		const was = this.lastTime;

		this.lastTime = this.video.currentTime;
		return this.lastTime !== was;
	}

	/*
	 * "plays", "paused" (by the reader), "buffers", "broken" (begin anew), "ended", "gone" (no playlist), "".
	 * What has failed is begun anew when there is something new: else what was seen would come again.
	 */
	async look() {
		if (!this.failed && !this.video.ended) {
			if (this.moved()) {
				this.stuck = this.still = 0;
				return "plays";
			}
			if (this.video.paused && this.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA)
				return "paused";
		}
		const list = await this.playlist();

		if (list === "" || list === "ended")
			return list || "gone";
		this.stuck += list !== this.list ? 1 : 0;
		this.list = list;
		if (this.failed && this.failedAt === "")
			this.failedAt = list;
		if (this.failed ? list !== this.failedAt : this.stuck > STUCK_TICKS)
			return "broken";
		return ++this.still > STILL_TICKS && this.lastTime > 0 ? "buffers" : "";
	}

	/* Seconds behind the end of what there is; some browsers tell but what they have loaded. */
	edge() {
		const s = this.video.seekable.length ? this.video.seekable : this.video.buffered;

		return s.length ? s.end(s.length - 1) - this.video.currentTime : NaN;
	}

	delay() {
		return this.player && this.player.latency > 0 ? this.player.latency : this.edge();
	}

	/* After a long pause the reader wants to be live again, and what was paused at is gone. */
	catchUp() {
		if (this.edge() > LATE_S)
			this.video.currentTime += this.edge() - EDGE_S;
	}
}
