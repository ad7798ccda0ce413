"""Contact sheets: pictures of stamps side by side, as PNG and as one HTML page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.flow.page import render
from skysift.stamps.pictures import thumbnail

__all__ = ["PER_SHEET", "Sheet", "sheet_png", "stamps_page"]

PER_SHEET = 24  # sources
_CELL, _GAP, _LINE = 112, 6, 13  # pixels: side of a picture, between pictures, height of a line of text
_SMALL = 11  # points of the type
_ACROSS = 8  # pictures side by side
_GROUND, _TEXT, _BLANK = (21, 23, 27), (200, 206, 214), (48, 40, 64)
_NOISE = 3.0  # of the scatter of a picture: what is shown as half of the range of an arcsinh


@dataclass(frozen=True)
class Sheet:
    """One contact sheet: its file, its picture and which sources are on it."""

    name: str
    png: bytes
    caption: str

    @property
    def image(self) -> str:
        """The picture as an address that carries its own bytes."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


def sheet_png(
    names: Sequence[str], bands: Sequence[str], thumbs: Sequence[NDArray[np.float32]], stretch: str
) -> bytes:
    """A contact sheet: for each source its bands side by side.

    Parameters
    ----------
    names
        Of the sources.
    bands
        Of the bands.
    thumbs
        Pictures (band, y, x) of the sources, y upwards; of any size, which they are drawn at alike.
    stretch
        ``asinh`` or ``linear``.
    """
    from PIL import Image, ImageDraw, ImageFont  # comes with matplotlib, loaded late

    font = ImageFont.load_default(_SMALL)
    n = max(1, len(bands))
    across = max(1, min(len(names), _ACROSS // n)) if names else 1
    rows = -(-max(len(names), 1) // across)
    block = n * (_CELL + 2) + _GAP
    titles = [_lines(name, n * (_CELL + 2) - 2, font.getlength) for name in names]
    below = [_lines(band, _CELL, font.getlength) for band in bands]
    above = _LINE * max((len(each) for each in titles), default=1)
    down = above + _CELL + _LINE * max((len(each) for each in below), default=0) + _GAP
    picture = Image.new("RGB", (across * block + _GAP, rows * down + _GAP), _GROUND)
    draw = ImageDraw.Draw(picture)
    for k, (title, thumb) in enumerate(zip(titles, thumbs, strict=True)):
        left, top = _GAP + (k % across) * block, _GAP + (k // across) * down + above
        for i, line in enumerate(title):
            draw.text((left, top - _LINE * (len(title) - i)), line, fill=_TEXT, font=font)
        for b, told in enumerate(below):
            at = left + b * (_CELL + 2)
            picture.paste(Image.fromarray(_coloured(thumbnail(thumb[b], _CELL), stretch)), (at, top))
            for i, line in enumerate(told):
                draw.text((at, top + _CELL + _LINE * i), line, fill=_TEXT, font=font)
    out = io.BytesIO()
    picture.quantize(128).save(out, "PNG", optimize=True)
    return out.getvalue()


def _lines(text: str, width: float, length: Callable[[str], float]) -> list[str]:
    """A text in lines that are no longer than this, broken at blanks, and within words that are longer."""
    lines = [""]
    for word in text.split():
        if lines[-1] and length(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and length(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return lines


def _coloured(data: NDArray[np.float32], stretch: str) -> NDArray[np.uint8]:
    """Colours (y, x, 3) of a picture, the first row at the top."""
    from matplotlib import colormaps  # loaded late

    data = data[::-1]
    good = np.isfinite(data)
    out = np.empty((*data.shape, 3), np.uint8)
    out[:] = _BLANK
    if good.any():
        values = data[good].astype(np.float64)
        level = float(np.median(values))
        noise = 1.4826 * float(np.median(np.abs(values - level)))
        top = float(values.max())
        low = max(level - 3.0 * noise, float(values.min()))
        if stretch == "asinh" and noise > 0.0:
            soft = _NOISE * noise
            scaled = np.arcsinh((values - low) / soft) / max(np.arcsinh((top - low) / soft), 1e-12)
        else:
            scaled = (values - low) / max(top - low, 1e-300)
        shades = colormaps["inferno"](np.clip(scaled, 0.0, 1.0))[:, :3]
        out[good] = (shades * 255.0 + 0.5).astype(np.uint8)
    return out


@dataclass(frozen=True)
class StampsPage:
    """All that the template shows."""

    title: str
    lead: str
    heading: str
    words: tuple[str, ...]
    numbers: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    sheets: tuple[Sheet, ...]
    table: tuple[tuple[str, ...], ...]
    heads: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    footer: str


def stamps_page(
    title: str,
    lead: str,
    sheets: Sequence[Sheet],
    *,
    heading: str,
    numbers: Sequence[tuple[str, str]],
    heads: Sequence[str],
    table: Sequence[Sequence[str]],
    options: Mapping[str, Any],
    notes: Sequence[str],
    footer: str,
    words: Sequence[str] = (),
) -> str:
    """A page of pictures with a table, as HTML that needs no other file.

    Parameters
    ----------
    title, lead, footer
        First and last words.
    sheets
        The pictures.
    heading
        What stands above the table.
    numbers
        Told large: value and meaning.
    heads, table
        The table: its columns and rows.
    options
        Of the run.
    notes
        What was odd, one line each.
    words
        Columns of the table that hold words: they begin at the left, and go on in the next line where they are long.
    """
    facts = tuple((name, _worded(value)) for name, value in options.items())
    page = StampsPage(
        title,
        lead,
        heading,
        tuple(words),
        tuple(numbers),
        tuple(notes),
        tuple(sheets),
        tuple(map(tuple, table)),
        tuple(heads),
        facts,
        footer,
    )
    return render(page, "stamps.html.jinja")


def _worded(value: object) -> str:
    """The value of an option as a person would type it; empty for none."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_worded(each)}" for name, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_worded(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)
