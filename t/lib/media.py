"""media.py - pure Python readers of what Millrace takes and gives: FLV tags in, MPEG-TS segments out.

Both sides are reduced to the same two lists: hashes of H.264 slice NALs (without AUD, SPS,
PPS, SEI) and of raw AAC frames, so that a test can say "each exactly once, in order".
"""
import hashlib


def digest(data):
    return hashlib.blake2b(data, digest_size=10).digest()


def flv_tags(data):
    """Yields (type, timestamp_ms, body) of an FLV file."""
    pos = 13
    while pos + 11 <= len(data):
        kind = data[pos] & 0x1F
        size = int.from_bytes(data[pos + 1:pos + 4], "big")
        ts = int.from_bytes(data[pos + 4:pos + 7], "big") | data[pos + 7] << 24
        body = data[pos + 11:pos + 11 + size]
        if len(body) < size:
            return
        yield kind, ts, body
        pos += 11 + size + 4


def flv_frames(data):
    """(video, audio): lists of (timestamp_ms, hash); one video entry per slice NAL."""
    video, audio = [], []
    for kind, ts, body in flv_tags(data):
        if kind == 9 and body[0] & 0x0F == 7 and body[1] == 1:
            pos = 5
            while pos + 4 <= len(body):
                size = int.from_bytes(body[pos:pos + 4], "big")
                nal = body[pos + 4:pos + 4 + size]
                if nal and nal[0] & 0x1F in (1, 2, 5):
                    video.append((ts, digest(nal)))
                pos += 4 + size
        elif kind == 8 and body[0] >> 4 == 10 and body[1] == 1:
            audio.append((ts, digest(body[2:])))
    return video, audio


def is_header(kind, body):
    """A sequence header, of Enhanced RTMP too."""
    enhanced = body[0] & 0x80 if kind == 9 else body[0] >> 4 == 9
    return body[0] & 0x0F == 0 if enhanced else body[1] == 0


def enhanced_frames(data):
    """(video, audio) of an Enhanced RTMP FLV: lists of (timestamp_ms, hash) of whole frames."""
    out = ([], [])
    for kind, ts, body in flv_tags(data):
        if kind == 18 or is_header(kind, body):
            continue
        if kind == 9:
            out[0].append((ts, digest(body[8:] if body[0] & 0x0F == 1 and body[1:5] == b"hvc1" else body[5:])))
        else:
            out[1].append((ts, digest(body[2:] if body[0] >> 4 == 10 else body[5:])))
    return out


def annexb_slices(data):
    """Hashes of the slice NALs of an Annex B byte stream."""
    out, pos = [], data.find(b"\x00\x00\x01")
    while pos >= 0:
        start = pos + 3
        pos = data.find(b"\x00\x00\x01", start)
        nal = data[start:pos if pos >= 0 else len(data)].rstrip(b"\x00")
        if nal and nal[0] & 0x1F in (1, 2, 5):
            out.append(digest(nal))
    return out


def adts_frames(data):
    out, pos = [], 0
    while pos + 7 <= len(data):
        if data[pos] != 0xFF or data[pos + 1] & 0xF0 != 0xF0:
            raise ValueError(f"no ADTS sync at {pos}")
        size = (data[pos + 3] & 3) << 11 | data[pos + 4] << 3 | data[pos + 5] >> 5
        head = 7 if data[pos + 1] & 1 else 9
        out.append(digest(data[pos + head:pos + size]))
        pos += size
    return out


def pes_payload(pes):
    return pes[9 + pes[8]:]


def pes_time(pes):
    """PTS in 90 kHz ticks, or None."""
    if not pes[7] & 0x80:
        return None
    b = pes[9:14]
    return (b[0] >> 1 & 7) << 30 | b[1] << 22 | (b[2] >> 1) << 15 | b[3] << 7 | b[4] >> 1


def ts_pes(data):
    """Yields (stream_type, pes bytes) of one MPEG-TS segment, in order of their start."""
    if len(data) % 188:
        raise ValueError(f"{len(data)} bytes are no whole TS packets")
    pmt, types, open_pes, done = None, {}, {}, []
    for off in range(0, len(data), 188):
        p = data[off:off + 188]
        if p[0] != 0x47:
            raise ValueError(f"no TS sync at {off}")
        pid, start = (p[1] & 0x1F) << 8 | p[2], p[1] & 0x40
        body = p[4:]
        if p[3] & 0x20:
            body = body[1 + body[0]:]
        if not p[3] & 0x10 or not body:
            continue
        if pid == 0 and start:
            sec = body[1 + body[0]:]
            pmt = (sec[10] & 0x1F) << 8 | sec[11]
        elif pid == pmt and start:
            sec = body[1 + body[0]:]
            end = 3 + ((sec[1] & 0x0F) << 8 | sec[2]) - 4
            pos = 12 + ((sec[10] & 0x0F) << 8 | sec[11])
            while pos < end:
                types[(sec[pos + 1] & 0x1F) << 8 | sec[pos + 2]] = sec[pos]
                pos += 5 + ((sec[pos + 3] & 0x0F) << 8 | sec[pos + 4])
        elif pid in types:
            if start:
                open_pes[pid] = entry = (types[pid], bytearray())
                done.append(entry)
            if pid in open_pes:
                open_pes[pid][1].extend(body)
    for kind, pes in done:
        yield kind, bytes(pes)


def ts_frames(data):
    """(video, audio, first_pts, last_pts): slice hashes, AAC frame hashes, 90 kHz ticks of the video (or audio)."""
    video, audio, times = [], [], {0x1B: [], 0x0F: []}
    for kind, pes in ts_pes(data):
        if kind not in times:
            continue
        payload, pts = pes_payload(pes), pes_time(pes)
        if pts is not None:
            times[kind].append(pts)
        if kind == 0x1B:
            video += annexb_slices(payload)
        else:
            audio += adts_frames(payload)
    seen = times[0x1B] or times[0x0F] or [None]
    return video, audio, min(seen), max(seen)


def compare(source, got, what, first_free=0, last_free=0):
    """
    Problems (strings) of `got` (hashes) against `source` (hashes): a gap, a repetition or an unknown
    frame. Up to first_free / last_free frames may be missing at either end.
    """
    index = {}
    for i, h in enumerate(source):
        index.setdefault(h, []).append(i)
    problems, want = [], None
    for n, h in enumerate(got):
        places = index.get(h)
        if not places:
            problems.append(f"{what} {n}: not in the source")
            continue
        at = want if want in places else min(places, key=lambda p: abs(p - (want if want is not None else 0)))
        if want is None and at > first_free:
            problems.append(f"{what}: starts at source frame {at}")
        elif want is not None and at != want:
            problems.append(f"{what} {n}: source frame {at} where {want} was due")
        want = at + 1
    if want is None:
        problems.append(f"{what}: nothing arrived")
    elif len(source) - want > last_free:
        problems.append(f"{what}: ends at source frame {want} of {len(source)}")
    return problems


def runs(source, got, what):
    """
    (problems, [(first_ms, last_ms)]) of `got` (hashes) in `source` ((ms, hash), each hash once): its stretches
    without a gap. Problems (strings): a frame that is unknown, or not later than the one before it.
    """
    index = {h: i for i, (_, h) in enumerate(source)}
    problems, found, want = [], [], None
    for n, h in enumerate(got):
        at = index.get(h)
        if at is None:
            problems.append(f"{what} {n}: not in the source")
            continue
        if want is not None and at < want:
            problems.append(f"{what} {n}: source frame {at} where {want} was due")
        if at == want:
            found[-1] = (found[-1][0], source[at][0])
        else:
            found.append((source[at][0], source[at][0]))
        want = at + 1
    return problems, found
