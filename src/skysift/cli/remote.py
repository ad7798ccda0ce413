"""``skysift remote``: a service from the command line: submit, watch, fetch, query, cutout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.base.errors import DataError, FatalError, OptionError, OutputError, TransientError, UsageError
from skysift.base.extras import require
from skysift.cli.flags import QuietFlag, SetFlag, read_pairs

if TYPE_CHECKING:
    from astropy.table import Table

    from skysift.client.client import Client
    from skysift.client.job import RemoteJob

__all__ = ["remote"]

_TABLES = {
    ".csv": "ascii.csv", ".ecsv": "ascii.ecsv", ".fits": "fits", ".parquet": "parquet",
    ".vot": "votable", ".votable": "votable", ".xml": "votable",
}  # fmt: skip
"""Ending of a file -> what astropy calls its form."""


def remote(
    url: Annotated[str, typer.Argument(metavar="URL", help="Address of the service.")],
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help="submit, jobs, watch, fetch, cancel, query or cutout.")
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORDS...]",
            help="Inputs (submit), ids of jobs, ADQL (query), image and region (cutout).",
        ),
    ] = None,
    finder: Annotated[
        str, typer.Option("--finder", metavar="NAME", help="A finder or another app (submit).")
    ] = "classic",
    chosen: SetFlag = None,
    name: Annotated[str | None, typer.Option("--name", metavar="TEXT", help="What you call the job.")] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="WORD", help="To find the job again by; may be given again."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Wait for the job that is submitted.")] = False,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="PATH",
            help="Folder (submit, fetch) or file (cutout; query: .csv, .ecsv, .fits, .parquet, .vot) to write.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="A file that holds your token, for services that ask for one.",
        ),
    ] = None,
    quiet: QuietFlag = False,
) -> None:
    r"""Use a service of skysift: submit and watch jobs, fetch results, query, cut out.

    \b
    Examples:
      skysift remote http://127.0.0.1:8765 submit map.fits --finder full --set reliability=0.95 --out field
      skysift remote http://127.0.0.1:8765 submit shelf:q5u2k3 --name deep --tag night1
      skysift remote http://127.0.0.1:8765 watch 5f2a8c01d3e4
      skysift remote http://127.0.0.1:8765 fetch 5f2a8c01d3e4 --out field
      skysift remote http://127.0.0.1:8765 query "SELECT TOP 5 * FROM ivoa.obscore" --out images.vot
      skysift remote http://127.0.0.1:8765 cutout q5u2k3 "CIRCLE 50.67 -37.2 0.2" --out lobe.fits

    Files of this machine are sent first, piece by piece, once the service has checked finder and options. With --out,
    `submit` waits and fetches. The token comes from --token-file or from the environment (see the settings); it is
    never a word of the command.
    """
    require("skysift remote", "httpx")
    from skysift.client.client import Client

    do = _ACTIONS.get(action)
    if do is None:
        raise OptionError("no such action", got=action, allowed=_ACTIONS)
    call = _Call(
        words=tuple(words or ()),
        finder=finder,
        options=read_pairs(chosen or ()),
        name=name or "",
        tags=tuple(tag or ()),
        watch=watch or out is not None,
        out=out,
        quiet=quiet,
    )
    with Client(url, _token(token_file)) as client:
        do(client, call)


def _token(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError("the file of the token cannot be read", got=f"{file}: {error.strerror}") from error
    if not text or len(text.split()) != 1:
        raise UsageError("the file holds no token", got=str(file), allowed="one line with the token alone")
    return text


class _Call:
    """What a command was told."""

    def __init__(
        self,
        *,
        words: Sequence[str],
        finder: str,
        options: dict[str, str],
        name: str,
        tags: Sequence[str],
        watch: bool,
        out: str | None,
        quiet: bool,
    ) -> None:
        self.words, self.finder, self.options, self.name = words, finder, options, name
        self.tags, self.watch, self.out, self.quiet = tags, watch, out, quiet

    def needed(self, count: int, what: str) -> Sequence[str]:
        """So many words.

        Raises
        ------
        OptionError
            There are more or fewer.
        """
        if len(self.words) != count:
            raise OptionError(f"the command needs {what}", got=" ".join(self.words) or "nothing")
        return self.words

    def say(self, text: str) -> None:
        """Tell something on the side."""
        if not self.quiet:
            print(text, file=sys.stderr)


def _submit(client: Client, call: _Call) -> None:
    for word in call.words:
        call.say(f"skysift: {word}")
    job = client.submit(call.finder, list(call.words), name=call.name, tags=call.tags, options=call.options)
    print(job.id)
    if call.watch:
        _follow(job, call)
    if call.out is not None:
        _save(job, call)


def _jobs(client: Client, call: _Call) -> None:
    call.needed(0, "no further word")
    for job in client.jobs():
        told = job.told
        print(f"{job.id}  {job.phase:9}  {told['created'][:19]}  {told['app']:18}  {told['name']}".rstrip())


def _watch(client: Client, call: _Call) -> None:
    _follow(client.job(call.needed(1, "the id of a job")[0]), call)


def _fetch(client: Client, call: _Call) -> None:
    job = client.job(call.needed(1, "the id of a job")[0])
    if call.out is None:
        raise OptionError("the command needs a folder", todo="add --out DIR")
    _save(job, call)


def _cancel(client: Client, call: _Call) -> None:
    job = client.job(call.needed(1, "the id of a job")[0])
    if job.ended:
        print(f"{job.id}  {job.phase}  had ended already, nothing was cancelled")
        return
    job.cancel()
    print(f"{job.id}  {job.phase}  {job.reason}")


def _query(client: Client, call: _Call) -> None:
    asked = call.needed(1, "one text of ADQL")[0]
    if call.out is None:
        client.query(asked).pprint_all()
        return
    form = _TABLES.get(Path(call.out).suffix.lower())
    if form is None:
        raise OptionError("no table is written with this ending", got=call.out, allowed=_TABLES)
    table = client.query(asked)
    if form in ("fits", "parquet"):
        _with_texts(table)
    try:
        Path(call.out).parent.mkdir(parents=True, exist_ok=True)
        table.write(call.out, format=form, overwrite=True)
    except OSError as error:
        raise OutputError("the table cannot be written", got=f"{call.out}: {error.strerror}") from error
    call.say(f"skysift: {len(table)} rows in {call.out}")


def _with_texts(table: Table) -> None:
    """Give columns of texts of any length one length, since these forms hold no other; what is missing is empty."""
    from numpy import ma

    for name in table.colnames:
        if table[name].dtype.kind == "O":
            values = ["" if value is None or value is ma.masked else value for value in table[name]]
            table[name] = [each if isinstance(each, str) else " ".join(map(str, each)) for each in values]


def _cutout(client: Client, call: _Call) -> None:
    image, region = call.needed(2, "the id of an image and a region")
    if call.out is None:
        raise OptionError("the command needs a file", todo="add --out FILE")
    saved = client.cutout(image, region, call.out)
    call.say(f"skysift: {saved.stat().st_size:,} bytes in {saved}")


def _follow(job: RemoteJob, call: _Call) -> None:
    """Tell how a job goes until it has ended.

    Raises
    ------
    SkysiftError
        It did not end well.
    """
    last = ""

    def tell(now: RemoteJob) -> None:
        nonlocal last
        part = now.told["progress"]
        far = f" {part['stage']} {part['done']}/{part['total']}" if part["total"] and not now.ended else ""
        text = f"skysift: {now.id} {now.phase}{far}"
        if text != last:
            call.say(text)
            last = text

    job.wait(tell=tell)
    if job.phase != "COMPLETED":
        kind = {"usage": UsageError, "data": DataError, "transient": TransientError}.get(
            job.told["error_kind"] or "usage", FatalError
        )
        raise kind(f"the job ended as {job.phase}", got=job.reason)


def _save(job: RemoteJob, call: _Call) -> None:
    assert call.out is not None
    folder = Path(call.out)
    if folder.exists() and not folder.is_dir():
        raise OutputError("there is a file of this name", got=call.out)
    saved = job.fetch(folder, tell=lambda each: call.say(f"skysift: {each.name} ({each.size:,} bytes)"))
    call.say(f"skysift: {len(saved)} files in {call.out}")


_ACTIONS: dict[str, Callable[[Client, _Call], None]] = {
    "submit": _submit,
    "jobs": _jobs,
    "watch": _watch,
    "fetch": _fetch,
    "cancel": _cancel,
    "query": _query,
    "cutout": _cutout,
}
