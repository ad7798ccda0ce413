"""Jobs as UWS 1.1 has them: the XML of one job, of a list, and of its parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import quoteattr

from skysift.io.answers.votable import xml_text

__all__ = [
    "Result",
    "Sheet",
    "instant",
    "job_document",
    "list_document",
    "parameters_element",
    "results_element",
]

_SPACES = (
    'xmlns="http://www.ivoa.net/xml/UWS/v1.0" xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0" '
    'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True)
class Result:
    """A result of a job.

    Parameters
    ----------
    id
        What it is called in the list.
    href
        Where it is.
    media_type, size
        Of its content.
    """

    id: str
    href: str
    media_type: str = ""
    size: int | None = None


@dataclass(frozen=True)
class Sheet:
    """What UWS tells of a job.

    Parameters
    ----------
    id, run_id, owner
        Names.
    phase
        A phase of UWS.
    quote, created, started, ended, destruction
        Times.
    seconds
        How long it may run; 0 for as long as it wants.
    parameters
        Names and values.
    results
        What it made.
    error, fatal
        Why it failed, and whether it would again; an empty text where it did not.
    """

    id: str
    phase: str
    run_id: str = ""
    owner: str = ""
    quote: datetime | None = None
    created: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    seconds: int = 0
    destruction: datetime | None = None
    parameters: Sequence[tuple[str, str]] = ()
    results: Sequence[Result] = ()
    error: str = ""
    fatal: bool = True


def job_document(sheet: Sheet) -> str:
    """The XML of a job."""
    parts = [
        f'{_HEAD}<uws:job {_SPACES} version="1.1">',
        f"<uws:jobId>{xml_text(sheet.id)}</uws:jobId>",
        f"<uws:runId>{xml_text(sheet.run_id)}</uws:runId>" if sheet.run_id else "",
        _nillable("ownerId", sheet.owner),
        f"<uws:phase>{sheet.phase}</uws:phase>",
        _nillable("quote", instant(sheet.quote)),
        f"<uws:creationTime>{instant(sheet.created)}</uws:creationTime>" if sheet.created else "",
        _nillable("startTime", instant(sheet.started)),
        _nillable("endTime", instant(sheet.ended)),
        f"<uws:executionDuration>{sheet.seconds}</uws:executionDuration>",
        _nillable("destruction", instant(sheet.destruction)),
        parameters_element(sheet.parameters),
        results_element(sheet.results),
    ]
    if sheet.error:
        kind = "fatal" if sheet.fatal else "transient"
        parts.append(
            f'<uws:errorSummary type="{kind}" hasDetail="true"><uws:message>{xml_text(sheet.error)}</uws:message>'
            "</uws:errorSummary>"
        )
    return "\n".join(part for part in parts if part) + "\n</uws:job>\n"


def list_document(sheets: Iterable[Sheet], base: str) -> str:
    """The XML of a list of jobs; each lies below the address `base`."""
    parts = [f'{_HEAD}<uws:jobs {_SPACES} version="1.1">']
    for each in sheets:
        inner = [
            f"<uws:phase>{each.phase}</uws:phase>",
            f"<uws:runId>{xml_text(each.run_id)}</uws:runId>" if each.run_id else "",
            _nillable("ownerId", each.owner),
            f"<uws:creationTime>{instant(each.created)}</uws:creationTime>" if each.created else "",
        ]
        parts.append(
            f'<uws:jobref id={quoteattr(each.id)} xlink:type="simple" xlink:href={quoteattr(f"{base}/{each.id}")}>'
            f"{''.join(inner)}</uws:jobref>"
        )
    return "\n".join(parts) + "\n</uws:jobs>\n"


def parameters_element(parameters: Sequence[tuple[str, str]], *, alone: bool = False) -> str:
    """The XML of what a job was told; a document of its own where it stands alone."""
    inner = "".join(
        f"<uws:parameter id={quoteattr(name.lower())}>{xml_text(value)}</uws:parameter>\n"
        for name, value in parameters
    )
    return _element("parameters", inner, alone)


def results_element(results: Sequence[Result], *, alone: bool = False) -> str:
    """The XML of what a job made; a document of its own where it stands alone."""
    inner = ""
    for each in results:
        more = f" mime-type={quoteattr(each.media_type)}" if each.media_type else ""
        more += f' size="{each.size}"' if each.size is not None else ""
        inner += f'<uws:result id={quoteattr(each.id)} xlink:type="simple" xlink:href={quoteattr(each.href)}{more}/>\n'
    return _element("results", inner, alone)


def instant(time: datetime | None) -> str:
    """A time as DALI writes it, in UTC; empty for none."""
    if time is None:
        return ""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _element(name: str, inner: str, alone: bool) -> str:
    if alone:
        return f"{_HEAD}<uws:{name} {_SPACES}>\n{inner}</uws:{name}>\n"
    return f"<uws:{name}>\n{inner}</uws:{name}>"


def _nillable(name: str, text: str) -> str:
    """An element that says that it has nothing to say where it has."""
    return f"<uws:{name}>{xml_text(text)}</uws:{name}>" if text else f'<uws:{name} xsi:nil="true"/>'
