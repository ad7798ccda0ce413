"""`features_of`: a table of numbers about pictures, by the groups that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

import skysift
from skysift.base.errors import OptionError, UnknownName, UsageError
from skysift.base.parallel import ALONE, Crew
from skysift.base.provenance import Provenance
from skysift.base.registry import Registry
from skysift.classify.features.extractor import Extractor
from skysift.classify.features.fluxes import sum_unit
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.seen import see
from skysift.classify.features.view import View
from skysift.sky.features import Feature, Features
from skysift.stamps.pictures import Pictures
from skysift.stamps.sampling import sampling_of

__all__ = ["columns_of", "extractors_of", "features_of", "left_aside", "view_of"]

Floats: TypeAlias = NDArray[np.float64]

PER_TASK = 64  # pictures
_LEVER = 1.01  # between the lowest frequency and the highest of a spectral index


def features_of(pictures: Pictures, options: FeaturesOptions | None = None, crew: Crew = ALONE) -> Features:
    """
    Numbers measured on pictures, one row each.

    A picture that cannot be read, or shows no source, has a row of NaN; the fact ``error`` says what was wrong with it.
    The fact ``sampling`` says which have too few pixels, or a beam of too few or many (see `skysift.stamps.sampling`).

    Parameters
    ----------
    pictures
        What is measured.
    options
        How; the defaults where they are left out.
    crew
        Who does it; no number depends on it.

    Raises
    ------
    UsageError
        There is no picture, or a group does not fit the pictures.
    UnknownName
        There is no such group or band.
    """
    options = options or FeaturesOptions()
    if not len(pictures):
        raise UsageError("there is no picture to measure", allowed="one or more")
    view = view_of(pictures, options)
    chosen = extractors_of(view, options)
    columns = columns_of(chosen, view, options)
    tasks = [(start, min(start + PER_TASK, len(pictures))) for start in range(0, len(pictures), PER_TASK)]
    work = partial(_measured, pictures, view, options, tuple(chosen))
    parts = list(crew.map("measuring features", work, tasks))
    values = np.concatenate([each for each, _ in parts])
    errors = [error for _, told in parts for error in told]
    sampling = sampling_of(pictures, scale=options.scale, beam=options.beam)
    facts = {**pictures.facts, "sampling": sampling, "error": np.array(errors)}
    inputs = () if pictures.origin is None else (pictures.origin,)
    told = Provenance(skysift.__version__, "features", options.to_dict(), inputs, (), "step")
    return Features(pictures.names, columns, values, facts, told)


def view_of(pictures: Pictures, options: FeaturesOptions) -> View:
    """What holds for all pictures of a set.

    Raises
    ------
    UnknownName
        The reference is none of the bands.
    OptionError
        There is not one frequency a band, or all are nearly one.
    UsageError
        Bands with a frequency have different units.
    """
    reference = pictures.bands[0] if options.reference is None else options.reference
    if reference not in pictures.bands:
        raise UnknownName("the pictures have no such band", got=reference, allowed=pictures.bands)
    if options.frequencies and len(options.frequencies) != len(pictures.bands):
        raise OptionError(
            "frequencies do not fit the bands",
            got=f"{len(options.frequencies)} for {len(pictures.bands)} bands ({', '.join(pictures.bands)})",
            allowed="one a band; 0 for a band that is no radio band",
        )
    held = [frequency for frequency in options.frequencies if frequency > 0]
    if len(held) > 1 and max(held) < _LEVER * min(held):
        raise OptionError(
            "there is no spectral index between bands of one frequency",
            got=", ".join(f"{each:g}" for each in options.frequencies),
            allowed=f"two that differ by {100 * (_LEVER - 1):.0f} % or more (Hz); 0 for a band that is no radio band",
        )
    at = pictures.bands.index(reference)
    beams = pictures.beams(options.beam, at)
    known = beams[beams > 0]
    scale = float(pictures.scale if np.isfinite(pictures.scale) else options.scale or np.nan)
    units = tuple(pictures.unit_of_band(band) for band in range(len(pictures.bands)))
    sizes = np.isfinite(pictures.beams_of_bands(options.beam)).any(axis=0) & np.isfinite(scale)
    sums = tuple(sum_unit(unit, beam=bool(size)) for unit, size in zip(units, sizes, strict=True))
    _refuse_units(sums, pictures, options.frequencies)
    return View(
        pictures.bands, at, scale, float(np.median(known)) if known.size else float("nan"), units, sums
    )


def _refuse_units(sums: Sequence[str], pictures: Pictures, frequencies: Sequence[float]) -> None:
    """Refuse a spectral index over bands whose fluxes have different units; a band that no picture has is of none."""
    bands, told = pictures.bands, pictures.band_units
    radio = [
        k for k, each in enumerate(frequencies) if each > 0 and (told is None or (told[:, k] != "").any())
    ]
    if len({sums[k] for k in radio}) > 1:
        raise UsageError(
            "there is no spectral index between bands of different units",
            got=", ".join(f"{bands[k]}: {sums[k] or 'unknown'}" for k in radio),
            todo="make stamps with --set units=Jy/pixel; or give the frequency 0 to a band that has no such unit",
        )


def left_aside(pictures: Pictures, options: FeaturesOptions) -> tuple[str, ...]:
    """A line for each of the options ``scale`` and ``beam`` that pictures do not need: they say it themselves."""
    told = []
    if options.scale is not None and np.isfinite(pictures.scale) and options.scale != pictures.scale:
        told.append(
            f"scale={options.scale:g} is left aside: the pictures say pixels of {pictures.scale:.4g} arcsec"
        )
    own = pictures.beams()
    own = own[own > 0]
    if options.beam is not None and own.size and not np.allclose(own, options.beam):
        told.append(
            f"beam={options.beam:g} is left aside: the pictures say beams of {np.median(own):.4g} arcsec"
        )
    return tuple(told)


def extractors_of(view: View, options: FeaturesOptions) -> list[tuple[str, Extractor]]:
    """The groups that were asked for, or all that these pictures allow.

    Raises
    ------
    UnknownName
        There is no such group.
    UsageError
        A group that was asked for does not fit the pictures.
    """
    registry = Registry[type[Extractor]]("feature")
    made = [(name, registry.load(name)()) for name in options.groups or registry.names()]
    if not options.groups:
        return [(name, each) for name, each in made if each.applies(view, options)]
    for name, each in made:
        if not each.applies(view, options):
            raise UsageError(
                f"the group {name} has nothing to measure on these pictures",
                got=f"bands {', '.join(view.bands)}",
                todo=each.needs,
            )
    return made


def columns_of(
    chosen: Sequence[tuple[str, Extractor]], view: View, options: FeaturesOptions
) -> tuple[Feature, ...]:
    """The columns of the table."""
    return tuple(replace(each, group=name) for name, group in chosen for each in group.columns(view, options))


def _measured(
    pictures: Pictures,
    view: View,
    options: FeaturesOptions,
    chosen: Sequence[tuple[str, Extractor]],
    task: tuple[int, int],
) -> tuple[Floats, list[str]]:
    """Values (picture, column) of some pictures and what is wrong with each."""
    start, end = task
    errors = list(pictures.errors[start:end])
    beams = pictures.beams_of_bands(options.beam)[start:end]
    if pictures.band_beams is None:  # one that does not say its beam has that of the others
        beams = np.where(beams > 0, beams, view.beam)
    units = None if pictures.band_units is None else pictures.band_units[start:end]
    seen = see(pictures.read(slice(start, end)), view, options, beams, units)
    parts = []
    for _, group in chosen:
        made = group.measure(seen)
        parts += [np.asarray(made[each.name], np.float64) for each in group.columns(view, options)]
    values = np.stack(parts, axis=1)
    values[~np.isfinite(values)] = np.nan
    for row, n in enumerate(seen.islands.max(axis=1)):
        if not errors[row] and n == 0:
            errors[row] = f"there is no source in it: nothing near its middle reaches {options.seed:g} sigma"
        if errors[row]:
            values[row] = np.nan
    return values, errors
