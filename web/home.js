/*
 * home.js - the list of live streams, asked for every two seconds. A card is kept as long as its
 * stream is there and only its texts change, so that a reader's focus and selection survive.
 * Whatever a publisher chose (names, codecs) goes in as text, never as markup.
 */
"use strict";

const REFRESH_MS = 2000;
const RECORDINGS_MS = 30000;
const PAGES_MAX = 20;
const RTMP_PORT = 1935;
const cards = new Map();
let emptied = null;

const $ = (id) => document.getElementById(id);

function setText(node, text) {
	if (node.textContent !== text)
		node.textContent = text;
	node.hidden = text === "";
}

function element(tag, name) {
	const node = document.createElement(tag);

	node.className = name;
	return node;
}

function plural(n, word) {
	return `${n} ${word}${n === 1 ? "" : "s"}`;
}

function bitrate(bps) {
	if (!(bps > 0))
		return "";
	return bps >= 1e6 ? `${(bps / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bps / 1e3)} kbit/s`;
}

function started(iso) {
	const at = new Date(iso);
	const minutes = Math.max(0, Math.floor((Date.now() - at) / 60000));

	if (!iso || Number.isNaN(minutes))
		return "";
	if (minutes < 1)
		return "started just now";
	if (minutes < 60)
		return `started ${minutes} min ago`;
	if (minutes < 24 * 60)
		return `started ${Math.floor(minutes / 60)} h ${minutes % 60} min ago`;
	return `started ${at.toLocaleString()}`;
}

function media(s) {
	const fps = s.fps > 0 ? `${Math.round(s.fps)} fps` : "";
	const size = s.width > 0 ? `${s.width}\u00d7${s.height}` : "";
	const codecs = [s.video, s.audio].filter(Boolean).join(" + ");

	return [size, fps, bitrate(s.bitrate_bps), codecs].filter(Boolean).join(" \u00b7 ");
}

function audience(s) {
	const app = s.app ? `app ${s.app}` : "";

	return [plural(s.viewers || 0, "viewer"), started(s.since), app].filter(Boolean).join(" \u00b7 ");
}

function newCard() {
	const head = element("div", "card-head");
	const card = { root: document.createElement("li"), link: element("a", "name"), state: element("span", "state"),
		media: element("p", "facts"), audience: element("p", "facts"), warning: element("p", "warning") };

	head.append(card.link, card.state);
	card.root.append(head, card.audience, card.media, card.warning);
	return card;
}

function fill(card, s) {
	const link = `watch/${encodeURIComponent(s.name)}`;

	if (card.link.getAttribute("href") !== link)
		card.link.setAttribute("href", link);
	setText(card.link, s.name);
	setText(card.state, s.state || "live");
	card.state.classList.toggle("live", card.state.textContent === "live");
	setText(card.audience, audience(s));
	setText(card.media, media(s));
	setText(card.warning, s.warning ? `Warning: ${s.warning}` : "");
}

function show(streams) {
	const list = $("streams");
	const names = new Set(streams.map((s) => s.name));

	for (const [name, card] of cards) {
		if (names.has(name))
			continue;
		card.root.remove();
		cards.delete(name);
	}
	streams.sort((a, b) => (a.name < b.name ? -1 : 1));
	streams.forEach((s, i) => {
		const card = cards.get(s.name) || newCard();

		cards.set(s.name, card);
		fill(card, s);
		if (list.children[i] !== card.root)
			list.insertBefore(card.root, list.children[i] || null);
	});
	setText($("summary"), streams.length ? plural(streams.length, "stream") : "Nobody is live right now.");
	/* The guide opens and closes itself only when the list becomes empty or stops being so. */
	if (emptied !== (streams.length === 0)) {
		emptied = streams.length === 0;
		$("publish").open = emptied;
	}
}

function showGuide(port) {
	const host = location.hostname || "localhost";
	const server = `rtmp://${host}${!port || port === RTMP_PORT ? "" : `:${port}`}/live`;

	setText($("server"), server);
	setText($("whip"), new URL("whip/alice", location.href).href);
	setText($("ffmpeg"), "ffmpeg -re -i input.mp4 -c:v libx264 -preset veryfast -g 60 -bf 0 \\\n" +
	    `    -c:a aac -f flv ${server}/alice`);
}

async function ask(cursor) {
	const query = cursor ? `?cursor=${encodeURIComponent(cursor)}` : "";
	const answer = await fetch(`api/v1/streams${query}`, { cache: "no-store" });

	if (answer.status === 401 || answer.status === 403)
		throw new Error("The operator keeps the list of streams private. A stream's own page, watch/NAME, still works.");
	if (!answer.ok)
		throw new Error(`The server answered ${answer.status}. Trying again\u2026`);
	return answer.json();
}

async function refresh() {
	const streams = new Map();
	let page = { cursor: "" };

	try {
		for (let i = 0; i === 0 || (page.cursor && i < PAGES_MAX); i++) {
			page = await ask(page.cursor);
			page.streams.forEach((s) => streams.set(s.name, s));
		}
		showGuide(page.rtmp_port);
		show([...streams.values()]);
		setText($("trouble"), "");
	} catch (e) {
		setText($("trouble"), e instanceof TypeError ? "The server cannot be reached. Trying again\u2026" : e.message);
		if (emptied === null)
			setText($("summary"), "");
	}
	setTimeout(refresh, REFRESH_MS);
}

/* Whether there is anything behind the link. */
async function lookForRecordings() {
	try {
		const answer = await fetch("api/v1/recordings?limit=1", { cache: "no-store" });

		$("recordings").hidden = !answer.ok || (await answer.json()).total === 0;
	} catch (e) {
		/* refresh() says what is wrong */
	}
	setTimeout(lookForRecordings, RECORDINGS_MS);
}

showGuide(0);
refresh();
lookForRecordings();
