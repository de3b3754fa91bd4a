"""player.py - follows a live playlist as a player does and remembers whatever RFC 8216 forbids."""
import http.client, re, threading, time

from media import digest, ts_frames
from mp4 import fragment_frames


class Playlist:
    """One reading of a media playlist."""

    def __init__(self, text):
        self.text, self.problems = text, []
        lines = text.split("\n")
        if lines[0] != "#EXTM3U":
            self.problems.append(f"starts with {lines[0]!r}")
        self.target = self._int("TARGETDURATION")
        self.sequence = self._int("MEDIA-SEQUENCE") or 0
        self.disc_sequence = self._int("DISCONTINUITY-SEQUENCE") or 0
        self.ended = "#EXT-X-ENDLIST" in lines
        self.segments = []      # (sequence, uri, extinf, discontinuity number, tag stands before it)
        extinf, tag, discs = None, False, self.disc_sequence
        for line in lines:
            if line.startswith("#EXTINF:"):
                extinf = float(line[8:].split(",")[0])
            elif line == "#EXT-X-DISCONTINUITY":
                discs, tag = discs + 1, True
            elif line and not line.startswith("#"):
                if extinf is None:
                    self.problems.append(f"{line}: no EXTINF")
                elif self.target is None or int(extinf + 0.5) > self.target:
                    self.problems.append(f"{line}: EXTINF {extinf} above TARGETDURATION {self.target}")
                self.segments.append((self.sequence + len(self.segments), line, extinf, discs, tag))
                extinf, tag = None, False

    def _int(self, name):
        m = re.search(rf"^#EXT-X-{name}:(\d+)$", self.text, re.M)
        return int(m.group(1)) if m else None


class Player(threading.Thread):
    """Polls, fetches every segment once; stop() ends it. `problems` must be empty at the end."""

    def __init__(self, host, port, path, poll=0.2, fetch=True):
        super().__init__(daemon=True)
        self.addr, self.path, self.poll, self.fetch = (host, port), path, poll, fetch
        self.problems, self.segments, self.lists, self.ended = [], {}, 0, threading.Event()
        self.last, self.gone, self.sequences, self._stop_now = None, 0, [], False
        self.listed_at = {}
        self.max_stall, self._changed = 0.0, None

    def run(self):
        while not self._stop_now and not self.ended.is_set():
            try:
                self._poll()
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)         # the server may be down: a player tries again
            time.sleep(self.poll)

    def _get(self, path):
        c = http.client.HTTPConnection(*self.addr, timeout=15)
        try:
            c.request("GET", path)
            r = c.getresponse()
            return r.status, r.read()
        finally:
            c.close()

    def _poll(self):
        status, body = self._get(self.path)
        if status != 200:
            self.gone += 1 if self.last else 0
            return
        p = Playlist(body.decode())
        self.lists += 1
        self.problems += p.problems
        if self.last:
            self._compare(self.last, p)
        now = time.monotonic()
        if self.last is None or p.text != self.last.text:
            if self._changed and not p.ended:
                self.max_stall = max(self.max_stall, now - self._changed)
            self._changed = now
        self.last = p
        for seq, uri, extinf, disc, tag in p.segments:
            if seq not in self.segments:
                self._take(seq, uri, extinf, disc, tag)
        if p.ended:
            self.ended.set()

    def _compare(self, old, new):
        if new.sequence < old.sequence:
            self.problems.append(f"MEDIA-SEQUENCE went back: {old.sequence} -> {new.sequence}")
        if new.disc_sequence < old.disc_sequence:
            self.problems.append(f"DISCONTINUITY-SEQUENCE went back: {old.disc_sequence} -> {new.disc_sequence}")
        if old.target and new.target and new.target < old.target:
            self.problems.append(f"TARGETDURATION fell: {old.target} -> {new.target}")
        if new.segments and old.segments and new.segments[-1][0] < old.segments[-1][0]:
            self.problems.append("the newest segment went away")
        if new.sequence > old.sequence and sum(x[2] for x in new.segments) < 3 * (new.target or 0):
            self.problems.append(f"the list is {sum(x[2] for x in new.segments):.1f} s long, less than 3 targets of {new.target} s")
        if new.segments and new.segments[0][0] > old.sequence + len(old.segments):
            self.problems.append(f"segments rolled out unseen: {old.sequence + len(old.segments)} .. {new.segments[0][0]}")

    def _take(self, seq, uri, extinf, disc, tag):
        data = b""
        self.listed_at[seq] = time.monotonic()
        if self.fetch:
            status, data = self._get(self.path.rsplit("/", 1)[0] + "/" + uri)
            if status != 200:
                self.problems.append(f"{uri} (sequence {seq}): {status}")
        self.segments[seq] = (uri, extinf, disc, tag, data)

    def stop(self):
        """Ends it and settles what can only be said of the whole."""
        self._stop_now = True
        if self.is_alive():
            self.join(20)
        return self

    def check(self):
        """All problems: those seen on the way, and names or numbers that changed between readings."""
        out = list(self.problems)
        if self.last:
            for seq, uri, extinf, disc, tag in self.last.segments:
                if seq in self.segments and self.segments[seq][:3] != (uri, extinf, disc):
                    out.append(f"sequence {seq} changed: {self.segments[seq][:3]} -> {(uri, extinf, disc)}")
        uris = [s[0] for s in self.segments.values()]
        if len(set(uris)) != len(uris):
            out.append("a URI was used twice")
        if not self.segments:
            out.append("no segment was ever seen")
        return out

    def frames(self):
        """(video hashes, audio hashes) of all segments in order; of fragmented MP4 whole frames, video being track 1."""
        video, audio = [], []
        for seq in sorted(self.segments):
            uri, _, _, _, data = self.segments[seq]
            if uri.endswith(".m4s"):
                frames = fragment_frames(data)
                v, a = ([digest(f) for track, f in frames if track == n] for n in (1, 2))
            else:
                v, a, _, _ = ts_frames(data)
            video += v
            audio += a
        return video, audio

    def discontinuities(self):
        return sum(1 for s in self.segments.values() if s[3])

    def total(self):
        return sum(s[1] for s in self.segments.values())
