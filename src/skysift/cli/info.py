"""``skysift info``: what a map is, before it is searched; what a catalogue holds."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skysift.base.errors import HeaderError, SkysiftError, exit_code
from skysift.base.store import size_of
from skysift.cli.opening import (
    BeamFlag,
    BeamPlaneFlag,
    FrequencyFlag,
    HduFlag,
    PixelScaleFlag,
    PlaneFlag,
    UnitFlag,
    opening,
)
from skysift.cli.table_facts import folder_facts, is_catalogue, table_facts, table_lines
from skysift.sky.units import frequency_text

if TYPE_CHECKING:
    from skysift.sky.image import SkyImage

__all__ = ["image_facts", "info"]

_SAMPLED_PIXELS = 4 * 2**20  # pixels read at most to tell the range of the data
_SAMPLED_BANDS = 16


def info(
    maps: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="FITS images, map.fits[SCI] too; catalogues, folders."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: an object, or one a line.")] = False,
    hdu: HduFlag = None,
    plane: PlaneFlag = None,
    beam: BeamFlag = None,
    beam_plane: BeamPlaneFlag = None,
    pixel_scale: PixelScaleFlag = None,
    unit: UnitFlag = None,
    frequency: FrequencyFlag = None,
) -> None:
    r"""Tell what a map is: size, planes, projection, beam, unit, frequency, range; or what a catalogue holds.

    \b
    Examples:
      skysift info map.fits
      skysift info --json *.fits
      skysift info cube.fits --plane 7 --beam 45,40,10
      skysift info field/sources.fits pybdsf.srl

    \b
    Notes tell what was odd and what was assumed; `skysift find` prints them as warnings. The range and the
    share of blanks are those of a sample of rows where the map is large.
    """
    asked = opening(
        hdu=hdu,
        plane=plane,
        beam=beam,
        beam_plane=beam_plane,
        pixel_scale=pixel_scale,
        unit=unit,
        frequency=frequency,
    )
    codes = [_tell(path, asked, as_json=as_json, alone=len(maps) == 1) for path in maps]
    if any(codes):
        raise typer.Exit(min(code for code in codes if code))


def _tell(path: str, asked: Mapping[str, Any], *, as_json: bool, alone: bool) -> int:
    """Print the facts of one map; the exit code that its failure asks for, 0 without one."""
    from skysift.io.open import file_of  # late: wrong flags and help are told without astropy

    facts: dict[str, Any] = {"path": path}
    failure: SkysiftError | None = None
    try:
        if Path(path).is_dir():
            facts |= folder_facts(path)
        elif is_catalogue(path):
            facts |= table_facts(path)
        else:
            facts |= _file_facts(file_of(path))
            facts |= _map_facts(path, asked)
    except SkysiftError as error:
        failure = error
        facts["error"] = str(error)
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, indent=2 if alone else None))
    elif len(facts) > 2 or failure is None:
        print(_text(facts))
    if failure is None:
        return 0
    print(f"skysift: error: {'' if alone else f'{path}: '}{failure}", file=sys.stderr)
    return exit_code(failure.kind)


def _file_facts(path: str) -> dict[str, Any]:
    from skysift.io.cards import read_hdus  # late, as above

    hdus = read_hdus(path)
    return {"bytes": size_of(path), "hdus": [str(hdu) for hdu in hdus]}


def _map_facts(path: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a map, even where its beam is not known or its unit is none of ours: with a note, pixels as stored.

    Raises
    ------
    HeaderError
        More than that is missing.
    """
    from skysift.io.cards import read_hdus  # late, as above
    from skysift.io.open import file_of, open_image

    said = {name: value for name, value in asked.items() if value is not None}
    untold: HeaderError | None = None
    for stand_in in ({}, {"unit": "Jy/beam"}, {"unit": "Jy/beam", "beam": 1.0}):
        try:
            image = open_image(path, **{**stand_in, **said})
        except HeaderError as error:
            untold = untold or error
            continue
        facts = image_facts(image)
        if untold is not None:
            missing = stand_in.keys() - said.keys()
            facts |= dict.fromkeys(missing)
            if "unit" in missing and image.origin is not None:
                facts["unit"] = read_hdus(file_of(path))[int(image.origin.hdu)].header.text("BUNIT") or None
            about = tuple(f"the {name} " for name in missing)  # notes on what stood in
            facts["notes"] = [*(note for note in facts["notes"] if not note.startswith(about)), str(untold)]
        return facts
    assert untold is not None  # else the loop has returned
    raise untold


def image_facts(image: SkyImage) -> dict[str, Any]:
    """What there is to tell about an image, as JSON-safe values; unknown numbers are None.

    Parameters
    ----------
    image
        Some rows of it are read.
    """
    frame, beam = image.frame, image.beam
    (ny, nx), (sy, sx) = image.shape, frame.scale
    ra, dec = (float(value) for value in frame.to_sky((nx - 1) / 2.0, (ny - 1) / 2.0))
    major, minor = frame.beam_pixels(beam)
    origin = image.origin
    return {
        "name": image.name,
        "hdu": None if origin is None else origin.hdu,
        "plane": [] if origin is None else list(origin.plane),
        "shape": [ny, nx],
        "projection": frame.projection,
        "frame": frame.name,
        "centre": {"ra": _number(ra), "dec": _number(dec), "text": _sexagesimal(ra, dec)},
        "field_deg": [ny * sy / 3600.0, nx * sx / 3600.0],
        "pixel_arcsec": [sy, sx],
        "beam": {
            "major_arcsec": beam.major,
            "minor_arcsec": beam.minor,
            "pa_deg": beam.pa,
            "major_pixels": major,
            "minor_pixels": minor,
            "area_pixels": frame.beam_area_pixels(beam),
            "plane": frame.beam_plane,
        },
        "unit": image.unit,
        "factor": image.factor,
        "frequency_hz": _number(image.frequency),
        "data": _sample(image),
        "notes": list(image.notes),
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _sample(image: SkyImage) -> dict[str, Any]:
    """Range, median and share of blanks of the pixels; of evenly spread rows where there are many."""
    import numpy as np  # late, as above

    from skysift.sky.box import Box

    ny, nx = image.shape
    rows = min(ny, max(_SAMPLED_BANDS, _SAMPLED_PIXELS // nx))
    if rows == ny:
        bands = [(0, ny)]
    else:
        height = rows // _SAMPLED_BANDS
        starts = np.linspace(0, ny - height, _SAMPLED_BANDS).astype(int)
        bands = [(int(start), int(start) + height) for start in starts]
    # very long rows are read over a part of their width
    width = min(nx, max(1, _SAMPLED_PIXELS // (bands[0][1] - bands[0][0])))
    parts = [image.read(Box(y0, y1, 0, width)).ravel() for y0, y1 in bands]
    data = np.concatenate(parts)
    good = data[np.isfinite(data)]
    facts: dict[str, Any] = {
        "rows_read": sum(y1 - y0 for y0, y1 in bands),
        "blank": 1.0 - good.size / data.size,
    }
    if good.size:
        facts |= {"min": float(good.min()), "max": float(good.max()), "median": float(np.median(good))}
    return facts


def _sexagesimal(ra: float, dec: float) -> str:
    """Hours, minutes, seconds and degrees, arcminutes, arcseconds; empty without a position."""
    if not (math.isfinite(ra) and math.isfinite(dec)):
        return ""
    hundredths = round(ra / 15.0 * 360000.0) % (24 * 360000)
    tenths = round(abs(dec) * 36000.0)
    hours = f"{hundredths // 360000:02d}:{hundredths // 6000 % 60:02d}:{hundredths % 6000 / 100:05.2f}"
    sign = "-" if dec < 0 and tenths else "+"
    return f"{hours} {sign}{tenths // 36000:02d}:{tenths // 600 % 60:02d}:{tenths % 600 / 10:04.1f}"


def _text(facts: Mapping[str, Any]) -> str:
    """The facts as lines for a person."""
    lines = [facts["path"], f"  file        {facts['bytes']} bytes"]
    if "tables" in facts:
        lines.append(f"  {'folder':<11} {facts['folder']}")
        lines += [f"  {table['table']:<11} {table['rows']} rows" for table in facts["tables"]]
        shown = next((each for each in facts["tables"] if each["table"] == "sources"), facts["tables"][0])
        return "\n".join([*lines, *(f"  {name:<11} {text}" for name, text in table_lines(shown)[1:])])
    if "layout" in facts:
        return "\n".join([*lines, *(f"  {name:<11} {text}" for name, text in table_lines(facts))])
    lines += [f"  {'HDUs' if i == 0 else '':<11} {hdu}" for i, hdu in enumerate(facts["hdus"])]
    if "shape" in facts:
        lines += [f"  {name:<11} {text}" for name, text in _image_lines(facts)]
        lines += [f"  {'notes' if i == 0 else '':<11} {note}" for i, note in enumerate(facts["notes"])]
    return "\n".join(lines)


def _image_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    data, (sy, sx) = facts["data"], facts["pixel_arcsec"]
    plane = f", plane {','.join(map(str, facts['plane']))}" if facts["plane"] else ""
    centre = facts["centre"]
    place = "none: pixel positions only"
    if centre["ra"] is not None:
        place = f"{centre['text']} (ICRS; {centre['ra']:.6f} {centre['dec']:+.6f} deg)"
    frequency = facts["frequency_hz"]
    blank = f"{100 * data['blank']:.3g} % blank"
    spread = (
        f"{data['min']:.4g} to {data['max']:.4g}, median {data['median']:.4g} {facts['unit'] or 'as stored'}, "
        if "min" in data
        else ""
    )
    part = "" if data["rows_read"] == facts["shape"][0] else f" (of {data['rows_read']} rows)"
    return [
        ("image", f"HDU {facts['hdu']}{plane}: {facts['shape'][0]} x {facts['shape'][1]} px (y, x)"),
        ("pixel", f'{sy:.6g}" x {sx:.6g}" (y, x)'),
        ("projection", f"{facts['projection']}, {facts['frame']}"),
        ("centre", place),
        ("field", f"{facts['field_deg'][0]:.4g} x {facts['field_deg'][1]:.4g} deg (y, x)"),
        *_beam_lines(facts["beam"]),
        (
            "unit",
            (facts["unit"] or "not known")
            + ("" if facts["factor"] == 1.0 else f" (stored x {facts['factor']:.9g})"),
        ),
        ("frequency", "not known" if frequency is None else frequency_text(frequency)),
        ("data", f"{spread}{blank}{part}"),
    ]


def _beam_lines(beam: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if beam is None:
        return [("beam", "not known")]
    size = f"{beam['major_pixels']:.3g} x {beam['minor_pixels']:.3g} px, area {beam['area_pixels']:.4g} px"
    return [
        ("beam", f'{beam["major_arcsec"]:.5g}" x {beam["minor_arcsec"]:.5g}", pa {beam["pa_deg"]:.4g} deg'),
        ("", size),
        ("", f"one ellipse {'of pixels all over the map' if beam['plane'] == 'image' else 'on the sky'}"),
    ]
