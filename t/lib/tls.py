"""tls.py - certificates of our own, and a TLS listener in front of a TCP port.

    ca = certificate(t, "ca")                                       # (certificate, key) files, its own CA
    crt, key = certificate(t, "localhost", "DNS:localhost", ca)     # of that CA, for that name
    front = TlsFront((crt, key), port)                              # front.port speaks TLS, port what is in it
"""
import socket, ssl, subprocess, threading


def certificate(t, name, san=None, ca=None):
    cert, key = f"{t.dir}/{name}.crt", f"{t.dir}/{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", key,
        "-out", cert, *(["-addext", f"subjectAltName={san}"] if san else []), *(["-CA", ca[0], "-CAkey", ca[1]] if ca else [])],
        check=True, stderr=subprocess.DEVNULL)
    return cert, key


class TlsFront(threading.Thread):
    def __init__(self, cert, to):
        super().__init__(daemon=True)
        self.to, self.context = to, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*cert)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, sock):
        try:
            sock.settimeout(30)
            front = self.context.wrap_socket(sock, server_side=True)
            back = socket.create_connection(("127.0.0.1", self.to))
        except OSError:
            return
        threading.Thread(target=self.copy, args=(back, front), daemon=True).start()
        self.copy(front, back)

    def copy(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
