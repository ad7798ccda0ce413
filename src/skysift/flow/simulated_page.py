"""`simulated_page`: one self-contained HTML page about made maps: what they look like and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skysift.base.provenance import Manifest
from skysift.base.registry import Registry
from skysift.flow.figures import Picture, outlined_picture
from skysift.flow.overview import LONGEST, Preview, preview
from skysift.flow.page import render
from skysift.flow.style import BLUE, INK, ORANGE, digits, plain_numbers, png, prefixed, quiet, sheet
from skysift.sky.box import Box
from skysift.sky.image import SkyImage
from skysift.sky.table import Table
from skysift.sky.truth import CLASSES, Truth
from skysift.sky.units import frequency_text

__all__ = ["COLOURS", "simulated_page"]

COLOURS = {
    "compact": "#3fd0ec",
    "extended": "#8ae66e",
    "extended-multisland": "#f4f1e8",
    "flagged": "#ffb347",
    "spurious": "#ff4fa0",
}
_ON_PAPER = {  # for dots on a clear ground, which may be white or near-black
    "compact": "#2a9fc4",
    "extended": "#55a83a",
    "extended-multisland": "#9a6bd6",
    "flagged": "#d9861a",
}
_CLOSE = 400  # pixels along a side of the part that is shown pixel by pixel
_SHOWN = 5.0  # sigma: fainter objects have no outline
_MOST = 20_000  # outlines on one picture
_MOST_CROSSES = 150  # artefacts among them: more would hide the bright sources that they surround

Fact = tuple[str, str]


@dataclass(frozen=True)
class MadeMap:
    """What the page shows of one map."""

    anchor: str
    title: str
    lead: str
    numbers: tuple[Fact, ...]
    pictures: tuple[Picture, ...]
    charts: tuple[Picture, ...]
    kinds: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Page:
    """All that the template shows."""

    title: str
    lead: str
    maps: tuple[MadeMap, ...]
    facts: tuple[tuple[str, tuple[Fact, ...]], ...]
    footer: str


def simulated_page(maps: Sequence[tuple[SkyImage, Truth]], manifest: Manifest) -> str:
    """The page of made maps, as HTML that needs no other file.

    Parameters
    ----------
    maps
        The maps with their truths.
    manifest
        The story of the run.
    """
    told = manifest.provenance
    registry = Registry[object]("simulator")
    menu = {row.name: row for row in registry.options(told.finder).rows()}
    options = [
        (
            name,
            _told(value, menu[name].unit if name in menu else "")
            + (", changed" if name in menu and value != _plain(menu[name].default) else ""),
        )
        for name, value in told.options.items()
    ]
    run = [
        ("started", manifest.started),
        ("workers", str(manifest.workers)),
        *((f"seconds: {stage}", f"{seconds:.2f}") for stage, seconds in manifest.seconds.items()),
    ]
    versions = [("skysift", told.version), *manifest.versions.items()]
    page = Page(
        title=f"A made sky: {told.finder}",
        lead=_lead(maps[0][0]),
        maps=tuple(_map(image, truth) for image, truth in maps),
        facts=(("Options", tuple(options)), ("Time", tuple(run)), ("Versions", tuple(versions))),
        footer=f"Made by skysift {told.version}, {manifest.started}.",
    )
    return render(page, "simulated.html.jinja")


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _told(value: object, unit: str) -> str:
    """An option with its unit; frequencies as 1.4 GHz, a dash for none."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, list | tuple):
        return ", ".join(_told(each, unit) for each in value) or "\N{EN DASH}"
    if isinstance(value, bool):
        return str(value).lower()
    if unit == "Hz" and isinstance(value, int | float):
        return frequency_text(value, 9)
    return f"{value} {unit}".rstrip()


def _lead(image: SkyImage) -> str:
    ny, nx = image.shape
    ra, dec = image.frame.to_sky(nx // 2, ny // 2)
    return (
        f"{nx} \u00d7 {ny} pixels of {image.frame.scale[0]:.3g}\u2033 around RA {float(ra):.4f}\u00b0, "
        f"Dec {float(dec):.4f}\u00b0 (ICRS); the objects and the noise follow from one seed and the options below"
    )


def _map(image: SkyImage, truth: Truth) -> MadeMap:
    """One map with its pictures and counts."""
    sources = truth.sources
    rms = float(np.nanmedian(sources["rms"])) if len(sources) else float("nan")
    bright = np.abs(np.nan_to_num(sources["snr"])) >= _SHOWN
    whole = preview(image.read, image.box, longest=LONGEST, how="max")
    pictures = [_picture(whole, image, sources.select(bright), rms)]
    if max(image.shape) > 1.5 * _CLOSE:
        box = _close(image)
        near = bright & box.contains(sources["x"], sources["y"])
        part = preview(image.read, box, longest=_CLOSE)
        pictures.append(_picture(part, image, sources.select(near), rms))
    factor, unit = prefixed("Jy/beam", rms)
    beam = image.beam
    numbers = [
        (f"{int(truth.real.sum()):,}", "objects"),
        (f"{int((truth.real & bright).sum()):,}", f"above {_SHOWN:g} sigma"),
        (f"{int((~truth.real).sum()):,}", "artefacts"),
        (digits(rms * factor), f"median rms, {unit}" if np.isfinite(rms) else "median rms, not known"),
    ]
    where = frequency_text(image.frequency, 4)
    return MadeMap(
        anchor=f"map-{image.frequency / 1e6:.12g}".replace(".", "-"),
        title=where,
        lead=f"beam {beam.major:.3g}\u2033 \u00d7 {beam.minor:.3g}\u2033, PA {beam.pa:.0f}\u00b0",
        numbers=tuple(numbers),
        pictures=tuple(pictures),
        charts=(_chart_of_fluxes(truth), _chart_of_sizes(truth)),
        kinds=_kinds(truth),
    )


def _picture(shown: Preview, image: SkyImage, sources: Table, rms: float) -> Picture:
    """A part of the map with the outlines of these sources, or of the brightest of them."""
    order = np.argsort(-np.abs(sources["flux_peak"]), kind="stable")
    false = sources["class"][order] == "spurious"
    n_false = int(false.sum())
    order = order[~false | (np.cumsum(false) <= _MOST_CROSSES)]
    some = sources.select(np.sort(order[:_MOST]))
    groups = {name: (COLOURS[name], some["class"] == name) for name in reversed(CLASSES)}
    which = f"the {_MOST:,} brightest of {order.size:,}" if order.size > _MOST else "all"
    crosses = f": the {_MOST_CROSSES} brightest of {n_false:,}" if n_false > _MOST_CROSSES else ""
    told = (
        f"Outlines: {which} objects above {_SHOWN:g} sigma by their class, beam included (FWHM of the second "
        f"moments); a cross is an artefact{crosses}."
    )
    return outlined_picture(shown, image.frame, rms, some, groups, told, what="objects")


def _close(image: SkyImage) -> Box:
    """The middle of the map, pixel by pixel."""
    ny, nx = image.shape
    y0, x0 = max(0, (ny - _CLOSE) // 2), max(0, (nx - _CLOSE) // 2)
    return Box(y0, y0 + _CLOSE, x0, x0 + _CLOSE).intersect(image.box)


def _kinds(truth: Truth) -> tuple[tuple[str, ...], ...]:
    """How many objects there are of each class, type and morphology."""
    sources = truth.sources
    if not len(sources):
        return ()
    bright = np.nan_to_num(sources["snr"]) >= _SHOWN
    named = np.stack([sources[name].astype(str) for name in ("class", "object_type", "morphology")], axis=1)
    kinds, of = np.unique(named, axis=0, return_inverse=True)
    count = np.bincount(of.ravel(), minlength=len(kinds))
    above = np.bincount(of.ravel()[bright], minlength=len(kinds))
    order = np.argsort(-count, kind="stable")
    return tuple((*(str(word) for word in kinds[k]), f"{count[k]:,}", f"{above[k]:,}") for k in order)


def _chart_of_fluxes(truth: Truth) -> Picture:
    """How many objects have which flux."""
    figure = sheet(6.2, 3.6)
    axes = figure.add_subplot()
    flux = truth.sources["flux_int"][truth.real]
    flux = flux[np.isfinite(flux) & (flux > 0)]
    rms = float(np.nanmedian(truth.sources["rms"])) if len(truth.sources) else float("nan")
    if flux.size:
        edges = np.geomspace(flux.min(), flux.max() * 1.0001, 41)
        axes.hist(flux * 1e6, (edges * 1e6).tolist(), color=BLUE, histtype="stepfilled", alpha=0.85)
        axes.set_xscale("log")
        axes.set_yscale("log")
        if np.isfinite(rms):
            axes.axvline(5e6 * rms, color=ORANGE, linewidth=1.2)
        plain_numbers(axes.xaxis)
    axes.set_xlabel("flux density in the map [\N{MICRO SIGN}Jy]")
    axes.set_ylabel("objects")
    quiet(axes)
    return Picture(png(figure), "True flux densities; the line is at five times the median noise.")


def _chart_of_sizes(truth: Truth) -> Picture:
    """Sizes against peaks."""
    figure = sheet(6.2, 3.6)
    axes = figure.add_subplot()
    sources = truth.sources.select(truth.real)
    size, snr = sources["major_deconv"], sources["snr"]
    good = np.isfinite(size) & np.isfinite(snr) & (snr > 0)
    for name, colour in (COLOURS | _ON_PAPER).items():
        some = good & (sources["class"] == name)
        if some.any():
            axes.plot(snr[some], np.maximum(size[some], 1e-2), ".", color=colour, markersize=2.5, label=name)
    if good.any():
        axes.set_xscale("log")
        axes.set_yscale("log")
        plain_numbers(axes.xaxis)
        plain_numbers(axes.yaxis)
        shown = axes.legend(fontsize=8, frameon=False, markerscale=3)
        for text in shown.get_texts():
            text.set_color(INK)
    axes.set_xlabel("true peak / rms")
    axes.set_ylabel("major axis without the beam [arcsec]")
    quiet(axes)
    return Picture(png(figure), "Sizes of the objects (FWHM of the second moments) against their peaks.")
