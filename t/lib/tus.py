"""tus.py - a client of the tus protocol 1.0.0 that is strict about what the server says, and can break off anywhere."""
import base64, http.client, socket

OCTETS = "application/offset+octet-stream"


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:200]!r}"

    def number(self, name):
        return int(self.fields[name]) if name in self.fields else None


def request(port, method, path, fields={}, body=None, version="1.0.0"):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    fields = dict({"Tus-Resumable": version} if version else {}, **fields)
    try:
        c.putrequest(method, path, skip_accept_encoding=True)
        for name, value in fields.items():
            c.putheader(name, value)
        if body is not None and not isinstance(body, list):
            c.putheader("Content-Length", str(len(body)))
        elif body is not None:
            c.putheader("Transfer-Encoding", "chunked")
        c.endheaders()
        if isinstance(body, list):
            for piece in body:
                c.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            c.send(b"0\r\n\r\n")
        elif body:
            c.send(body)
        r = c.getresponse()
        return Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())
    finally:
        c.close()


def metadata(**values):
    return ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in values.items())


class Upload:
    """One upload: made by __init__, path known from Location."""
    def __init__(self, port, size, endpoint="/upload", **fields):
        self.port, self.size = port, size
        length = {"Upload-Defer-Length": "1"} if size is None else {"Upload-Length": str(size)}
        self.created = request(port, "POST", endpoint, dict(length, **fields), b"")
        if self.created.status == 201:
            where = self.created.fields["location"]
            self.path = where if where.startswith("/") else endpoint.rsplit("/", 1)[0] + "/" + where
            self.id = self.path.rsplit("/", 1)[1]

    def head(self):
        return request(self.port, "HEAD", self.path)

    def offset(self):
        return self.head().number("upload-offset")

    def patch(self, data, offset, **fields):
        return request(self.port, "PATCH", self.path, dict({"Upload-Offset": str(offset), "Content-Type": OCTETS}, **fields), data)

    def broken_patch(self, data, offset, cut, how="close", **fields):
        """Announces data, sends `cut` bytes of it, and the connection breaks."""
        s = socket.create_connection(("127.0.0.1", self.port), 10)
        lines = [f"PATCH {self.path} HTTP/1.1", "Host: x", "Tus-Resumable: 1.0.0", f"Upload-Offset: {offset}",
            f"Content-Type: {OCTETS}", f"Content-Length: {len(data)}", *(f"{k}: {v}" for k, v in fields.items())]
        s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data[:cut])
        if how == "close":
            s.close()
        return s        # else it hangs, open

    def delete(self):
        return request(self.port, "DELETE", self.path)
