"""`run_server`: the service on a socket, until it is told to end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from skysift.base.errors import OutputError
from skysift.serve.app import create_app
from skysift.serve.demo import put_demo
from skysift.serve.options import ServeOptions
from skysift.serve.settings import folder_of

__all__ = ["Server", "bind", "make_server", "run_server"]

_BACKLOG = 2048


def bind(settings: ServeOptions) -> socket.socket:
    """The socket that the service listens on.

    Raises
    ------
    OutputError
        The address is taken or is not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((settings.host.strip("[]"), settings.port))
    except OSError as error:
        made.close()
        raise OutputError(
            "the address cannot be listened on",
            got=f"{settings.host}:{settings.port}: {error.strerror}",
            todo="choose another --port, or 0 for a free one",
        ) from error
    return made


def make_server(
    settings: ServeOptions, ready: Callable[[str], None], *, demo: bool = False
) -> tuple[Server, socket.socket]:
    """The server of a service, and the socket that it is to listen on.

    Parameters
    ----------
    settings
        What the service is told.
    ready
        Called with the address when the service answers.
    demo
        Whether the bundled map is put onto the shelf, already found.
    """
    listening = bind(settings)
    try:
        app = create_app(settings)
        if demo:
            put_demo(app.state.shelf, folder_of(settings) / "demo")
        config = uvicorn.Config(
            app,
            http=_patient(settings.header_patience),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.public_url),
            timeout_keep_alive=20,
            timeout_graceful_shutdown=5,
            backlog=_BACKLOG,
        )
    except BaseException:
        listening.close()
        raise
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return Server(config, lambda: ready(f"http://{shown}:{port}")), listening


def run_server(settings: ServeOptions, ready: Callable[[str], None], *, demo: bool = False) -> None:
    """Serve until the process is told to end (SIGTERM, SIGINT).

    Parameters
    ----------
    settings, ready, demo
        As for `make_server`.
    """
    server, listening = make_server(settings, ready, demo=demo)
    try:
        asyncio.run(server.serve(sockets=[listening]))
    except KeyboardInterrupt:
        pass  # it was told to end, and has ended
    finally:
        listening.close()


class Server(uvicorn.Server):
    """A server that tells when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and tell so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def _patient(seconds: float) -> type[asyncio.Protocol]:
    """The protocol of HTTP that closes a connection which does not say in time what it wants."""

    class Patient(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._late: asyncio.TimerHandle | None = None
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if not self._asked():  # part of the headers of a next request
                self._wait()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if (
                not self._asked() and self.conn.trailing_data[0]
            ):  # such a part came before the answer was over
                self._wait()

        def handle_events(self) -> None:
            super().handle_events()
            if self._asked():
                self._wait_no_more()

        def _wait(self) -> None:
            if self._late is None:
                self._late = self.loop.call_later(seconds, self._close_if_silent)

        def _wait_no_more(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

        def _close_if_silent(self) -> None:
            self._late = None
            if not self._asked() and not self.transport.is_closing():
                self.transport.close()

        def _asked(self) -> bool:
            return self.conn.their_state is not h11.IDLE  # idle until the headers of a request are whole

        def connection_lost(self, exc: Exception | None) -> None:
            self._wait_no_more()
            super().connection_lost(exc)

    return Patient
