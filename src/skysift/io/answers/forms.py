"""The forms in which rows go out, by the names that the protocols have for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from skysift.base.errors import OptionError
from skysift.io.answers.cells import Declared
from skysift.io.answers.fits import written_fits
from skysift.io.answers.plain import written_csv, written_json, written_tsv
from skysift.io.answers.rows import Rows
from skysift.io.answers.votable import written_binary2, written_tabledata

__all__ = ["FORMS", "VOTABLE", "Form", "form_of"]


class Writer(Protocol):
    """Makes rows bytes."""

    def __call__(
        self,
        fields: Sequence[Declared],
        rows: Rows,
        *,
        infos: Sequence[tuple[str, str]] = (),
        further: str = "",
    ) -> Iterator[bytes]:
        """The bytes, piece by piece."""


@dataclass(frozen=True)
class Form:
    """A form in which rows go out.

    Parameters
    ----------
    name
        Its short name.
    media_type
        As HTTP has it.
    names
        What else it is called.
    suffix
        Of a file.
    write
        Makes rows bytes.
    """

    name: str
    media_type: str
    names: tuple[str, ...]
    suffix: str
    write: Writer


FORMS: tuple[Form, ...] = (
    Form(
        "votable",
        "application/x-votable+xml;serialization=TABLEDATA",
        ("application/x-votable+xml", "text/xml", "application/xml", "votable/td", "tabledata", "vot", "xml"),
        ".vot",
        written_tabledata,
    ),
    Form(
        "votable/b2",
        "application/x-votable+xml;serialization=BINARY2",
        ("binary2",),
        ".vot",
        written_binary2,
    ),
    Form("csv", "text/csv;header=present", ("text/csv",), ".csv", written_csv),
    Form("tsv", "text/tab-separated-values", (), ".tsv", written_tsv),
    Form("fits", "application/fits", ("image/fits",), ".fits", written_fits),
    Form("json", "application/json", (), ".json", written_json),
)
VOTABLE = FORMS[0]
_BY_NAME = {name.lower(): form for form in FORMS for name in (form.name, form.media_type, *form.names)}


def form_of(name: str | None) -> Form:
    """The form of a name or media type, in any case; VOTable where none is said.

    Raises
    ------
    OptionError
        There is no such form.
    """
    if name is None or not name.strip():
        return VOTABLE
    wanted = "".join(name.lower().split())
    for text in (wanted, wanted.partition(";")[0]):
        if text in _BY_NAME and not (text != wanted and "serialization" in wanted):
            return _BY_NAME[text]
    raise OptionError("rows are not written in such a form", got=name, allowed=[form.name for form in FORMS])
