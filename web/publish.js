/*
 * publish.js - from this browser to a live stream: camera, screen or a file goes through
 * MediaRecorder in chunks over a WebSocket (/ws). The page is idle, or it is on and then always
 * has a stream of media; the connection and the recorder come and go: after a cut it connects anew,
 * and when the server asks ({"state": "restart"}) only the recorder begins again.
 */
"use strict";

const CHUNK_MS = 250;
const KEY_FRAME_MS = 2000;
const QUEUE_MAX_S = 6;		/* more than that unsent: the recorder begins again with half the rate */
const RATE_MIN = 200000;
const TAKEN_TRIES = 4;		/* a name that was ours a moment ago is free after streams.silence */
const RETRY_MS = [1000, 2000, 4000, 8000, 10000];
/* H.264 first: the server has nothing to encode then. */
const TYPES = ["video/webm;codecs=h264,opus", "video/mp4;codecs=avc1.42E01F,mp4a.40.2", "video/webm;codecs=vp8,opus",
	"video/webm;codecs=vp9,opus", "video/webm", "video/mp4"];
const SOUND_TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];

const NO_UPGRADE = "The server is there, but this page's WebSocket does not get through. Most often a proxy in front " +
	"does not pass WebSockets on (Upgrade and Connection; README, Behind nginx); else ws.origins lacks this page's " +
	"address, or a proxy changes its Host. The operator finds it in the server's log.";

const $ = (id) => document.getElementById(id);

let media = null;		/* what is being sent; null: idle */
let socket = null;
let recorder = null;
let rate = 0;
let sent = 0;			/* bytes, since the last look */
let tries = 0;			/* to connect, since it was live */
let wasLive = false;		/* in this run */
let retryTimer = null;
let sound = null;		/* of the level meter */
let playing = null;		/* the element that plays a file */

function say(text, live) {
	$("state").textContent = text;
	$("state").classList.toggle("state", Boolean(live));
	$("state").classList.toggle("live", Boolean(live));
}

function trouble(text) {
	$("trouble").textContent = text;
	$("trouble").hidden = text === "";
}

/* --- where the media comes from --- */

const NOT_SECURE = "This page came by plain HTTP from another machine. Browsers give a camera or a screen only to pages " +
	"that come by HTTPS, or from the machine itself. Ask the operator for an https:// address of this server (a proxy " +
	"with a certificate in front of it), or open http://localhost on the server. Sending a file works here, too.";

function whyNot(e) {
	switch (e.name) {
	case "NotAllowedError":
		return "The browser did not allow it. Allow camera and microphone for this page in its address bar, then try again.";
	case "NotFoundError":
		return "There is no camera or microphone here. Plug one in, or choose another source.";
	case "NotReadableError":
		return "The camera is in use by another program. Close that, then try again.";
	default:
		return e.message || String(e);
	}
}

async function camera() {
	const wish = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };

	try {
		return await navigator.mediaDevices.getUserMedia({ video: wish, audio: true });
	} catch (e) {
		if (e.name !== "NotFoundError")
			throw e;
		/* one of the two is enough */
		return navigator.mediaDevices.getUserMedia({ video: wish }).catch(() =>
			navigator.mediaDevices.getUserMedia({ audio: true }));
	}
}

async function fromFile() {
	const file = $("file").files[0];
	const element = document.createElement("video");

	if (!file)
		throw new Error("Choose a file first.");
	element.src = URL.createObjectURL(file);
	element.onended = () => stop("The file has ended.");
	await new Promise((ok, bad) => {
		element.oncanplay = ok;
		element.onerror = () => bad(new Error("This browser cannot play that file."));
	});
	playing = element;
	const stream = element.captureStream ? element.captureStream() : element.mozCaptureStream();
	await element.play();
	return stream;
}

async function open() {
	const source = $("source").value;

	if (!window.MediaRecorder)
		throw new Error("This browser has no MediaRecorder. Try a current Chrome, Edge, Firefox or Safari.");
	if (source === "file")
		return fromFile();
	if (!window.isSecureContext || !navigator.mediaDevices)
		throw new Error(NOT_SECURE);
	if (source === "camera")
		return camera();
	return navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 30 } }, audio: true });
}

/* --- the recorder: one file per recorder --- */

function recorderType() {
	const types = media.getVideoTracks().length > 0 ? TYPES : SOUND_TYPES;

	return types.find((type) => MediaRecorder.isTypeSupported(type));
}

function endRecorder() {
	if (recorder) {
		recorder.ondataavailable = null;
		if (recorder.state !== "inactive")
			recorder.stop();
	}
	recorder = null;
}

/* The old one's last words are not wanted: what follows begins a new file. */
function beginRecorder() {
	const own = socket;

	endRecorder();
	recorder = new MediaRecorder(media, { mimeType: recorderType(), videoBitsPerSecond: rate, audioBitsPerSecond: 128000,
		videoKeyFrameIntervalDuration: KEY_FRAME_MS });
	recorder.ondataavailable = (event) => {
		if (event.data.size === 0 || own !== socket || own.readyState !== WebSocket.OPEN)
			return;
		own.send(event.data);
		sent += event.data.size;
	};
	recorder.start(CHUNK_MS);
}

/* --- the connection --- */

function wsUrl() {
	const url = new URL("ws", location.href);

	url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
	url.search = new URLSearchParams({ role: "publisher", streamKey: $("name").value, restart: "1", reasons: "1",
		...($("key").value ? { key: $("key").value } : {}) });
	return url.href;
}

/*
 * A browser does not tell what an upgrade was refused with; what has to do with the name comes as a Close. The same
 * question without an upgrade is answered with 426 where one would have been taken.
 */
async function whyRefused() {
	let answer, text;

	try {
		answer = await fetch("ws?role=publisher", { cache: "no-store", signal: AbortSignal.timeout(5000) });
		text = (await answer.text()).trim();
	} catch {
		return "The server does not answer.";
	}
	if (answer.status === 426)
		return NO_UPGRADE;
	return answer.status !== 403 && answer.status !== 429 && answer.status !== 503 || text.startsWith("<") ?
		`The server does not answer (${answer.status}).` : `The server refused: ${text}`;
}

function words(reason) {
	if (/published already|taking this name/.test(reason))
		return "Somebody publishes under this name already. Choose another one, or wait until that ends.";
	if (/_timeout$/.test(reason))
		return "The server has heard nothing from this page for a while.";
	return `The server refused: ${reason}`;
}

function retry(why) {
	const ms = RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)];

	say(`Connecting again in ${ms / 1000} s`);
	trouble(why);
	retryTimer = setTimeout(connect, ms);
}

async function onClose(opened, event) {
	socket = null;
	endRecorder();
	if (!media)
		return;
	if (event.code === 1008 || event.code === 1003)		/* it would only be said again */
		stop(words(event.reason || "The server does not take this."));
	else if (event.code === 1013 && !wasLive && tries >= TAKEN_TRIES)
		stop(words(event.reason));
	else if (event.code === 1013)
		retry(words(event.reason));
	else if (opened)
		retry(event.reason ? `The server closed the connection: ${event.reason}` : "The connection was cut.");
	else
		retry(await whyRefused());
}

function onMessage(event) {
	let body;

	try {
		body = JSON.parse(event.data);
	} catch {
		return;
	}
	if (body.state === "live") {
		tries = 0;
		wasLive = true;
		$("where").hidden = false;
		say("Live", true);
		trouble("");
	} else if (body.state === "slow")
		trouble("The server is busy and takes longer than the picture lasts. Choose a lower quality if it stays so.");
	else if (body.state === "ok")
		trouble("");
	else if (body.state === "restart")
		beginRecorder();
}

function connect() {
	let opened = false;
	const own = new WebSocket(wsUrl());

	socket = own;
	say("Connecting\u2026");
	own.onopen = () => {
		opened = true;
		say("Starting\u2026");
		beginRecorder();
	};
	own.onmessage = onMessage;
	own.onclose = (event) => {
		if (own === socket)
			onClose(opened, event);
	};
}

/* --- what the reader sees --- */

function beginMeter() {
	if (media.getAudioTracks().length === 0) {
		$("sound").textContent = "none";
		return;
	}
	const context = new AudioContext();
	const analyser = context.createAnalyser();

	context.createMediaStreamSource(new MediaStream(media.getAudioTracks())).connect(analyser);
	if (playing)			/* who sends a file wants to hear it */
		analyser.connect(context.destination);
	sound = { context, analyser, samples: new Float32Array(analyser.fftSize) };
	$("sound").textContent = "";
}

function showLevel() {
	if (!sound)
		return;
	sound.analyser.getFloatTimeDomainData(sound.samples);
	$("level").value = Math.sqrt(sound.samples.reduce((sum, x) => sum + x * x, 0) / sound.samples.length) * 2;
}

/* Too much waits to be sent: a picture that is late for good is worse than one that is less sharp. */
function lookAtQueue() {
	const waits = socket ? socket.bufferedAmount * 8 / rate : 0;

	if (waits <= QUEUE_MAX_S || rate <= RATE_MIN)
		return;
	rate = Math.max(RATE_MIN, Math.round(rate / 2));
	trouble(`The network is too slow; the quality is now ${(rate / 1e6).toFixed(1)} Mbit/s.`);
	beginRecorder();
}

function everySecond() {
	if (!media)
		return;
	const waits = socket ? Math.round(socket.bufferedAmount / 1024) : 0;

	$("facts").textContent = `${(sent * 8 / 1e6).toFixed(2)} Mbit/s` + (waits > 64 ? `, ${waits} KiB wait` : "") +
		(recorder ? `, ${recorder.mimeType}` : "");
	sent = 0;
	lookAtQueue();
}

function stop(why) {
	const old = socket;

	clearTimeout(retryTimer);
	socket = null;
	endRecorder();
	if (old)
		old.close(1000);
	for (const track of media ? media.getTracks() : [])
		track.stop();
	if (sound)
		sound.context.close();
	if (playing) {
		playing.pause();
		URL.revokeObjectURL(playing.src);
	}
	media = sound = playing = null;
	$("preview").srcObject = null;
	$("now").hidden = $("stop").hidden = true;
	$("go").hidden = $("setup").disabled = false;
	say("Not live");
	trouble(why || "");
}

async function start() {
	trouble("");
	$("go").disabled = true;
	try {
		media = await open();
	} catch (e) {
		stop(whyNot(e));
		return;
	} finally {
		$("go").disabled = false;
	}
	rate = Number($("rate").value);
	tries = 0;
	wasLive = false;
	$("where").hidden = true;
	for (const track of media.getTracks())
		track.onended = () => stop("The source has ended.");
	$("preview").srcObject = media;
	$("preview").play().catch(() => {});
	$("watch").href = `watch/${encodeURIComponent($("name").value)}`;
	$("watch").textContent = $("watch").href;
	$("now").hidden = $("stop").hidden = false;
	$("go").hidden = $("setup").disabled = true;
	beginMeter();
	connect();
}

function showSource() {
	const source = $("source").value;

	$("file").hidden = source !== "file";
	trouble(source !== "file" && (!window.isSecureContext || !navigator.mediaDevices) ? NOT_SECURE : "");
}

$("form").addEventListener("submit", (event) => {
	event.preventDefault();
	start();
});
$("stop").addEventListener("click", () => stop(""));
$("source").addEventListener("change", showSource);
/* Instead of the browser's words, which do not say what the format is. */
$("name").addEventListener("input", () => {
	$("name").setCustomValidity($("name").validity.patternMismatch ?
		"A name has letters (a to z), digits, dots, _ and -, and does not begin with a dot." : "");
});
$("name").value = new URLSearchParams(location.search).get("name") || "";
showSource();
setInterval(everySecond, 1000);
setInterval(showLevel, 100);
