"""receiver.py - a server that is told of events, as back ends are: keeps every request, answers as it is told."""
import hashlib, hmac, http.server, json, socket, threading, time


class Request:
    def __init__(self, handler, body):
        self.at, self.method, self.path = time.monotonic(), handler.command, handler.path
        self.headers, self.body = {k.lower(): v for k, v in handler.headers.items()}, body

    def json(self):
        return json.loads(self.body)

    def signed(self, secret, age=60):
        """Is the signature right, and new?"""
        parts = dict(p.split("=", 1) for p in self.headers.get("millrace-signature", "t=0,v1=").split(","))
        proved = self.body if self.method == "POST" else self.path.encode()
        want = hmac.new(secret.encode(), parts["t"].encode() + b"." + proved, hashlib.sha256).hexdigest()
        return hmac.compare_digest(want, parts["v1"]) and abs(time.time() - int(parts["t"])) < age


class Receiver:
    """answer(request) -> status, or (status, body); it may take its time. down() and up() keep the port."""

    def __init__(self, port, answer=lambda r: 200):
        self.port, self.answer, self.requests, self.lock = port, answer, [], threading.Lock()
        self.server, self.open = None, set()
        self.up()

    def up(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                receiver.open.add(self.connection)

            def finish(self):
                receiver.open.discard(self.connection)
                super().finish()

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                r = Request(self, body)
                with receiver.lock:
                    receiver.requests.append(r)
                status = receiver.answer(r)
                status, text = status if isinstance(status, tuple) else (status, "")
                try:
                    self.send_response(status)
                    if 300 <= status < 400:
                        self.send_header("Location", f"http://127.0.0.1:{receiver.port}/followed")
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text.encode())
                except OSError:
                    self.close_connection = True
                r.status = status

            do_GET = do_POST = serve

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            allow_reuse_address, daemon_threads, request_queue_size = True, True, 128

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def down(self):
        """Nobody listens; connections that were kept are cut."""
        self.server.shutdown()
        self.server.server_close()
        self.server = None
        for s in list(self.open):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def got(self, path, **want):
        """Requests of this path, taken ones only, in order; want: of JSON bodies."""
        with self.lock:
            mine = [r for r in self.requests if r.path.split("?")[0] == path and getattr(r, "status", 0) == 200]
        return [r for r in mine if not want or all(r.json().get(k) == v for k, v in want.items())]
