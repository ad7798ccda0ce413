"""A PostgreSQL of the tests' own: made in a temporary folder, stopped and removed at the end."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy

__all__ = ["binaries", "cluster", "database"]


def binaries() -> Path | None:
    """The folder of the programs of PostgreSQL; None where there is none."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return places[-1].parent if places else None


def database(url: str) -> str:
    """The URL of a new database, with nothing in it, of the same cluster."""
    name = f"d{secrets.token_hex(6)}"
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{url.rpartition('/')[0]}/{name}"


@contextmanager
def cluster(programs: Path) -> Iterator[str]:
    """The URL of a database of a new cluster, which runs until the context ends.

    PostgreSQL does not run as root: then it is run as ``nobody``.
    """
    user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    name = "nobody" if user else os.environ.get("USER", "tests")
    folder = Path(tempfile.mkdtemp(prefix="skysift-pg-"))
    data = folder / "data"
    if user:
        shutil.chown(folder, "nobody")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(*words: str) -> None:
        # no pipes: the server would keep them open
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=folder, timeout=120, **user)

    server = [str(programs / "pg_ctl"), "-D", str(data), "-w"]
    options = (
        f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off -c full_page_writes=off -c synchronous_commit=off"
    )
    try:
        run(
            str(programs / "initdb"),
            "-D",
            str(data),
            "-U",
            name,
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        )
        run(*server, "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg://{name}@127.0.0.1:{port}/postgres"
        finally:
            run(*server, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
