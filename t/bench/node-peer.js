/*
 * node-peer.js PORT DIR FRAMES ROOMS - the server one would write in an afternoon, for scripts/bench: Node, ws and ffmpeg.
 *
 * /ws?streamKey=K: the chunks go into an ffmpeg that writes HLS, DIR/K.m3u8. Any other path: the JSON protocol of
 * frames; PCM is kept in memory until CLOSE. FRAMES: files (each JPEG a file, one ffmpeg at CLOSE) or pipe (an ffmpeg for
 * each session, from its first frame). ROOMS: fast (x264 ultrafast, a key frame every 30) or same (as Millrace encodes).
 */
const fs = require("fs");
const { spawn } = require("child_process");
const WebSocket = require("ws");

const [port, dir, frames, rooms] = process.argv.slice(2);
const QUIET = ["-hide_banner", "-loglevel", "error", "-y"];
const MP4 = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "23", "-pix_fmt", "yuv420p", "-g", "30", "-movflags", "+faststart"];
const H264 = {
  fast: ["-preset", "ultrafast", "-tune", "zerolatency", "-g", "30"],
  same: ["-preset", "veryfast", "-tune", "zerolatency", "-threads:v", "2", "-force_key_frames", "expr:gte(t,n_forced*2)", "-g", "600",
    "-sc_threshold", "0", "-crf", "23", "-maxrate", "6000k", "-bufsize", "6000k"],
};

function ffmpeg(args, then) {
  const child = spawn("ffmpeg", QUIET.concat(args), { stdio: ["pipe", "ignore", "inherit"] });
  child.stdin.on("error", () => {});
  child.on("close", then || (() => {}));
  return child;
}

function room(ws, key) {
  const child = ffmpeg(["-i", "pipe:0", "-c:v", "libx264", ...H264[rooms], "-c:a", "aac", "-b:a", "128k",
    "-f", "hls", "-hls_time", "2", "-hls_list_size", "6", "-hls_flags", "delete_segments", `${dir}/${key}.m3u8`]);
  ws.send(JSON.stringify({ streamKey: key, message: "Room created" }));
  ws.on("message", data => child.stdin.write(data));
  ws.on("close", () => child.stdin.end());
}

function wav(pcm) {
  const head = Buffer.alloc(44), size = pcm.reduce((n, b) => n + b.length, 0);
  head.write("RIFF", 0); head.writeUInt32LE(36 + size, 4); head.write("WAVEfmt ", 8); head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20); head.writeUInt16LE(1, 22); head.writeUInt32LE(44100, 24); head.writeUInt32LE(88200, 28);
  head.writeUInt16LE(2, 32); head.writeUInt16LE(16, 34); head.write("data", 36); head.writeUInt32LE(size, 40);
  return Buffer.concat([head, ...pcm]);
}

function session(ws) {
  let name, jpegs = 0, child;
  const pcm = [];
  const named = () => {
    fs.rmSync(`${dir}/${name}.d`, { recursive: true, force: true });
    fs.writeFileSync(`${dir}/${name}.wav`, wav(pcm));
    ws.send(JSON.stringify({ eventType: "CLOSED", video: `${name}.mp4`, audio: `${name}.wav` }));
    ws.close(1000);
  };
  const video = jpeg => {
    jpegs++;
    if (frames === "files") return fs.writeFileSync(`${dir}/${name}.d/${String(jpegs).padStart(8, "0")}.jpg`, jpeg);
    child = child || ffmpeg(["-f", "image2pipe", "-framerate", "15", "-c:v", "mjpeg", "-i", "pipe:0", ...MP4, `${dir}/${name}.mp4`], named);
    child.stdin.write(jpeg);
  };
  ws.on("message", data => {
    const m = JSON.parse(data);
    if (m.eventType === "CONNECT") {
      name = `${m.id}_${Date.now()}`;
      fs.mkdirSync(`${dir}/${name}.d`);
    } else if (m.eventType === "STREAM") {
      const chunk = Buffer.from(m.encodedMediaChunk, "base64");
      if (m.mediaSourceType === "VIDEO") video(chunk);
      else pcm.push(chunk);
    } else if (m.eventType === "CLOSE") {
      if (child) child.stdin.end();
      else ffmpeg(["-framerate", "15", "-i", `${dir}/${name}.d/%08d.jpg`, ...MP4, `${dir}/${name}.mp4`], named);
    }
  });
}

new WebSocket.Server({ host: "127.0.0.1", port: Number(port) }).on("connection", (ws, req) => {
  const key = new URL(req.url, "http://localhost").searchParams.get("streamKey");
  if (key) room(ws, key);
  else session(ws);
});
