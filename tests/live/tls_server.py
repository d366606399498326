# SPDX-License-Identifier: Apache-2.0
"""An HTTPS server on 127.0.0.1 that does what it is told, the wrong things included, a CONNECT
proxy, and certificates for them: a good one, and each kind of bad one.

    certificates = Certificates(folder)         made with the openssl program
    server = Server(certificates, "good")       its certificate: good, expired, other-name ...
    server.on("/path", handler)                 handler(Exchange); in a thread of its own
    server.seen("/path")                        the requests for it: a list of headers
"""
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time

CA_CONFIG = """
[ca]
default_ca = one
[one]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
commonName = test
"""


class Certificates:
    """ca.pem; NAME.pem and NAME.key for each of these."""
    KINDS = {"good": "IP:127.0.0.1,DNS:localhost", "other-name": "DNS:elsewhere.test",
             "expired": "IP:127.0.0.1,DNS:localhost", "not-yet": "IP:127.0.0.1,DNS:localhost",
             "other-ca": "IP:127.0.0.1,DNS:localhost", "self-signed": "IP:127.0.0.1,DNS:localhost"}
    DATES = {"expired": ("20240101000000Z", "20240201000000Z"),
             "not-yet": ("20980101000000Z", "20990101000000Z")}

    def __init__(self, folder):
        self.folder = folder
        with open(self.path("ca.cnf"), "w", encoding="utf-8") as f:
            f.write(CA_CONFIG.format(folder=folder))
        open(self.path("index"), "w", encoding="utf-8").close()
        for ca in ("ca", "wrong-ca"):
            self.openssl("req", "-x509", *self.key(ca), "-subj", "/CN=" + ca, "-days", "30",
                         "-addext", "basicConstraints=critical,CA:TRUE",
                         "-out", self.path(ca + ".pem"))
        for kind, names in self.KINDS.items():
            self.make(kind, names)

    def path(self, name):
        return os.path.join(self.folder, name)

    def key(self, name):
        return ["-config", self.path("ca.cnf"), "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.path(name + ".key")]

    def make(self, kind, names):
        extension = ["-subj", "/CN=" + kind, "-addext", "subjectAltName=" + names]
        if kind == "self-signed":
            self.openssl("req", "-x509", *self.key(kind), *extension, "-days", "30",
                         "-out", self.path(kind + ".pem"))
            return
        self.openssl("req", *self.key(kind), *extension, "-out", self.path(kind + ".csr"))
        ca = "wrong-ca" if kind == "other-ca" else "ca"
        start, end = self.DATES.get(kind, (None, None))
        dates = ["-startdate", start, "-enddate", end] if start else ["-days", "30"]
        self.openssl("ca", "-batch", "-notext", "-config", self.path("ca.cnf"), *dates,
                     "-cert", self.path(ca + ".pem"), "-keyfile", self.path(ca + ".key"),
                     "-in", self.path(kind + ".csr"), "-out", self.path(kind + ".pem"))

    @staticmethod
    def openssl(*args):
        run = subprocess.run(["openssl", *args], capture_output=True, check=False)
        if run.returncode:
            raise RuntimeError(f"openssl {args[0]}: {run.stderr.decode(errors='replace')[-800:]}")

    @staticmethod
    def missing():
        """Why there can be none, or None."""
        return None if shutil.which("openssl") else "the openssl program is not installed"


class Exchange:
    """One request, and the ways to answer it."""

    def __init__(self, server, connection, method, path, headers):
        self.server, self.connection = server, connection
        self.method, self.path, self.headers = method, path, headers

    def raw(self, data):
        """Bytes as they are; a client that is gone ends the handler."""
        self.connection.sendall(data)

    def head(self, status, *fields):
        lines = [f"HTTP/1.1 {status} x", *fields, "Connection: close", "", ""]
        self.raw("\r\n".join(lines).encode("latin-1"))

    def answer(self, status, body=b"", *fields):
        self.head(status, f"Content-Length: {len(body)}", *fields)
        self.raw(body)

    def file(self, body, tag, *fields, ranges=True, cut=None, drip=None):
        """As a good server does: conditional, by ranges. cut: closes after so many bytes; drip:
        so many bytes a piece, and seconds between them."""
        first = 0
        if tag and tag in self.headers.get("if-none-match", ""):
            return self.head(304, "ETag: " + tag)
        wanted = self.headers.get("range", "")
        if ranges and wanted and self.headers.get("if-range", tag) == tag:
            first = int(wanted.removeprefix("bytes=").rstrip("-"))
            if first >= len(body):
                return self.answer(416, b"", f"Content-Range: bytes */{len(body)}")
            fields += (f"Content-Range: bytes {first}-{len(body) - 1}/{len(body)}",)
        self.head(206 if first else 200, f"Content-Length: {len(body) - first}",
                  *([f"ETag: {tag}"] if tag else []), *fields)
        rest = body[first:]
        if cut is not None:
            self.raw(rest[:cut])
            return self.cut_off()
        if not drip:
            return self.raw(rest)
        for at in range(0, len(rest), drip[0]):
            self.raw(rest[at:at + drip[0]])
            time.sleep(drip[1])
        return None

    def stall(self, seconds=20):
        """Until the client is gone."""
        self.connection.settimeout(seconds)
        try:
            self.connection.recv(1)
        except OSError:
            pass

    def cut_off(self):
        """The end of TCP without the end of TLS: all that was sent arrives."""
        self.connection.shutdown(socket.SHUT_RDWR)

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class Server:
    def __init__(self, certificates, kind="good"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.path(kind + ".pem"), certificates.path(kind + ".key"))
        self.context = context
        self.handlers, self.requests = {}, []
        self.lock = threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def on(self, path, handler):
        self.handlers[path] = handler

    def seen(self, path):
        with self.lock:
            return [headers for p, headers in self.requests if p == path]

    def accept(self):
        while True:
            plain, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(plain,), daemon=True).start()

    def serve(self, plain):
        connection = plain
        try:
            plain.settimeout(30)
            connection = self.context.wrap_socket(plain, server_side=True)
            self.talk(connection)
            connection.unwrap()
        except (OSError, ValueError):
            pass  # clients that go are what is tested
        finally:
            connection.close()

    def talk(self, connection):
        text = b""
        while b"\r\n\r\n" not in text:
            piece = connection.recv(65536)
            if not piece:
                return
            text += piece
        first, *lines = text.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
        method, path, _ = first.split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        with self.lock:
            self.requests.append((path, headers))
        exchange = Exchange(self, connection, method, path, headers)
        handler = self.handlers.get(path)
        if handler:
            handler(exchange)
        else:
            exchange.answer(404, b"no such thing")


class Proxy:
    """CONNECT to hosts of 127.0.0.1; it notes who was asked for. to: every connection goes to this
    port instead; refuse: a status for all."""

    def __init__(self, to=None, refuse=None):
        self.to, self.refuse, self.asked = to, refuse, []
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            text = b""
            while b"\r\n\r\n" not in text:
                piece = client.recv(65536)
                if not piece:
                    return
                text += piece
            method, target, _ = text.decode("latin-1").split("\r\n")[0].split(" ")
            self.asked.append((method, target))
            if self.refuse or method != "CONNECT":
                client.sendall(f"HTTP/1.1 {self.refuse or 405} no\r\nETag: \"proxy\"\r\n"
                               "Content-Length: 0\r\n\r\n".encode())
                return
            port = self.to or int(target.rpartition(":")[2])
            upstream = socket.create_connection(("127.0.0.1", port))
            client.sendall(b"HTTP/1.1 200 connected\r\n\r\n")
            back = threading.Thread(target=self.copy, args=(upstream, client), daemon=True)
            back.start()
            self.copy(client, upstream)
            back.join()
        except (OSError, ValueError):
            pass
        finally:
            client.close()

    @staticmethod
    def copy(source, target):
        try:
            while True:
                piece = source.recv(65536)
                if not piece:
                    break
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
