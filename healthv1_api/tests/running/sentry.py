"""A place on loopback that takes events as Sentry does, and keeps them."""

import gzip
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from running.daemon import LOOPBACK


class Ingest:
    def __init__(self) -> None:
        self.received: list[str] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                received.append(_unpacked(body, self.headers.get("content-encoding")))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def dsn(self) -> str:
        return f"http://public@{LOOPBACK}:{self._server.server_port}/1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _unpacked(body: bytes, encoding: str | None) -> str:
    if encoding == "gzip":
        return gzip.decompress(body).decode()
    return (zlib.decompress(body) if encoding == "deflate" else body).decode()
