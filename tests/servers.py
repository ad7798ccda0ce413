"""Servers on the loopback for tests: files by http with byte ranges, and the little of s3 that reading needs."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


class FileHandler(BaseHTTPRequestHandler):
    """Files of a folder; the server counts requests and bytes, and can be told to misbehave."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        server = self.server
        place = urlsplit(self.path)
        server.asked.append((self.command, place.path, self.headers.get("Range")))
        if server.failures > 0 and body:
            server.failures -= 1
            self._refuse(503)
            return
        file = server.folder / unquote(place.path).lstrip("/")
        if server.status or "list-type" in place.query or not file.is_file():
            self._refuse(server.status or 404)
            return
        data = file.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if server.ranges else None
        first, last = 0, len(data) - 1
        if wanted:
            first, last = int(wanted[1]), min(int(wanted[2] or last), last)
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Accept-Ranges", "bytes" if server.ranges else "none")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("ETag", f'"{hashlib.md5(data).hexdigest()}"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        if body:
            server.sent += last - first + 1
            self.wfile.write(data[first : last + 1])

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class FileServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # a strip of many rows is asked for by as many connections at once

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), FileHandler)
        self.folder, self.ranges, self.status, self.failures = folder, True, 0, 0
        self.asked: list[tuple[str, str, str | None]] = []
        self.sent = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving(folder: Path) -> Iterator[FileServer]:
    """A server of the files of a folder; a folder in it is a bucket of s3."""
    server = FileServer(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
