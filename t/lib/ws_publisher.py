"""ws_publisher.py - sends a container's file over /ws in chunks, at the pace of its media, as MediaRecorder would."""
import json, os, threading, time

from ws import CLOSE, PING, PONG, Closed, WebSocket


class WsPublisher(threading.Thread):
    """path: a file, or a list of files' bytes, which follow each other. again: asked to, it begins its last file anew. Begins with start(); `states` is what the server said; `error` why it ended, None: as it should."""

    def __init__(self, port, name, path, seconds, chunk=0.25, speed=1.0, query="", fields=(), again=False):
        super().__init__(daemon=True)
        self.ws = WebSocket(port, f"/ws?role=publisher&streamKey={name}{query}", fields=fields)
        self.hello = self.ws.json()
        self.parts = path if isinstance(path, list) else [open(path, "rb").read()]
        self.data = b"".join(self.parts)
        self.seconds, self.chunk, self.speed = seconds, chunk, speed
        self.sent, self.states, self.error, self.code = 0, [], None, None
        self.ending = threading.Event()
        self.again = again

    def listen(self):
        """What the server has said until now."""
        while self.ws.readable():
            opcode, payload = self.ws.read_frame()
            if opcode == PING:
                self.ws.send(payload, PONG)
            elif opcode == CLOSE:
                raise Closed(int.from_bytes(payload[:2], "big"), payload[2:].decode())
            elif opcode != PONG:
                self.states.append(json.loads(payload))

    def pace(self, parts):
        """Sends them at the pace of their media. True: it is asked to begin again."""
        step = max(1, int(len(self.data) * self.chunk / self.seconds))
        t0, before = time.monotonic(), self.sent
        for chunk in (part[at:at + step] for part in parts for at in range(0, len(part), step)):
            if self.ending.is_set():
                break
            self.ws.send(chunk)
            self.sent += len(chunk)
            due = t0 + (self.sent - before) / len(self.data) * self.seconds / self.speed
            while not self.ending.is_set():
                self.listen()
                if self.again and self.state("restart"):
                    return True
                wait = due - time.monotonic()
                if wait <= 0:
                    break
                self.ending.wait(min(wait, 0.05))
        return False

    def run(self):
        self.ws.sock.settimeout(60)
        try:
            if self.pace(self.parts):
                self.again = False
                self.pace(self.parts[-1:])
            self.code = self.ws.close()
        except Closed as e:
            self.error, self.code = str(e), e.code
        except OSError as e:
            self.error = str(e)

    def finish(self):
        self.ending.set()
        self.join(20)

    def cut(self):
        self.ending.set()
        self.ws.abort()

    def state(self, word):
        return any(s.get("state") == word for s in self.states)
