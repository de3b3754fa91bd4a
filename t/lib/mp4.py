"""mp4.py - pure Python reader of MP4: a plain file's tracks, and the frames of fragmented segments (ISO/IEC 14496-12)."""
import struct

CONFIGS = {b"hvc1": b"hvcC", b"hev1": b"hvcC", b"av01": b"av1C", b"vp09": b"vpcC", b"avc1": b"avcC", b"Opus": b"dOps", b"mp4a": b"esds"}


def boxes(data, pos=0, end=None):
    """Yields (type, start of the content, end)."""
    end = len(data) if end is None else end
    while pos + 8 <= end:
        size, kind = struct.unpack(">I4s", data[pos:pos + 8])
        head = 8
        if size == 1:
            size, head = struct.unpack(">Q", data[pos + 8:pos + 16])[0], 16
        if size < head:
            return
        yield kind, pos + head, pos + size
        pos += size


def find(data, path, pos=0, end=None):
    """(start, end) of the first box at a path such as "moov/trak"."""
    first, _, rest = path.partition("/")
    for kind, start, stop in boxes(data, pos, end):
        if kind == first.encode():
            return find(data, rest, start, stop) if rest else (start, stop)
    raise ValueError(f"no {path}")


def words(data, pos, n):
    return struct.unpack(f">{n}I", data[pos:pos + 4 * n])


def runs(pairs):
    return [v for n, v in pairs for _ in range(n)]


class Track:
    """codec (FourCC), config (content of its configuration box), scale, samples: (time, composition offset, key, bytes)."""

    def __init__(self, data, start, end):
        scale = find(data, "mdia/mdhd", start, end)[0]
        self.scale = words(data, scale + (20 if data[scale] else 12), 1)[0]
        table = find(data, "mdia/minf/stbl", start, end)
        box = lambda name: find(data, name, *table)[0]
        entry = box("stsd") + 8
        self.codec = data[entry + 4:entry + 8]
        at = data.index(CONFIGS[self.codec], entry)
        self.config = data[at + 4:at - 4 + words(data, at - 4, 1)[0]]
        sizes = words(data, box("stsz") + 12, words(data, box("stsz") + 8, 1)[0])
        chunks = words(data, box("stco") + 8, words(data, box("stco") + 4, 1)[0])
        per = [struct.unpack(">III", data[p:p + 12]) for p in range(box("stsc") + 8, box("stsc") + 8 + 12 * words(data, box("stsc") + 4, 1)[0], 12)]
        try:
            keys = set(words(data, box("stss") + 8, words(data, box("stss") + 4, 1)[0]))
        except ValueError:
            keys = None
        steps = self._pairs(data, box("stts"))
        try:
            offsets = [v - (v >> 31 << 32) for v in self._pairs(data, box("ctts"))]
        except ValueError:
            offsets = [0] * len(sizes)
        self.samples, n, time = [], 0, 0
        for i, (first, count, _) in enumerate(per):
            until = per[i + 1][0] if i + 1 < len(per) else len(chunks) + 1
            for chunk in range(first, until):
                pos = chunks[chunk - 1]
                for _ in range(count):
                    self.samples.append((time, offsets[n], keys is None or n + 1 in keys, data[pos:pos + sizes[n]]))
                    pos, time, n = pos + sizes[n], time + steps[n], n + 1

    @staticmethod
    def _pairs(data, pos):
        n = words(data, pos + 4, 1)[0]
        return runs(zip(*[iter(words(data, pos + 8, 2 * n))] * 2))


def tracks(data):
    moov = find(data, "moov")
    return [Track(data, s, e) for kind, s, e in boxes(data, *moov) if kind == b"trak"]


def fragment_frames(data):
    """[(track id, bytes)] of a segment of fragments, in the order of their bytes; sizes stand in trun, or once in tfhd."""
    out = []
    for kind, start, end in boxes(data):
        if kind != b"moof":
            continue
        for name, s, e in boxes(data, start, end):
            if name == b"traf":
                out += _traf(data, start - 8, s, e)
    return [(track, data[pos:pos + size]) for pos, track, size in sorted(out)]


def _traf(data, moof, start, end):
    track = default = 0
    out = []
    for name, s, e in boxes(data, start, end):
        flags = words(data, s, 1)[0] & 0xFFFFFF
        if name == b"tfhd":
            track = words(data, s + 4, 1)[0]
            at = s + 8 + 8 * (flags & 1) + 4 * (flags >> 1 & 1) + 4 * (flags >> 3 & 1)
            default = words(data, at, 1)[0] if flags & 0x10 else 0
        elif name == b"trun":
            count = words(data, s + 4, 1)[0]
            pos = moof + words(data, s + 8, 1)[0] if flags & 1 else None
            at = s + 8 + 4 * (flags & 1) + 4 * (flags >> 2 & 1)
            for _ in range(count):
                at += 4 * (flags >> 8 & 1)
                size = words(data, at, 1)[0] if flags & 0x200 else default
                at += 4 * ((flags >> 9 & 1) + (flags >> 10 & 1) + (flags >> 11 & 1))
                out.append((pos, track, size))
                pos += size
    return out
