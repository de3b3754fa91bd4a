/*
 * whep.js - one session of WebRTC with the server, by WHEP: an offer is posted, the answer comes back,
 * media follow. Nothing here knows the page; watch.js shows what a session has and decides what to do
 * when it has nothing.
 */
"use strict";

const NTP_EPOCH_MS = 2208988800000;	/* 1900 to 1970 */

/* Link: <stun:HOST>; rel="ice-server"; username="..": as RTCPeerConnection takes them. */
function iceServers(link) {
	const one = (text, key) => (new RegExp(`;\\s*${key}="([^"]*)"`).exec(text) || [])[1];

	return (link || "").split(/,\s*(?=<)/).filter((l) => one(l, "rel") === "ice-server").map((l) => ({
		urls: l.slice(1, l.indexOf(">")), username: one(l, "username"), credential: one(l, "credential"),
	}));
}

class WhepError extends Error {
	constructor(status, text) {
		super(text);
		this.status = status;
	}
}

class Whep {
	/* url: of the endpoint; onstream: there is something to show, though no picture of it yet */
	constructor(url, onstream) {
		this.url = url;
		this.onstream = onstream;
		this.pc = this.stream = this.session = this.error = null;
		this.pictures = this.closed = false;
		this.answer = "";
		this.last = { emitted: 0, held: 0 };
	}

	static supported() {
		return typeof RTCPeerConnection === "function" && "addTransceiver" in RTCPeerConnection.prototype;
	}

	/* The endpoint of a stream that is on air, with what it says of STUN and TURN; null if it is not. */
	static async find(url) {
		const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(5000) });

		if (answer.status >= 500)
			throw new WhepError(answer.status, "the server is not ready");
		return answer.ok ? { url: answer.url, servers: iceServers(answer.headers.get("Link")) } : null;
	}

	async open(servers) {
		const pc = this.pc = new RTCPeerConnection({ iceServers: servers, bundlePolicy: "max-bundle" });

		pc.ontrack = (event) => {
			this.stream = event.streams[0] || new MediaStream([event.track]);
			this.onstream();
		};
		for (const kind of ["video", "audio"])
			pc.addTransceiver(kind, { direction: "recvonly" });
		await pc.setLocalDescription(await pc.createOffer());
		await this.post(pc.localDescription.sdp);
		if (this.closed)
			return this.remove();
		await pc.setRemoteDescription({ type: "answer", sdp: this.answer });
		this.pictures = pc.getTransceivers()[0].currentDirection === "recvonly";
	}

	/* The session's URL is beside the endpoint's, whatever a proxy made of its path. */
	async post(sdp) {
		const answer = await fetch(this.url, { method: "POST", body: sdp, cache: "no-store",
			headers: { "Content-Type": "application/sdp" }, signal: AbortSignal.timeout(8000) });
		const text = await answer.text();

		if (answer.status !== 201)
			throw new WhepError(answer.status, text.trim() || `the server answered ${answer.status}`);
		this.answer = text;
		this.session = `${answer.url}/${(answer.headers.get("Location") || "").split("/").pop()}`;
	}

	/* false: the server does not know this session (any more). */
	async known() {
		const answer = await fetch(this.session, { cache: "no-store", signal: AbortSignal.timeout(5000) });

		if (answer.status >= 500)
			throw new WhepError(answer.status, "the server is not ready");
		return answer.ok;
	}

	/* Where the answer said that media come from: "UDP 203.0.113.7:8189". */
	candidates() {
		const all = [...this.answer.matchAll(/^a=candidate:\S+ 1 (udp|tcp) \d+ (\S+) (\d+) /gim)];

		return [...new Set(all.map((c) => `${c[1].toUpperCase()} ${c[2].includes(":") ? `[${c[2]}]` : c[2]}:${c[3]}`))];
	}

	/* {state, bytes, sound: of them, frames: shown so far, delay_ms: from the server to the eye, or null} */
	async read() {
		const all = [...(await this.pc.getStats()).values()];
		const inbound = all.filter((s) => s.type === "inbound-rtp");
		const main = inbound.find((s) => s.kind === "video" && s.framesDecoded) || inbound.find((s) => s.kind === "audio");
		const pair = all.find((s) => s.type === "candidate-pair" && s.state === "succeeded" && s.nominated);
		const trip = ((pair && pair.currentRoundTripTime) || 0) * 1000 / 2;

		return {
			state: this.pc.connectionState,
			bytes: inbound.reduce((n, s) => n + (s.bytesReceived || 0), 0),
			sound: inbound.reduce((n, s) => n + (s.kind === "audio" && s.bytesReceived || 0), 0),
			frames: inbound.reduce((n, s) => n + (s.framesDecoded || 0), 0),
			delay_ms: main ? this.delay(main, all.find((s) => s.type === "remote-outbound-rtp" && s.ssrc === main.ssrc), trip) : null,
		};
	}

	/*
	 * When what is shown now came to the server, by the server's clock, which its sender reports tell; where
	 * a browser does not say, how long it keeps what it gets.
	 */
	delay(s, sender, trip) {
		const emitted = s.jitterBufferEmittedCount - this.last.emitted, held = s.jitterBufferDelay - this.last.held;
		let at = s.estimatedPlayoutTimestamp;

		this.last = { emitted: s.jitterBufferEmittedCount, held: s.jitterBufferDelay };
		if (at && sender && sender.remoteTimestamp) {
			at -= at > NTP_EPOCH_MS ? NTP_EPOCH_MS : 0;
			return Math.max(0, s.timestamp - (sender.timestamp - sender.remoteTimestamp - trip) - at);
		}
		return emitted > 0 ? held * 1000 / emitted + trip : null;
	}

	remove() {
		if (this.session)
			fetch(this.session, { method: "DELETE", keepalive: true }).catch(() => {});
		this.session = null;
	}

	close() {
		this.closed = true;
		if (this.pc)
			this.pc.close();
		this.remove();
	}
}
