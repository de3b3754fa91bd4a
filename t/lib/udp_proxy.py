"""udp_proxy.py - a bad network between one player and a UDP port: loses, delays, reorders. No netem is needed for it."""
import heapq, random, select, socket, threading, time


class Proxy(threading.Thread):
    """Clients come to .port. loss: of 1, both ways; jitter_ms: each datagram is that late at most, at random."""
    def __init__(self, server, loss=0.0, jitter_ms=0, seed=1):
        super().__init__(daemon=True)
        self.server, self.loss, self.jitter, self.random = server, loss, jitter_ms / 1000, random.Random(seed)
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.1", 0))
        self.port = self.front.getsockname()[1]
        self.backs, self.owner, self.passed, self.lost = {}, {}, 0, 0
        self.later, self.over = [], False
        self.start()

    def back(self, client):
        if client not in self.backs:
            s = self.backs[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(("127.0.0.1", 0))
            self.owner[s] = client
        return self.backs[client]

    def take(self, sock):
        data, peer = sock.recvfrom(4096)
        out, to = (self.back(peer), self.server) if sock is self.front else (self.front, self.owner[sock])
        if self.random.random() < self.loss:
            self.lost += 1
            return
        self.passed += 1
        due = time.monotonic() + self.random.random() * self.jitter
        heapq.heappush(self.later, (due, self.passed, out, to, data))

    def run(self):
        while not self.over:
            now = time.monotonic()
            while self.later and self.later[0][0] <= now:
                _, _, out, to, data = heapq.heappop(self.later)
                out.sendto(data, to)
            wait = min(0.1, self.later[0][0] - now) if self.later else 0.1
            for s in select.select([self.front, *self.owner], [], [], max(0, wait))[0]:
                self.take(s)
        for s in [self.front, *self.owner]:
            s.close()

    def stop(self):
        self.over = True
        self.join()
