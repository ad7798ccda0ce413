"""`fetch`: a file behind a URL that a stranger gave, streamed to disk, from places that all may see.

A server that fetches what it is told can be turned against its own network. So each address is looked up once,
checked, and then connected to as a number, at every hop of a redirect; addresses of this machine and of private
networks are refused unless the settings of the service allow them. Nothing of ours (tokens, cookies, proxies)
goes along.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import SplitResult, urljoin, urlsplit

from skysift.base.errors import FatalError, OptionError, StorageError, TransientError, UsageError

__all__ = ["Fetched", "Fetcher", "fetch"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_BLOCK = 1 << 18
_HOPS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Fetched:
    """What came.

    Parameters
    ----------
    url
        Where it came from in the end.
    size
        Bytes.
    checksum
        SHA-256, as hexadecimal digits.
    media_type
        What the server says that it is; empty where it says nothing.
    """

    url: str
    size: int
    checksum: str
    media_type: str


class Fetcher:
    """Fetches files by http and https, within bounds.

    Parameters
    ----------
    limit
        Bytes of one file.
    allowed
        Networks (``10.1.0.0/16``) and names of hosts (``data.institute.local``) that are fetched from although
        they are not of the public internet.
    seconds
        How long one file may take, all hops together.
    patience
        How long a server may be silent (s).

    Raises
    ------
    OptionError
        An allowed place is neither a network nor a name.
    """

    def __init__(
        self,
        limit: int = 1 << 30,
        allowed: tuple[str, ...] = (),
        seconds: float = 600.0,
        patience: float = 20.0,
    ) -> None:
        self.limit, self.seconds, self.patience = limit, seconds, patience
        self._networks: list[Network] = []
        self._names: set[str] = set()
        for each in allowed:
            self._allow(each)

    def _allow(self, place: str) -> None:
        try:
            self._networks.append(ipaddress.ip_network(place.strip("[]"), strict=False))
        except ValueError:
            if not place or "/" in place or ":" in place:
                raise OptionError(
                    "a place to fetch from is neither a network nor the name of a host", got=place
                ) from None
            self._names.add(place.lower().rstrip("."))

    def fetch(self, url: str, target: Path, *, limit: int | None = None) -> Fetched:
        """What is behind a URL, in a file; nothing is left there when it fails.

        Parameters
        ----------
        url
            ``http://`` or ``https://``.
        target
            The file to be written; it must not be there.
        limit
            Bytes that it may have; the limit of the fetcher by default.

        Raises
        ------
        UsageError
            The URL cannot be read or leads to a place that is not fetched from, or the file is too large.
        TransientError
            The server does not answer, or breaks off.
        StorageError
            The file cannot be written.
        """
        most = self.limit if limit is None else min(limit, self.limit)
        end = time.monotonic() + self.seconds
        for _ in range(_HOPS + 1):
            place = _place(url)
            with self._asked(place, end) as answer:
                if answer.status in _REDIRECTS:
                    url = urljoin(url, answer.headers.get("Location") or "")
                    continue
                if answer.status != 200:
                    kind = TransientError if answer.status >= 500 or answer.status == 429 else UsageError
                    raise kind(
                        "the server of a URL refuses it", got=f"status {answer.status} of {_told(place)}"
                    )
                return self._kept(answer, place, target, most, end)
        raise UsageError("a URL is redirected too often", got=url, allowed=f"{_HOPS} times")

    @contextmanager
    def _asked(self, place: SplitResult, end: float) -> Iterator[http.client.HTTPResponse]:
        connection = _connection(place, lambda: self._connected(place, end))
        path = (place.path or "/") + (f"?{place.query}" if place.query else "")
        over = threading.Event()
        timer = threading.Timer(_left(end), _cut_off, (connection, over))
        timer.daemon = True
        timer.start()
        try:
            connection.connect()
            _left(end)
            connection.request(
                "GET", path, headers={"Accept-Encoding": "identity", "User-Agent": "skysift", "Accept": "*/*"}
            )
            yield connection.getresponse()
        except (OSError, http.client.HTTPException, TransientError) as error:
            if over.is_set():
                raise _too_long() from error
            if isinstance(error, TransientError):
                raise
            raise TransientError("a URL does not answer", got=f"{_told(place)} ({error})") from error
        finally:
            timer.cancel()
            connection.close()

    def _connected(self, place: SplitResult, end: float) -> socket.socket:
        """A connection to an address of a host that was checked."""
        host, port = str(place.hostname), place.port or (443 if place.scheme == "https" else 80)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise TransientError("the host of a URL is not known", got=host) from error
        addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        for address in addresses:  # all of them: a name that mixes public and private ones is a trap
            if not self._may(host, address):
                raise UsageError(
                    "nothing is fetched from private addresses",
                    got=f"{host} at {address}",
                    allowed="the public internet, and what the settings of the service allow",
                )
        problem: OSError | None = None
        for address in addresses:
            try:
                return socket.create_connection((str(address), port), timeout=min(self.patience, _left(end)))
            except OSError as error:
                problem = error
        raise problem or OSError("no address")

    def _may(self, host: str, address: Address) -> bool:
        if host.lower().rstrip(".") in self._names:
            return True
        if any(address in network for network in self._networks if network.version == address.version):
            return True
        inner = _inner(address)
        if inner is not None:
            return self._may("", inner)
        return address.is_global and not address.is_multicast and not address.is_reserved

    def _kept(
        self,
        answer: http.client.HTTPResponse,
        place: SplitResult,
        target: Path,
        most: int,
        end: float,
    ) -> Fetched:
        if answer.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            raise UsageError("a URL answers with packed bytes that were not asked for", got=_told(place))
        announced = answer.headers.get("Content-Length", "")
        if announced.isdigit() and int(announced) > most:
            raise _too_large(place, announced, most)
        digest, size = hashlib.sha256(), 0
        try:
            file = target.open("xb")
        except OSError as error:
            raise StorageError("the file for what is fetched cannot be made", got=str(error)) from error
        try:
            with file:
                while block := answer.read1(_BLOCK):
                    size += len(block)
                    if size > most:
                        raise _too_large(place, f"more than {most}", most)
                    _left(end)
                    digest.update(block)
                    _write(file.write, block)
            _left(end)  # what was cut off then looks like an end
            if announced.isdigit() and size < int(announced):
                raise TransientError("a URL broke off", got=f"{size} of {announced} bytes of {_told(place)}")
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return Fetched(place.geturl(), size, digest.hexdigest(), answer.headers.get_content_type())


def fetch(url: str, target: Path, *, limit: int = 1 << 30, allowed: tuple[str, ...] = ()) -> Fetched:
    """What is behind a URL, in a file; see `Fetcher`."""
    return Fetcher(limit, allowed).fetch(url, target)


def _place(url: str) -> SplitResult:
    """The parts of a URL that may be asked.

    Raises
    ------
    UsageError
        It is not one of http or https, has no host, or carries a password.
    """
    try:
        place = urlsplit(url)
        port = place.port
    except ValueError as error:
        raise UsageError("a URL cannot be read", got=url) from error
    if place.scheme not in ("http", "https") or not place.hostname or port == 0:
        raise UsageError(
            "a URL is not one that is fetched", got=url, allowed="http://HOST/... or https://HOST/..."
        )
    if place.username or place.password:
        raise UsageError("a URL carries a name or a password", allowed="URLs that all may ask")
    if not (place.path + place.query).isascii() or any(
        c <= " " or c == "\x7f" for c in place.path + place.query
    ):
        raise UsageError("a URL has characters that are not written so", got=url, todo="percent-encode them")
    return place


def _connection(place: SplitResult, connected: Callable[[], socket.socket]) -> _Connection:
    """A connection that is made to an address that was checked."""
    if place.scheme == "https":
        return _Secure(str(place.hostname), place.port, connected)
    return _Plain(str(place.hostname), place.port, connected)


class _Plain(http.client.HTTPConnection):
    raw: socket.socket | None = None

    def __init__(self, host: str, port: int | None, connected: Callable[[], socket.socket]) -> None:
        super().__init__(host, port)
        self._connected = connected

    def connect(self) -> None:
        self.raw = self.sock = self._connected()


class _Secure(http.client.HTTPSConnection):
    raw: socket.socket | None = None

    def __init__(self, host: str, port: int | None, connected: Callable[[], socket.socket]) -> None:
        super().__init__(host, port)
        self._connected = connected

    def connect(self) -> None:
        self.raw = self._connected()
        self.sock = self.raw = ssl.create_default_context().wrap_socket(
            self.raw, server_hostname=self.host, do_handshake_on_connect=False
        )
        self.sock.do_handshake()


_Connection: TypeAlias = _Plain | _Secure


def _inner(address: Address) -> Address | None:
    """The address of version 4 that one of version 6 stands for; None where it is its own."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _left(end: float) -> float:
    """Seconds that are left until an end.

    Raises
    ------
    TransientError
        None are.
    """
    left = end - time.monotonic()
    if left <= 0:
        raise _too_long()
    return left


def _too_long() -> TransientError:
    return TransientError("a URL takes too long", todo="try again, or send the file itself")


def _cut_off(connection: _Connection, over: threading.Event) -> None:
    """End what a connection waits for, headers too: a timer calls this when its time is over."""
    over.set()
    raw = connection.raw
    if raw is not None:
        with suppress(OSError):
            socket.socket.shutdown(raw, socket.SHUT_RDWR)


def _write(write: Callable[[bytes], int], block: bytes) -> None:
    try:
        write(block)
    except OSError as error:
        raise StorageError("what is fetched cannot be written", got=str(error)) from error


def _too_large(place: SplitResult, got: object, allowed: int) -> UsageError:
    return UsageError(
        f"the file behind {_told(place)} is too large",
        got=f"{got} bytes",
        allowed=f"{allowed} bytes or fewer",
    )


def _told(place: SplitResult) -> str:
    """A URL without its query, for messages."""
    if place.hostname is None:
        raise FatalError("a URL without a host was asked")
    return f"{place.scheme}://{place.netloc}{place.path}"
