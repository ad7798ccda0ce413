"""``skysift serve``: the service, and the tokens of its users."""

from __future__ import annotations

from contextlib import nullcontext
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from skysift.base import log
from skysift.base.extras import require
from skysift.base.settings import settings as of_machine
from skysift.cli.flags import DataFlag

__all__ = ["serve"]


def serve(
    data: DataFlag = None,
    port: Annotated[int | None, typer.Option("--port", metavar="N", help="Port; 0 takes a free one.")] = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="HOST", help="Address; any but 127.0.0.1 asks for tokens.")
    ] = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="Put the bundled map, already found, on the shelf; without --data in a folder that goes.",
        ),
    ] = False,
    database: Annotated[
        str | None,
        typer.Option(
            "--database", metavar="URL", help="postgresql+psycopg://USER@HOST/NAME; SQLite by default."
        ),
    ] = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Another setting; may be given again."),
    ] = None,
) -> None:
    r"""Serve finders, jobs, images and catalogues over HTTP.

    \b
    Examples:
      skysift serve
      skysift serve --demo
      skysift serve --data survey --port 8080
      skysift serve --data survey --host 0.0.0.0 --set public_url=https://radio.example.org

    The address is printed when it answers. It listens to this machine alone unless it is told otherwise, and
    then it knows people by their tokens. SIGTERM ends it and its jobs.
    """
    require("skysift serve", "fastapi", "uvicorn", "sqlalchemy", "alembic")
    from skysift.cli.flags import read_pairs
    from skysift.serve.server import run_server
    from skysift.serve.settings import by_tokens, serve_settings

    with TemporaryDirectory(prefix="skysift-demo-") if demo and data is None else nullcontext(data) as folder:
        flags: dict[str, Any] = {"data": folder, "port": port, "host": host, "database": database}
        told = serve_settings({**read_pairs(chosen or ()), **flags})
        log.configure(_level(), form=told.log_form)
        known = "people are known by their tokens" if by_tokens(told) else "everybody here is the local user"

        def ready(address: str) -> None:
            print(f"skysift serves at {address}  ({known}; data in {told.data})", flush=True)

        run_server(told, ready, demo=demo)


def _level() -> str:
    """The level of the log: what the machine is told, but at least what was answered."""
    level = of_machine().log_level
    return "info" if level == "warning" else level
