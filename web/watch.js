/*
 * watch.js - plays one stream and never gives up on it: by WebRTC (whep.js), a fraction of a second
 * behind, or else by HLS (hls.js), some seconds behind. Every second one step is taken. Waiting, it
 * asks whether the stream is on air, less often the longer it is not. Playing, it looks whether media
 * move; if they do not, whether the stream is over, or the session or the playlist gone, and begins
 * anew. What WebRTC could not do is said while HLS plays; where trying again may help it is tried
 * behind the video that plays.
 */
"use strict";

const TICK_MS = 1000;
const WAIT_MAX_MS = 4000;	/* for a stream that is not there: a tenth of what it has waited, up to this */
const API_EVERY = 3;		/* ticks between two questions for the number of viewers */
const HLS_AFTER_MS = 4000;	/* WebRTC has this long before HLS begins */
const WEBRTC_MS = 15000;	/* and this long before it is given up */
const PICTURE_MS = 10000;	/* sound comes and no picture for so long: there will be none */
const SOUND_MS = 1500;		/* sound comes and no picture yet: it waits no longer */
const AGAIN_MS = 1000;		/* until WebRTC is tried again, twice as long each time */
const AGAIN_MAX_MS = 60000;
const LOST_TICKS = 3;		/* without connection: a new one */
const IDLE_MS = 10000;		/* so long after the reader did something, facts are in his way */
const ENDED = "The stream has ended. This page goes on by itself if it starts again.";
const NOT_YET = "This stream is not live. It starts here by itself when its publisher does.";
const AGAIN = "Connecting again\u2026";
const CANNOT = "This browser cannot play HLS by itself.";
const WAITING = "Waiting for the publisher\u2026";

const name = decodeURIComponent(location.pathname.replace(/\/+$/, "").split("/").pop());
const base = location.pathname.endsWith("/") ? "../../" : "../";
const whepUrl = `${base}whep/${encodeURIComponent(name)}`;
const playlistUrl = `${base}stream/${encodeURIComponent(name)}/live.m3u8`;
const apiUrl = `${base}api/v1/streams/${encodeURIComponent(name)}`;
const $ = (id) => document.getElementById(id);
const video = $("video");
const hls = new HlsPlay(video, playlistUrl);

let mode = "";			/* what is shown: "webrtc", "hls", "" nothing yet */
let session = null;		/* a Whep: shown, or being tried */
let began = 0;			/* when it was */
let bytes = 0;			/* what it had got at bytesAt */
let bytesAt = 0;
let moved = "";			/* frames and sound by then */
let lost = 0;			/* ticks without connection */
let tries = 0;			/* that led to no media, one after another */
let again = 0;			/* none before that time; Infinity: it would not help */
let wanted = 0;			/* since when there is something to play and nothing plays */
let missed = 0;			/* since when there is no stream */
let about = {};			/* what the API says of the stream */
let played = false;		/* this page has shown the stream: if it is gone, it has ended */
let silenced = false;		/* by us, as the browser wanted it */
let ticks = 0;
let idle = 0;

/* --- what is seen --- */

function show(node, text) {
	if (node.textContent !== text)
		node.textContent = text;
	node.hidden = text === "";
}

function showBadge() {
	$("badge").hidden = mode === "" || !$("cover").hidden || about.state === undefined;
}

/* Nothing to hear while the cover says why. */
function showUnmute() {
	$("unmute").hidden = !(silenced && video.muted && mode !== "" && $("cover").hidden);
}

/* Why it is HLS helps who runs the server: folded, and only where there is or should be HLS. */
function showWhy() {
	$("by-hls").hidden = $("why").hidden || !(mode === "hls" && $("cover").hidden || !$("help").hidden);
}

/* Behind the cover nothing plays: what was said of it is not true any more. */
function say(text, over) {
	if ($("status").textContent !== text)
		$("status").textContent = text;
	$("cover").hidden = text === "";
	$("cover").classList.toggle("over", Boolean(over));
	$("help").hidden = text !== CANNOT;
	$("spinner").hidden = text === ENDED || text === CANNOT;
	$("others").hidden = text !== ENDED && text !== NOT_YET;
	if (text !== "")
		$("badge").hidden = $("facts").hidden = true;
	else
		showBadge();
	showUnmute();
	showWhy();
}

function shown() {
	played = true;
	say("");
}

function active() {
	clearTimeout(idle);
	document.body.classList.remove("idle");
	idle = setTimeout(() => document.body.classList.add("idle"), IDLE_MS);
}

function because(text) {
	if ($("why").textContent !== text)
		active();
	show($("why"), text);
	showWhy();
}

function showFacts(how, delay, bps) {
	const seconds = delay < 0.1 ? "under 0.1" : delay < 10 ? delay.toFixed(1) : Math.round(delay);

	show($("facts"), how + (delay >= 0 ? ` \u00b7 ${seconds} s behind` : "") +
	    (bps > 0 ? ` \u00b7 ${(bps / 1e6).toFixed(2)} Mbit/s` : ""));
}

async function showViewers() {
	const answer = await fetch(apiUrl, { cache: "no-store", signal: AbortSignal.timeout(5000) });

	about = answer.ok ? await answer.json() : { state: "live" };
	const s = about.state || "live", n = about.viewers;

	$("badge-text").textContent = [name, s[0].toUpperCase() + s.slice(1), about.audio && !about.video ? "sound only" : "",
		n === undefined ? "" : `${n} viewer${n === 1 ? "" : "s"}`].filter(Boolean).join(" \u00b7 ");
	showBadge();
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

function waitingText(list) {
	return list === "ended" || played ? ENDED : NOT_YET;
}

/* Nothing is shown any more. A session that is only being tried goes on. */
function stop(why) {
	if (mode === "hls")
		hls.stop();
	if (mode === "webrtc")
		endSession();
	mode = "";
	wanted = why === AGAIN ? Date.now() : 0;
	say(why);
}

/* With another stream of this name, all may be different. */
function over(list) {
	stop(waitingText(list));
	endSession();
	again = tries = 0;
}

/* --- WebRTC --- */

function endSession() {
	if (session)
		session.close();
	session = null;
	if (video.srcObject)		/* else what plays would be loaded anew */
		video.srcObject = null;
}

function beginSession(found) {
	const mine = session = new Whep(found.url, () => attach(true));

	missed = 0;
	began = Date.now();
	bytes = bytesAt = lost = 0;
	moved = "";
	mine.open(found.servers).catch((e) => { mine.error = e; });
}

/* What plays by HLS is not disturbed before there are media. */
function attach(pictures) {
	const tracks = pictures ? session.stream.getTracks() : session.stream.getAudioTracks();
	const has = video.srcObject ? video.srcObject.getTracks() : [];

	if (mode === "hls" || (has.length === tracks.length && tracks.every((t) => has.includes(t))))
		return;
	video.srcObject = new MediaStream(tracks);
	play();
}

function nowWebrtc(pictures) {
	if (mode === "hls") {
		hls.stop();
		mode = "";
	}
	attach(pictures);
	mode = "webrtc";
	tries = again = wanted = 0;
	because("");
	shown();
}

function giveUp(why, hopeless) {
	const was = mode;

	endSession();
	again = hopeless ? Infinity : Date.now() + Math.min(AGAIN_MS * 2 ** tries, AGAIN_MAX_MS);
	if (was === "webrtc")
		stop(AGAIN);
	if (hopeless || ++tries > 2)
		because(`By HLS, since WebRTC does not work here: ${why}`);
}

function unreached() {
	return `nothing came from ${session.candidates().join(", ")}. That port must be open in the server's firewall; ` +
	    "if the address is wrong, its operator sets webrtc.addresses.";
}

function giveUpFor(e) {
	if (e.status === 406 || e.name === "NotSupportedError")
		return giveUp(`this browser's cannot play it: ${e.message}`, true);
	if (e.status)
		return giveUp(e.message, e.status < 500 && e.status !== 404);
	giveUp(e instanceof TypeError || e.name === "TimeoutError" ? "the server does not answer." : `${e.message}.`, false);
}

/* A session that is not shown yet. */
function tryOut(s) {
	const age = Date.now() - began;

	if (s.frames > 0)
		return nowWebrtc(true);
	if (s.bytes > 0 && about.video && !session.pictures)
		return giveUp("this browser has no H.264 in WebRTC.", true);
	if (s.bytes > 0 && !about.video && age > SOUND_MS)
		return nowWebrtc(false);
	if (s.bytes > 0 && age > PICTURE_MS)
		return giveUp("the server sends no picture that way (webrtc.transcode).", true);
	if (s.state === "failed" || (s.state !== "connected" && age > WEBRTC_MS))
		return giveUp(unreached(), true);
	if (about.state === "live" && s.bytes === 0 && age > WEBRTC_MS)
		return giveUp("the server sent nothing.", false);
}

/* Nothing new came for a second: is the stream over, the way or the session lost, or the publisher away? */
async function checkSession(s) {
	const found = await Whep.find(whepUrl);

	if (found === null)
		return over("");
	lost = s.state === "connected" ? 0 : lost + 1;
	if (s.state !== "failed" && lost < LOST_TICKS && await session.known())
		return say(WAITING, true);
	stop(AGAIN);
	beginSession(found);
}

async function tickSession() {
	const mine = session;

	if (mine.error)
		return giveUpFor(mine.error);
	const s = await mine.read(), now = Date.now(), more = s.bytes - bytes;
	const bps = bytesAt ? more * 8000 / Math.max(1, now - bytesAt) : 0;
	const was = moved;		/* bytes alone may be the last pictures once more: they were asked for as lost */

	moved = `${s.frames} ${s.sound}`;
	bytes = s.bytes;
	bytesAt = now;
	if (mode !== "webrtc")
		return tryOut(s);
	if (moved === was)
		return checkSession(s);
	if (s.frames > 0)
		attach(true);
	shown();
	showFacts("WebRTC", s.delay_ms === null ? NaN : s.delay_ms / 1000, bps);
}

/* --- HLS --- */

/* Why this browser cannot show the stream, "" if it can, or nobody knows. H.264 they all can. */
function unplayable() {
	const types = { hevc: "hvc1.1.6.L120.90", av1: "av01.0.08M.08", vp9: "vp09.00.40.08" };
	const type = types[about.video];

	if (!type || video.canPlayType(`video/mp4; codecs="${type}"`) !== "")
		return "";
	return `This stream is ${about.video.toUpperCase()} video, which this browser cannot play. ` +
	    "Try another browser, or set the encoder to H.264.";
}

function startHls() {
	mode = "hls";
	missed = 0;
	if (video.srcObject)
		video.srcObject = null;
	say("Starting\u2026");
	hls.start();
	play();
}

async function tickHls() {
	const how = await hls.look();

	if (mode !== "hls")
		return;
	if (how === "plays") {
		shown();
		showFacts("HLS", hls.delay(), about.bitrate_bps);
	} else if (how === "paused")
		say("");
	else if (how === "buffers")
		say(about.state === "reconnecting" ? WAITING : "Buffering\u2026", true);
	else if (how === "ended" || how === "gone")
		over(how);
	else if (how === "broken") {
		stop(unplayable());
		if (unplayable() === "")
			startHls();
	}
}

function cannot() {
	$("playlist").href = playlistUrl;
	say(CANNOT);
}

function notYet(list) {
	wanted = 0;
	missed = missed || Date.now();
	say(waitingText(list));
}

async function tickWaiting() {
	await hls.loaded;
	const list = await hls.playlist();

	if (mode !== "")
		return;
	if (list === "" || list === "ended")
		return session ? undefined : notYet(list);
	if (!hls.able())
		return session ? undefined : cannot();
	if (unplayable() !== "")
		return say(unplayable());
	startHls();
}

/* A session, where it may help. true: HLS can wait for it. */
async function tickTry() {
	if (!session && mode !== "webrtc" && Whep.supported() && Date.now() >= again) {
		const found = await Whep.find(whepUrl);

		if (found)
			beginSession(found);
	}
	if (mode !== "" || again === Infinity)
		return false;
	if (session && wanted === 0)
		wanted = Date.now();
	if (wanted !== 0)
		say(played ? AGAIN : "Starting\u2026");
	return wanted !== 0 && Date.now() - wanted < HLS_AFTER_MS;
}

async function step() {
	if (session)
		await tickSession();
	if (mode === "hls")
		await tickHls();
	if (mode !== "webrtc" && !await tickTry() && mode === "")
		await tickWaiting();
}

async function tick() {
	try {
		if ((mode !== "" || session) && ticks++ % API_EVERY === 0)
			await showViewers();
		await step();
	} catch (e) {
		if (mode !== "hls")
			say(e.status ? AGAIN : "The server cannot be reached. Waiting\u2026", mode !== "");
	}
	setTimeout(tick, missed === 0 ? TICK_MS : Math.min(Math.max((Date.now() - missed) / 10, TICK_MS), WAIT_MAX_MS));
}

/* The first picture shows at once, not at the next tick. */
function onPicture() {
	if (video.paused || video.readyState <= HTMLMediaElement.HAVE_CURRENT_DATA)
		return;
	if (mode === "hls" && video.currentTime > hls.lastTime)
		shown();
	else if (mode === "" && video.srcObject && video.videoWidth > 0)
		nowWebrtc(true);
}

document.title = `${name} - Millrace`;
$("name").textContent = name;
$("home").href = base;
say("Loading\u2026");
if (!Whep.supported())
	because("By HLS, since this browser has no WebRTC.");
for (const event of ["timeupdate", "playing"])
	video.addEventListener(event, onPicture);
video.addEventListener("error", () => { hls.failed = mode === "hls"; });
video.addEventListener("play", () => { if (mode === "hls") hls.catchUp(); });
video.addEventListener("volumechange", () => {
	silenced = silenced && video.muted;
	showUnmute();
});
$("unmute").addEventListener("click", () => {
	video.muted = false;
	play();
});
for (const event of ["pointermove", "keydown", "touchstart"])
	addEventListener(event, active, { passive: true });
/* Another network may let through what the last one did not. */
addEventListener("online", () => { again = tries = 0; });
addEventListener("pagehide", () => {
	stop("");
	endSession();
});
active();
hls.load(`${base}web/hls.min.js`);
tick();
