"""What a service is told: each a flag or a variable of the environment, with the same meaning and bounds."""

from __future__ import annotations

from typing import Literal

from skysift.base.options import option
from skysift.jobs.options import LimitOptions

__all__ = ["ServeOptions"]


class ServeOptions(LimitOptions):
    """What a service is told when it starts."""

    host: str = option(
        "127.0.0.1",
        doc="Address that it listens on; any but this machine's own needs `sign_in` by tokens.",
    )
    port: int = option(8765, at_least=0, at_most=65535, doc="Port that it listens on; 0 takes a free one.")
    data: str = option(
        "skysift-data", doc="Folder of its data: database, uploads, jobs and what is on the shelf."
    )
    database: str = option(
        "",
        doc="Address of the database, such as `postgresql+psycopg://USER@HOST/NAME`; SQLite in `data` if empty.",
    )
    sign_in: Literal["auto", "local", "tokens"] = option(
        "auto",
        doc="Who asks: `local` takes everybody for the one local user; `tokens` knows people by personal access "
        "tokens, and others see what is public; `auto` is `local` where only this machine can ask, else `tokens`.",
    )
    public_url: str = option(
        "",
        doc="Address that users know it by, where another server stands before it; the asked one if empty.",
    )
    hosts: str = option(
        "",
        doc="Names that it answers to, with commas between them, beside its own address and that of `public_url`; "
        "`*` is every name.",
    )
    upload_limit: int = option(
        64 * 2**30,
        unit="byte",
        at_least=1,
        doc="Largest upload; it streams to disk, so that memory stays flat.",
    )
    uploads_per_user: int = option(
        2**40, unit="byte", at_least=1, doc="What one user may keep in uploads; more is refused."
    )
    fetch_from: str = option(
        "",
        doc="Networks and hosts, with commas between them, that files may be fetched from by their URLs although they "
        "are not of the public internet, such as `10.1.0.0/16,data.institute.local`.",
    )
    fetch_patience: float = option(
        600.0, unit="s", above=0, doc="How long the fetching of one file by its URL may take."
    )
    body_limit: int = option(8 * 2**20, unit="byte", at_least=1024, doc="Largest body of any other request.")
    header_patience: float = option(
        15.0, unit="s", above=0, doc="How long a client may take to say what it wants."
    )
    body_patience: float = option(
        30.0, unit="s", above=0, doc="How long a client may take for the next piece of a body."
    )
    answer_patience: float = option(
        60.0, unit="s", above=0, doc="How long a client may take to take the next piece of an answer."
    )
    connections: int = option(
        2000, at_least=1, doc="Requests that are answered at once; more are asked to come again."
    )
    log_form: Literal["json", "text"] = option("json", doc="Form of the log on stderr.")
