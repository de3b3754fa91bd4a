/*
 * watch.js - plays one stream and never gives up on it. The page is in one of two states:
 * waiting (asks for the playlist every second until it is that of a stream in progress) and
 * playing (looks every second whether the video moves; if it does not although the playlist does,
 * it starts anew; if the playlist ended or is gone, it says so and waits again).
 * hls.js plays when the operator fetched it, else the browser itself.
 */
"use strict";

const TICK_MS = 1000;
const API_EVERY = 3;		/* ticks between two questions for the number of viewers */
const STUCK_TICKS = 4;		/* the playlist went on this long and the video did not */
const LATE_S = 10;		/* further behind the live edge than that: jump after a pause */
const EDGE_S = 3;
const ENDED = "The stream has ended. This page goes on by itself if it starts again.";
const NOT_YET = "This stream is not live. It starts here by itself when its publisher does.";

const name = decodeURIComponent(location.pathname.replace(/\/+$/, "").split("/").pop());
const base = location.pathname.endsWith("/") ? "../../" : "../";
const playlistUrl = `${base}stream/${encodeURIComponent(name)}/live.m3u8`;
const apiUrl = `${base}api/v1/streams/${encodeURIComponent(name)}`;
const $ = (id) => document.getElementById(id);
const video = $("video");

let player = null;		/* the hls.js object, when that plays */
let playing = false;
let played = false;		/* this page has shown the stream: without a playlist it has ended */
let silenced = false;		/* by us, as the browser wanted it */
let failed = false;		/* the player gave up: begin anew at the next tick */
let ticks = 0;
let lastTime = 0;
let stuck = 0;
let stuckList = "";

/* Nothing to hear while the cover says why. */
function showUnmute() {
	$("unmute").hidden = !(silenced && video.muted && playing && $("cover").hidden);
}

function say(text, over) {
	if ($("status").textContent !== text)
		$("status").textContent = text;
	$("cover").hidden = text === "";
	$("cover").classList.toggle("over", Boolean(over));
	$("spinner").hidden = text === ENDED || !$("help").hidden;
	showUnmute();
}

function shown() {
	played = true;
	say("");
}

function nativeHls() {
	return video.canPlayType("application/vnd.apple.mpegurl") !== "";
}

function hlsJs() {
	return Boolean(window.Hls && window.Hls.isSupported());
}

/* "": none (yet); "ended": the stream is over; otherwise the text of a stream in progress. */
async function readPlaylist() {
	const answer = await fetch(playlistUrl, { cache: "no-store", signal: AbortSignal.timeout(5000) });
	const text = answer.ok ? await answer.text() : "";

	if (text.includes("#EXT-X-ENDLIST"))
		return "ended";
	return /#EXTINF|#EXT-X-STREAM-INF/.test(text) ? text : "";
}

/* Why this browser cannot show the stream, "" if it can, or nobody knows. H.264 they all can. */
async function unplayable() {
	const types = { hevc: "hvc1.1.6.L120.90", av1: "av01.0.08M.08", vp9: "vp09.00.40.08" };
	const answer = await fetch(apiUrl, { cache: "no-store", signal: AbortSignal.timeout(5000) });
	const codec = answer.ok ? (await answer.json()).video : "";

	if (!types[codec] || video.canPlayType(`video/mp4; codecs="${types[codec]}"`) !== "")
		return "";
	return `This stream is ${codec.toUpperCase()} video, which this browser cannot play. Try another browser, or set the encoder to H.264.`;
}

/* Browsers refuse sound before the reader touched the page: then silent, and a button says so. */
async function play() {
	try {
		await video.play();
	} catch (e) {
		if (e.name !== "NotAllowedError" || video.muted)
			return;
		video.muted = silenced = true;
		video.play().catch(() => {});
	}
}

function stop(why) {
	if (player)
		player.destroy();
	player = null;
	if (playing) {
		video.removeAttribute("src");
		video.load();
	}
	playing = false;
	$("badge").hidden = true;
	say(why);
}

function start() {
	playing = true;
	failed = false;
	stuck = 0;
	lastTime = 0;
	say("Starting\u2026");
	if (hlsJs()) {
		player = new window.Hls({ liveSyncDurationCount: 2, liveMaxLatencyDurationCount: 8 });
		player.on(window.Hls.Events.ERROR, (event, data) => {
			failed = failed || data.fatal;
		});
		player.loadSource(playlistUrl);
		player.attachMedia(video);
	} else {
		video.src = playlistUrl;
	}
	play();
}

function moved() {
	const was = lastTime;

	lastTime = video.currentTime;
	return video.currentTime !== was;
}

async function checkStuck() {
	const list = await readPlaylist();

	if (list === "" || list === "ended")
		return stop(waitingText(list));
	if (list !== stuckList)
		stuck++;
	stuckList = list;
	if (failed || stuck > STUCK_TICKS) {
		const why = await unplayable();

		stop(why);
		if (why === "")
			start();
	} else if (stuck > 1) {
		say("Buffering\u2026", true);
	}
}

function waitingText(list) {
	return list === "ended" || played ? ENDED : NOT_YET;
}

async function tickPlaying() {
	if (failed || video.ended)
		return checkStuck();
	if (moved()) {
		stuck = 0;
		return shown();
	}
	if (video.paused && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA)
		return say("");
	return checkStuck();
}

async function tickWaiting() {
	const list = await readPlaylist();
	const why = list === "" || list === "ended" ? waitingText(list) : await unplayable();

	if (why !== "")
		say(why);
	else
		start();
}

async function showViewers() {
	const answer = await fetch(apiUrl, { cache: "no-store", signal: AbortSignal.timeout(5000) });
	const s = answer.ok ? await answer.json() : {};
	const state = s.state && s.state !== "live" ? s.state[0].toUpperCase() + s.state.slice(1) : "Live";
	const count = s.viewers === undefined ? "" : ` \u00b7 ${s.viewers} viewer${s.viewers === 1 ? "" : "s"}`;

	$("badge-text").textContent = state + count;
	$("badge").hidden = !playing || !$("cover").hidden;
}

async function tick() {
	try {
		await (playing ? tickPlaying() : tickWaiting());
		if (playing && $("cover").hidden && ticks++ % API_EVERY === 0)
			await showViewers();
	} catch (e) {
		if (!playing)
			say("The server cannot be reached. Waiting\u2026");
	}
	setTimeout(tick, TICK_MS);
}

/* After a long pause the reader wants to be live again, and what was paused at is gone. */
function catchUp() {
	const end = video.seekable.length ? video.seekable.end(video.seekable.length - 1) : 0;

	if (end - video.currentTime > LATE_S)
		video.currentTime = end - EDGE_S;
}

function begin() {
	if (hlsJs() || nativeHls())
		return tick();
	$("playlist").href = playlistUrl;
	$("help").hidden = false;
	say("This browser cannot play HLS by itself.");
}

function loadHls() {
	const script = document.createElement("script");

	script.src = `${base}web/hls.min.js`;
	script.onload = begin;
	script.onerror = begin;
	document.head.append(script);
}

document.title = `${name} - Millrace`;
$("name").textContent = name;
say("Loading\u2026");
video.addEventListener("error", () => { failed = playing; });
video.addEventListener("play", catchUp);
/* The first picture shows at once, not at the next tick. */
video.addEventListener("timeupdate", () => {
	if (playing && !video.paused && video.currentTime > lastTime && video.readyState > HTMLMediaElement.HAVE_CURRENT_DATA)
		shown();
});
video.addEventListener("volumechange", () => {
	silenced = silenced && video.muted;
	showUnmute();
});
$("unmute").addEventListener("click", () => {
	video.muted = false;
	play();
});
loadHls();
