/*
 * recordings.js - what was recorded, newest first, a card for each stream. The newest are asked
 * for every ten seconds, older ones when the reader wants them. A row or card that is there
 * never moves, so that neither the reader's place nor a video that plays is disturbed. Names
 * go in as text, never as markup.
 */
"use strict";

const REFRESH_MS = 10000;
const rows = new Map();		/* file -> its row */
const groups = new Map();	/* stream -> its card */
let cursor = null;		/* where older ones begin; "": there are none */
let shown = null;		/* the row whose player is shown */

const $ = (id) => document.getElementById(id);

function setText(node, text) {
	if (node.textContent !== text)
		node.textContent = text;
	node.hidden = text === "";
}

function element(tag, name, text) {
	const node = document.createElement(tag);

	node.className = name;
	node.textContent = text || "";
	return node;
}

function plural(n, word) {
	return `${n} ${word}${n === 1 ? "" : "s"}`;
}

function size(bytes) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let i = 0;

	for (; bytes >= 1024 && i < units.length - 1; i++)
		bytes /= 1024;
	return `${bytes.toFixed(i > 0 && bytes < 100 ? 1 : 0)} ${units[i]}`;
}

function duration(ms) {
	const s = Math.round(ms / 1000);
	const two = (n) => String(n).padStart(2, "0");

	if (!(ms >= 0))
		return "";
	return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` :
	    `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

function url(file) {
	return `recordings/${file.split("/").map(encodeURIComponent).join("/")}`;
}

function closePlayer() {
	if (!shown)
		return;
	/* without this a browser goes on loading it */
	shown.media.removeAttribute("src");
	shown.media.load();
	shown.media.remove();
	shown.note.remove();
	shown.play.setAttribute("aria-expanded", "false");
	shown.play.textContent = "Play";
	shown = null;
}

function show(row, r) {
	const audio = r.type.startsWith("audio/");
	const again = shown && shown.play === row.play;

	closePlayer();
	if (again)
		return;
	shown = { play: row.play, media: element(audio ? "audio" : "video", "player"), note: element("p", "warning") };
	shown.note.hidden = true;
	shown.note.setAttribute("role", "alert");
	shown.media.controls = true;
	shown.media.playsInline = true;
	shown.media.setAttribute("aria-label", `Recording ${r.file}`);
	shown.media.addEventListener("loadedmetadata", () => setText(row.length, duration(row.media.duration * 1000)));
	shown.media.addEventListener("error", () => {
		setText(row.note, "This browser cannot play it, or it is gone. It may be downloaded and played elsewhere.");
	});
	row.media = shown.media;
	row.note = shown.note;
	row.play.setAttribute("aria-expanded", "true");
	row.play.textContent = "Close";
	row.root.append(shown.media, shown.note);
	shown.media.src = url(r.file);
	shown.media.play().catch(() => {});
}

function newRow(r) {
	const row = { root: document.createElement("li"), play: element("button", "play", "Play"),
		length: element("span", "facts", duration(r.duration_ms)), started: r.started };
	const when = element("time", "when", new Date(r.started).toLocaleString());
	const load = element("a", "", "Download");
	const file = r.file.split("/").pop();

	/* a name that is no start time says more than the time */
	if (!r.stream || !file.startsWith(r.started.replace(/[-:]/g, "")))
		when.textContent = `${r.stream ? file : r.file}, ${when.textContent}`;
	when.dateTime = r.started;
	when.title = r.file;
	row.play.type = "button";
	row.play.setAttribute("aria-expanded", "false");
	row.play.setAttribute("aria-label", `Play ${r.file}`);
	row.play.addEventListener("click", () => show(row, r));
	load.href = url(r.file);
	load.download = file;
	load.setAttribute("aria-label", `Download ${r.file}`);
	row.root.append(row.play, when, row.length, element("span", "facts", size(r.size)), load);
	return row;
}

function group(name, fresh) {
	let card = groups.get(name);

	if (card)
		return card;
	card = element("section", "card");
	card.append(element("h2", "", name || "Other recordings"), element("ul", "rows"));
	groups.set(name, card);
	if (fresh)
		$("groups").prepend(card);
	else
		$("groups").append(card);
	return card;
}

/* fresh: they have come since the page was opened, oldest of them first. */
function add(list, fresh) {
	for (const r of list) {
		if (rows.has(r.file))
			continue;
		const row = newRow(r);
		const ul = group(r.stream, fresh).lastElementChild;

		rows.set(r.file, row);
		if (fresh)
			ul.prepend(row.root);
		else
			ul.append(row.root);
	}
}

function summary(page) {
	const left = page.total - page.listed;

	if (page.total === 0)
		return "Nothing is recorded yet.";
	return plural(page.total, "recording") + (left > 0 ? `, the newest ${page.listed} of them here` : "");
}

async function ask(from) {
	const answer = await fetch(`api/v1/recordings?cursor=${encodeURIComponent(from)}`, { cache: "no-store" });

	if (answer.status === 401 || answer.status === 403)
		throw new Error("The operator keeps the list of recordings private.");
	if (!answer.ok)
		throw new Error(`The server answered ${answer.status}. Trying again\u2026`);
	return answer.json();
}

async function load(from) {
	try {
		const page = await ask(from);

		if (cursor === null || from !== "") {
			add(page.recordings, false);
			cursor = page.cursor;
		} else {
			add(page.recordings.reverse(), true);
		}
		$("more").hidden = cursor === "";
		setText($("summary"), summary(page));
		setText($("trouble"), "");
	} catch (e) {
		setText($("trouble"), e instanceof TypeError ? "The server cannot be reached. Trying again\u2026" : e.message);
		if (cursor === null)
			setText($("summary"), "");
	}
}

async function refresh() {
	await load("");
	setTimeout(refresh, REFRESH_MS);
}

$("more").addEventListener("click", async () => {
	$("more").disabled = true;
	await load(cursor);
	$("more").disabled = false;
});
refresh();
