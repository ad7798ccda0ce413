"""Files behind URLs of strangers: bounds, redirects, and no way into the network of the service."""

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.servers import serving

from skysift.base.errors import OptionError, TransientError, UsageError
from skysift.io.fetch import Fetcher, fetch

LOOPBACK = ("127.0.0.0/8",)


@contextmanager
def answering(answer):
    """A server whose every GET is answered by a function of the handler."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def redirect(to):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def test_a_file_comes_with_its_size_and_checksum(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"x" * 1000)
    with serving(tmp_path) as server:
        came = fetch(f"{server.url}/a.bin", tmp_path / "b", allowed=LOOPBACK)
    assert (tmp_path / "b").read_bytes() == b"x" * 1000
    assert came.size == 1000
    assert len(came.checksum) == 64


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "[::1]", "0.0.0.0", "10.0.0.1", "192.168.1.1", "169.254.169.254", "[::]",
        "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "2130706433", "0x7f.1", "100.64.0.1",
        "224.0.0.1", "[fe80::1]", "[fd00::1]",
    ],
)  # fmt: skip
def test_private_addresses_are_refused_before_anything_is_sent(tmp_path, host):
    with pytest.raises((UsageError, TransientError), match=r"private addresses|not known"):
        fetch(f"http://{host}:1/x", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_every_hop_is_checked(tmp_path):
    with (
        answering(redirect("http://169.254.169.254/latest/meta-data")) as url,
        pytest.raises(UsageError, match=r"private addresses.*169\.254\.169\.254"),
    ):
        fetch(url, tmp_path / "x", allowed=("127.0.0.1/32",))
    with (
        answering(redirect("file:///etc/passwd")) as url,
        pytest.raises(UsageError, match="not one that is fetched"),
    ):
        fetch(url, tmp_path / "x", allowed=LOOPBACK)
    with answering(redirect("/again")) as url, pytest.raises(UsageError, match="redirected too often"):
        fetch(url, tmp_path / "x", allowed=LOOPBACK)


def test_a_name_that_also_leads_to_a_private_address_is_refused(tmp_path, monkeypatch):
    def looked_up(host, port, **_):
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("93.184.216.34", port)), (*kind, ("10.0.0.7", port))]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    with pytest.raises(UsageError, match=r"10\.0\.0\.7"):
        fetch("http://harmless.example/x", tmp_path / "x")


def test_the_address_that_was_checked_is_the_one_that_is_asked(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"1")
    looked = []
    real = socket.getaddrinfo

    def looked_up(host, port, *rest, **more):
        looked.append(host)
        return real("127.0.0.1" if host == "data.local" else host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    with serving(tmp_path) as server:
        port = server.server_port
        fetch(f"http://data.local:{port}/a", tmp_path / "b", allowed=("data.local",))
    assert looked.count("data.local") == 1


def test_files_that_are_too_large_leave_nothing(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 1000)
    with serving(tmp_path) as server, pytest.raises(UsageError, match=r"too large.*1000 bytes"):
        fetch(f"{server.url}/a", tmp_path / "b", limit=999, allowed=LOOPBACK)

    def endless(handler):  # does not say how much will come
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(100):
                handler.wfile.write(b"x" * 1000)
        except OSError:
            pass

    with answering(endless) as url, pytest.raises(UsageError, match=r"too large.*more than 5000"):
        fetch(url, tmp_path / "b", limit=5000, allowed=LOOPBACK)
    assert not (tmp_path / "b").exists()


def test_what_breaks_off_or_drips_is_told(tmp_path):
    def short(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"x" * 10)

    with answering(short) as url, pytest.raises(TransientError, match=r"broke off|does not answer"):
        fetch(url, tmp_path / "b", allowed=LOOPBACK)

    silent = threading.Event()

    def hang(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"x")
        handler.wfile.flush()
        silent.wait(5)

    with answering(hang) as url:
        with pytest.raises(TransientError):
            Fetcher(allowed=LOOPBACK, patience=0.2).fetch(url, tmp_path / "b")
        silent.set()
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("part", ["headers", "body"])
def test_the_time_of_a_file_is_over_while_it_drips(tmp_path, part):
    ended = threading.Event()

    def drip(handler):
        handler.send_response(200)
        if part == "body":
            handler.end_headers()
        else:
            handler.flush_headers()
        try:
            for number in range(300):
                handler.wfile.write(f"X-{number}: y\r\n".encode())
                if ended.wait(0.1):
                    return
        except OSError:
            pass

    with answering(drip) as url:
        with pytest.raises(TransientError, match="takes too long"):
            Fetcher(allowed=LOOPBACK, seconds=0.5).fetch(url, tmp_path / "b")
        assert not ended.is_set()
        ended.set()
    assert not (tmp_path / "b").exists()


def test_packed_answers_and_refusals_are_told(tmp_path):
    def packed(handler):
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()

    with answering(packed) as url, pytest.raises(UsageError, match="packed"):
        fetch(url, tmp_path / "b", allowed=LOOPBACK)
    with serving(tmp_path) as server:
        with pytest.raises(UsageError, match="status 404"):
            fetch(f"{server.url}/none", tmp_path / "b", allowed=LOOPBACK)
        server.status = 503
        with pytest.raises(TransientError, match="status 503"):
            fetch(f"{server.url}/none", tmp_path / "b", allowed=LOOPBACK)


@pytest.mark.parametrize(
    "url",
    ["ftp://x.example/a", "file:///etc/passwd", "gopher://x", "http:///a", "http://u:p@x.example/a", "//x",
     "http://x.example:0/", "http://x.example/a b", "http://x.example/\r\nHost: y", "http://x.example:99999/"],
)  # fmt: skip
def test_other_urls_are_refused(tmp_path, url):
    with pytest.raises(UsageError):
        fetch(url, tmp_path / "x")


def test_an_allowed_place_that_is_none_is_told():
    with pytest.raises(OptionError, match="neither a network nor"):
        Fetcher(allowed=("10.0.0.0/99",))
