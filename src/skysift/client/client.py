"""`Client`: a service of skysift from a notebook or a script.

>>> client = skysift.Client("http://127.0.0.1:8765")                    # doctest: +SKIP
>>> job = client.submit("classic", "map.fits", seed=4.5)                # doctest: +SKIP
>>> job.wait().fetch("field")                                           # doctest: +SKIP
"""

from __future__ import annotations

import html
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx

from skysift.base.errors import TransientError, UsageError
from skysift.base.settings import named
from skysift.client.job import RemoteFile, RemoteJob
from skysift.client.wire import Progress, Wire

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Client", "Source"]

Source: TypeAlias = "str | Path | RemoteFile | Mapping[str, Any]"
"""An input of a job: a file of this machine (sent first), ``upload:ID``, ``shelf:ID``, ``job:ID/NAME`` or a URL."""

_KNOWN = ("upload:", "shelf:", "job:", "http://", "https://")


class Client:
    """A service of skysift.

    Parameters
    ----------
    url
        Its address.
    token
        The personal access token; that of the environment if None (see `skysift remote`), or none.
    timeout
        Seconds that the service may be silent.
    transport
        What carries the requests; by default the network.

    Raises
    ------
    UsageError
        The address is none.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.wire = Wire(url, token or named("client").get("token"), timeout, transport)

    def __repr__(self) -> str:
        return f"Client({self.wire.url!r})"

    def _repr_html_(self) -> str:
        """The service as a notebook shows it."""
        me = self.me()
        url = html.escape(self.wire.url)
        name = html.escape(me["name"] or "nobody; give a token")
        return f"<p>skysift at <a href='{url}'>{url}</a>, as <b>{name}</b></p>"

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        self.wire.close()

    # -- what there is

    def me(self) -> dict[str, Any]:
        """Who you are to the service."""
        return dict(self.wire.ask("GET", "/api/v1/me"))

    def usage(self) -> dict[str, Any]:
        """What you used: jobs, seconds, bytes."""
        return dict(self.wire.ask("GET", "/api/v1/usage"))

    def apps(self) -> dict[str, str]:
        """Everything that a job can do, by name; each finder is ``finder:NAME``."""
        return {each["name"]: each["doc"] for each in self.wire.ask("GET", "/api/v1/apps")}

    def finders(self) -> dict[str, str]:
        """Every finder, by name."""
        return {each["name"]: each["doc"] for each in self.wire.ask("GET", "/api/v1/finders")}

    def options(self, name: str) -> Table:
        """What a finder or another app can be told, as a table."""
        from astropy.table import Table

        told = self.wire.ask("GET", f"/api/v1/apps/{self._app(name)}")
        rows = [one for group in told["groups"] for one in group["options"]]
        columns = ("name", "default", "unit", "allowed", "doc")
        return Table({each: [str(row[each]) for row in rows] for each in columns})

    def images(self, collection: str | None = None) -> Table:
        """Images and cubes on the shelf, as a table."""
        names = ("id", "name", "collection", "role", "type", "ra", "dec", "field", "size")
        return self._table("/api/v1/images", names, collection)

    def catalogues(self, collection: str | None = None) -> Table:
        """Catalogues on the shelf with the tables to query, as a table."""
        from astropy.table import Table

        found = [
            (each["id"], each["name"], each["collection"], table["name"], table["rows"])
            for each in self._pages("/api/v1/catalogues", collection=collection)
            for table in each["tables"]
        ]
        names = ("id", "name", "collection", "table", "rows")
        return Table(rows=found, names=names) if found else Table(names=names, dtype=(str,) * 5)

    # -- data

    def upload(
        self, path: str | Path, name: str | None = None, progress: Progress | None = None
    ) -> dict[str, Any]:
        """A file, sent piece by piece; what comes back has its `input`, for jobs.

        Raises
        ------
        UsageError
            There is no such file.
        """
        file = Path(path)
        if not file.is_file():
            raise UsageError("no such file", got=str(path))
        return dict(self.wire.send_file(file, name or file.name, progress))

    def uploads(self) -> Iterator[dict[str, Any]]:
        """The files that you sent and others share, the newest first."""
        return self._pages("/api/v1/uploads")

    def put(self, source: Source | RemoteJob, collection: str = "local", **more: Any) -> list[dict[str, Any]]:
        """What a file, an upload or a job became on the shelf."""
        named_source = f"job:{source.id}" if isinstance(source, RemoteJob) else self._source(source)
        body = {"source": named_source, "collection": collection, **more}
        return list(self.wire.ask("POST", "/api/v1/shelf", json=body, timeout=600.0)["items"])

    def cutout(
        self, image: str, region: str, path: str | Path, *, system: str = "ICRS", band: str = ""
    ) -> Path:
        """A part of an image or cube on the shelf, as a FITS file.

        Parameters
        ----------
        image
            Its id.
        region
            ``CIRCLE ra dec radius``, ``POLYGON ...`` or ``RANGE ...`` (deg).
        path
            The file to be written.
        system
            Of the region: ICRS, GALACTIC or FK5.
        band
            Two wavelengths (m).

        Raises
        ------
        UsageError
            The image has nothing of the region; no file is written.
        """
        asked = {"region": region, "system": system, **({"band": band} if band else {})}
        saved = self.wire.save(f"/api/v1/images/{image}/cutout", Path(path), params=asked)
        if saved is None:
            raise UsageError("the image has nothing of this region", got=f"{region} {band}".strip())
        return saved

    def query(self, adql: str, maxrec: int | None = None) -> Table:
        """The rows that an ADQL query asks for (TAP, at once).

        Raises
        ------
        UsageError
            The service refuses the query, in its own words.
        TransientError
            It broke the query off behind some rows.
        """
        from astropy.io.votable import parse

        asked = {"LANG": "ADQL", "QUERY": adql, "RESPONSEFORMAT": "votable"}
        if maxrec is not None:
            asked["MAXREC"] = str(maxrec)
        answer = self.wire.bytes_of("POST", "/tap/sync", data=asked, timeout=600.0)
        document = parse(io.BytesIO(answer))
        for each in document.iter_info():
            if each.name == "QUERY_STATUS" and each.value == "ERROR":  # behind rows: they are not all
                raise TransientError("the query was broken off", got=str(each.content or ""))
        return document.get_first_table().to_table(use_names_over_ids=True)

    # -- jobs

    def submit(
        self,
        app: str,
        inputs: Source | Sequence[Source] = (),
        *,
        name: str = "",
        tags: Sequence[str] = (),
        resources: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        start: bool = True,
        **chosen: Any,
    ) -> RemoteJob:
        """A new job.

        Parameters
        ----------
        app
            A finder, or another app.
        inputs
            What it reads: files of this machine, which are sent first, or what the service has already. Nothing is
            sent before the service has checked the app, its options and the number of inputs.
        name, tags
            What you call it.
        resources
            What it may use: executor, cores, memory, seconds, retries.
        options, chosen
            Of the finder or app.
        start
            Whether it is queued at once.

        Raises
        ------
        SkysiftError
            The service refuses it, in one line.
        """
        single = isinstance(inputs, str | Path | RemoteFile | Mapping)
        listed: Sequence[Any] = [inputs] if single else list(inputs)  # type: ignore[arg-type]
        body: dict[str, Any] = {
            "app": self._app(app),
            "options": {**(options or {}), **chosen},
            "resources": dict(resources or {}),
            "tags": list(tags),
            "name": name,
            "start": start,
        }
        if any(_is_local(each) for each in listed):
            told = [_promised(each) for each in listed]
            self.wire.ask("POST", "/api/v1/jobs/checks", json={**body, "inputs": told})
        body["inputs"] = [dict(each) if isinstance(each, Mapping) else self._source(each) for each in listed]
        return RemoteJob(self.wire, self.wire.ask("POST", "/api/v1/jobs", json=body, timeout=900.0))

    def job(self, id: str) -> RemoteJob:
        """A job by its id."""
        return RemoteJob(self.wire, self.wire.ask("GET", f"/api/v1/jobs/{id}"))

    def jobs(self, **sought: Any) -> Iterator[RemoteJob]:
        """The jobs that you may see, the newest first; by phase, app, tag, owner, after."""
        for each in self._pages("/api/v1/jobs", **sought):
            yield RemoteJob(self.wire, each)

    def _app(self, name: str) -> str:
        if ":" in name or name not in self.finders():
            return name
        return f"finder:{name}"

    def _source(self, source: Any) -> str:
        if isinstance(source, RemoteFile):
            return source.input
        text = str(source)
        if text.startswith(_KNOWN):
            return text
        return str(self.upload(text)["input"])

    def _pages(self, path: str, **sought: Any) -> Iterator[dict[str, Any]]:
        asked = {name: value for name, value in sought.items() if value is not None}
        page = ""
        while True:
            told = self.wire.ask("GET", path, params={**asked, "page": page, "size": 200})
            yield from told["items"]
            page = told["next"]
            if not page:
                return

    def _table(self, path: str, names: Sequence[str], collection: str | None) -> Table:
        from astropy.table import Table

        rows = [tuple(each[name] for name in names) for each in self._pages(path, collection=collection)]
        return Table(rows=rows, names=names) if rows else Table(names=names, dtype=(str,) * len(names))


def _is_local(source: Any) -> bool:
    """Whether an input is a file of this machine."""
    return not isinstance(source, RemoteFile | Mapping) and not str(source).startswith(_KNOWN)


def _promised(source: Any) -> Any:
    """An input as a check is told of it: a file of this machine by its name alone.

    Raises
    ------
    UsageError
        There is no such file.
    """
    if isinstance(source, Mapping):
        return dict(source)
    if not _is_local(source):
        return source.input if isinstance(source, RemoteFile) else str(source)
    if not Path(source).is_file():
        raise UsageError("no such file", got=str(source))
    return f"file:{Path(source).name}"
