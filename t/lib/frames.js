/* frames.js URL ID JPEGS PCM - a client as they were written for the old server: Node and ws. Prints what it is told, a line of JSON each. */
const fs = require("fs");
const WebSocket = require("ws");

const [url, id, jpegs, pcm] = process.argv.slice(2);
const frames = fs.readdirSync(jpegs).sort().map(f => fs.readFileSync(jpegs + "/" + f));
const sound = fs.readFileSync(pcm);
const ws = new WebSocket(url);
const say = o => ws.send(JSON.stringify(o));

ws.on("open", async () => {
  say({ eventType: "CONNECT", id });
  const step = Math.ceil(sound.length / frames.length);
  for (let i = 0; i < frames.length; i++) {
    say({ eventType: "STREAM", mediaSourceType: "VIDEO", encodedMediaChunk: frames[i].toString("base64") });
    say({ eventType: "STREAM", mediaSourceType: "AUDIO", encodedMediaChunk: sound.subarray(i * step, (i + 1) * step).toString("base64") });
    await new Promise(r => setTimeout(r, 1000 / 15));
  }
  say({ eventType: "REQUEST_AUDIO_STREAM_PLAYBACK" });
});
ws.on("message", data => {
  const m = JSON.parse(data);
  console.log(JSON.stringify(m));
  if (m.eventType === "AUDIO_STREAM_END") say({ eventType: "CLOSE" });
});
ws.on("close", code => console.log(JSON.stringify({ eventType: "close", code })));
ws.on("error", e => { console.error(e.message); process.exit(1); });
