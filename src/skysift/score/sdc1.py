"""The score of SKA Science Data Challenge 1: `score_sdc1` of two lists, and the scorer ``sdc1``.

The rule is that of the package ska-sdc 2.0.0, with which the numbers agree. Candidates that are equally near, of
which the package takes any, are taken in the order of the truth.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.io.primary_beam import response
from skysift.io.sdc_rows import Columns, is_listed, sdc1_rows, sdc1_truth_rows, to_fwhm
from skysift.match.sky import separation
from skysift.score.matching import notes_of_truth
from skysift.score.options import Sdc1Options
from skysift.score.scorer import Report, Scorer
from skysift.score.sdc_chance import chance_of, notes_of_lists
from skysift.score.sdc_terms import (
    Matches,
    SdcScore,
    best_of_each,
    candidates,
    fluxes_table,
    joined,
    numbers_of,
    picked,
    relative,
    term,
    terms_table,
)
from skysift.sky.catalogue import Catalogue
from skysift.sky.table import Table, Values
from skysift.sky.truth import Truth

__all__ = ["Sdc1Scorer", "counted", "score_sdc1"]

Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

# the box of the training area (deg, FK5): right ascension from, to; declination from, to
_TRAINING = {
    560.0: (-0.6723, 0.0, -29.94, -29.4061),
    1400.0: (-0.2688, 0.0, -29.94, -29.7265),
    9200.0: (-0.04092, 0.0, -29.94, -29.9074),
}
_BEAM = 0.25 * 1400.0  # arcsec MHz: what the challenge takes for the width of the beam
_NORMS = (0.31 * 3.0, 0.12 * 3.0, 1.46 * 3.0)  # usual errors of position, flux and size, times 3
_POSITION, _FLUX, _SIZE, _ANGLE, _CORE = 0.3, 0.1, 0.3, 10.0, 0.05  # tolerances of the terms
_CORE_SCALE = 0.75  # mean core fraction of compact AGN
_STEEP = 1  # size id of steep-spectrum AGN, whose minor axis and angle are not defined
_BEAM_SHARE = 0.25 / 0.6  # what the challenge takes for the beam, in terms of the beam of its maps
_MEASURED = ("position", "flux", "b_maj", "b_min")

RULE = (
    "SDC1 (ska-sdc 2.0.0): detections and truth {area}; candidates lie within the detection's size convolved with "
    "{beam:.4g} arcsec, in degrees of RA and Dec; the nearest in position, flux and size together, below 5, is the "
    "match, one a detection and one a truth. A match earns the mean of seven terms min(1, tolerance / error); any "
    "other detection costs 1, but a list without a match scores 0. Class, core fraction and angle earn nearly as "
    "much unmeasured: mean_measured is of position, flux and axes alone. The interval of M_s is by the scatter of "
    "single detections. Fluxes are {fluxes}."
)


def score_sdc1(
    found: Columns,
    true: Columns,
    frequency: float,
    *,
    train: bool = False,
    whole: bool = False,
    centroid: bool = False,
    beam: float | None = None,
) -> SdcScore:
    """What a list of detections earns.

    Parameters
    ----------
    found, true
        Columns of `skysift.io.sdc_rows.SDC1`. Rows that lack a value are left out; where a flux, core
        fraction or axis is negative, so are all rows that do not have it above 0.
    frequency
        Of the map (MHz).
    train
        Score inside the training box alone, which is left out otherwise.
    whole
        Score everywhere, training box or not.
    centroid
        Match by the centroid in place of the core.
    beam
        Width that sets how far candidates lie (arcsec); by default the challenge's, 0.25 at 1400 MHz.
    """
    width = _BEAM / frequency if beam is None else beam
    box = None if whole else _TRAINING.get(frequency)
    (left, a), (right, b) = (_prepared(each, box, train) for each in (found, true))
    place = ("ra_cent", "dec_cent") if centroid else ("ra_core", "dec_core")
    matches = _matched(a, b, place, width)
    near = matches.select(matches.near)
    terms = _terms(picked(a, near.left), picked(b, near.right), width)
    return SdcScore(
        n_det=left.size,
        n_truth=right.size,
        n_bad=matches.n_far,
        matches=Matches(left[near.left], right[near.right], near.distance),
        terms=terms,
        share=np.ones(len(near)),
        if_none=0.0,
    )


class Sdc1Scorer(Scorer[Sdc1Options]):
    """The score of SKA Science Data Challenge 1, of its lists and of catalogues of made skies."""

    name = "sdc1"

    def score(self, catalogue: Catalogue, truth: Truth) -> Report:
        """What the catalogue earns in the challenge.

        Raises
        ------
        UsageError
            The frequency is not told, or the training box is asked for at another than the challenge's.
        """
        options = self.options
        frequency, beam = self._frequency(catalogue, truth)
        found, true, fluxes, notes = self._rows(catalogue, truth)

        def scored(rows: Columns) -> SdcScore:
            return score_sdc1(
                rows,
                true,
                frequency,
                train=options.train,
                whole=options.whole,
                centroid=options.position == "centroid",
                beam=beam,
            )

        score = scored(found)
        width = _BEAM / frequency if beam is None else beam
        places = (("ra_core", "dec_core"), ("ra_cent", "dec_cent"))
        by_chance, shifted, told = chance_of(scored, found, true, places, width / _BEAM_SHARE, options)
        some = counted(true, None if options.whole else _TRAINING.get(frequency), options.train)
        return Report(
            self.name,
            numbers_of(score, _MEASURED, len(catalogue.sources)) | by_chance,
            {
                "terms": terms_table(score),
                "fluxes": fluxes_table(score, true["flux"], some),
                "chance": shifted,
            },
            rule=RULE.format(area=self._area(frequency), beam=width, fluxes=fluxes) + told,
            options=options.to_dict(),
            catalogue=f"{len(catalogue.sources)} sources",
            truth=f"{len(true['id'])} objects",
            notes=(
                *notes_of_truth(truth),
                *notes,
                *notes_of_lists(catalogue.sources, truth.sources, found["id"]),
            ),
        )

    def _frequency(self, catalogue: Catalogue, truth: Truth) -> tuple[float, float | None]:
        """The frequency (MHz), and the width to match within (arcsec) where it is not the challenge's.

        Raises
        ------
        UsageError
            It is not told, or the training box is asked for at another than the challenge's.
        """
        options = self.options
        if options.frequency != "auto":
            return float(options.frequency.removesuffix("MHz")), options.beam
        seen = [truth.frequency, *np.unique(catalogue.sources["frequency"]).tolist()]
        told = next((each / 1e6 for each in seen if math.isfinite(each)), None)
        if told is None:
            raise UsageError(
                "neither catalogue nor truth tells the frequency", todo="give --frequency, such as 560MHz"
            )
        near = [each for each in _TRAINING if abs(told / each - 1.0) < 0.02]
        if near:
            return near[0], options.beam
        if options.train:
            raise UsageError(
                "the challenge has no training box at this frequency",
                got=f"{told:g} MHz",
                allowed="560, 1400, 9200 MHz",
            )
        if options.beam is not None or truth.beam is None:
            return told, options.beam
        return told, _BEAM_SHARE * math.sqrt(truth.beam.major * truth.beam.minor)

    def _rows(self, catalogue: Catalogue, truth: Truth) -> tuple[Columns, Columns, str, tuple[str, ...]]:
        """The two lists, what their fluxes are, and what is odd about them."""
        options, table = self.options, catalogue.sources
        notes = []
        own = truth.frequency / 1e6  # NaN where not known
        if (
            options.frequency != "auto"
            and abs(own / float(options.frequency.removesuffix("MHz")) - 1.0) > 0.02
        ):
            notes.append(f"the truth is of {own:g} MHz, and is scored as if of {options.frequency}")
        corrected = is_listed(table) or options.primary_beam is not None or "primary_beam" in table
        apparent = not corrected and not is_listed(truth.sources) and "flux_true" in truth.sources
        fluxes = "those that the map holds" if apparent else "those before the primary beam"
        if not apparent and not corrected:
            notes.append(
                "the fluxes of the catalogue are not corrected for the primary beam: give primary_beam"
            )
        found, left_out = sdc1_rows(
            table,
            response=self._response(table),
            class_id=options.class_id,
            core_fraction=options.core_fraction,
        )
        notes += [
            f"{count} rows of the catalogue are left out: {reason}" for reason, count in left_out.items()
        ]
        return found, sdc1_truth_rows(truth, apparent=apparent), fluxes, tuple(notes)

    def _response(self, table: Table) -> Floats | None:
        if self.options.primary_beam is None or is_listed(table):
            return None
        return response(self.options.primary_beam, table["ra"], table["dec"])

    def _area(self, frequency: float) -> str:
        if self.options.whole or frequency not in _TRAINING:
            return "of the whole field"
        return "inside the training box" if self.options.train else "outside the training box"


def _prepared(
    rows: Columns, box: tuple[float, ...] | None, train: bool
) -> tuple[NDArray[np.int64], dict[str, Floats]]:
    """The rows that count, by number, and their columns as floats."""
    kept = np.flatnonzero(counted(rows, box, train))
    columns = {name: np.asarray(values[kept], dtype=np.float64) for name, values in rows.items()}
    columns["id"] = rows["id"][kept]
    for name in ("ra_core", "ra_cent"):
        columns[name] = _turned(columns[name])
    return kept, columns


def counted(rows: Columns, box: tuple[float, ...] | None = None, train: bool = False) -> Mask:
    """True for the rows that have all values, those that may not be negative above 0, in the area scored.

    Parameters
    ----------
    rows
        Columns of `skysift.io.sdc_rows.SDC1`.
    box
        The training box: right ascension from, to; declination from, to (deg, FK5); None for the whole field.
    train
        Whether the area is the training box, not what is outside of it.
    """
    good: Mask = np.all([~np.isnan(np.asarray(each, dtype=np.float64)) for each in rows.values()], axis=0)
    for name in ("ra_core", "dec_core", "ra_cent", "dec_cent", "b_maj", "b_min"):
        good &= np.isfinite(rows[name])
    for name in ("flux", "core_frac", "b_min", "b_maj"):
        if np.any(rows[name][good] < 0.0):  # zeros stay, unless there are negative values
            good &= rows[name] > 0.0
    if box is None:
        return good
    ra, dec = _turned(rows["ra_core"]), rows["dec_core"]
    if train:
        return good & (ra > box[0]) & (ra < box[1]) & (dec > box[2]) & (dec < box[3])
    return good & ((ra < box[0]) | (ra > box[1]) | (dec < box[2]) | (dec > box[3]))


def _turned(ra: Values) -> Floats:
    return np.where(ra > 180.0, ra - 360.0, ra)


def _convolved(rows: dict[str, Floats], width: float) -> Floats:
    """The larger axis as a FWHM, with the beam in quadrature (arcsec)."""
    size = np.maximum(rows["b_maj"], rows["b_min"]) * np.nan_to_num(to_fwhm(rows["size"]), nan=1.0)
    return np.asarray(np.sqrt(size**2 + width**2))


def _matched(a: dict[str, Floats], b: dict[str, Floats], place: tuple[str, str], width: float) -> Matches:
    """Candidates of which no detection and no truth, by their ids, has more than one."""
    here = np.stack([a[name] for name in place], axis=1)
    there = np.stack([b[name] for name in place], axis=1)
    reach, size = _convolved(a, width), _convolved(b, width)
    factor_a, factor_b = to_fwhm(a["size"]), to_fwhm(b["size"])
    mean_a, mean_b = (
        factor * (each["b_maj"] + each["b_min"]) / 2.0 for factor, each in ((factor_a, a), (factor_b, b))
    )
    best = []
    for left, right in candidates(there, here, reach / 3600.0):
        angle = separation(here[left, 0], here[left, 1], there[right, 0], there[right, 1])
        errors = (
            angle / size[right],
            relative(a["flux"][left], b["flux"][right], b["flux"][right]),
            np.abs(mean_b[right] - mean_a[left]) / size[right],
        )
        distance = np.sqrt(sum((error / norm) ** 2 for error, norm in zip(errors, _NORMS, strict=True)))
        best.append(best_of_each(Matches(left, right, distance), left, right))
    nearest = joined(best)
    nearest = best_of_each(nearest, a["id"][nearest.left], nearest.left)  # an id may come twice in a list
    return best_of_each(nearest, b["id"][nearest.right], a["id"][nearest.left])


def _terms(a: dict[str, Floats], b: dict[str, Floats], width: float) -> dict[str, Floats]:
    """What each match earns in each term."""
    steep = b["size"] == _STEEP
    size = np.sqrt(4.0 * width**2 + ((b["b_maj"] + b["b_min"]) / 2.0) ** 2)
    core = separation(a["ra_core"], a["dec_core"], b["ra_core"], b["dec_core"])
    centroid = separation(a["ra_cent"], a["dec_cent"], b["ra_cent"], b["dec_cent"])
    factor = to_fwhm(a["size"]) / to_fwhm(b["size"])
    b_min = term(relative(a["b_min"] * factor, b["b_min"], b["b_min"]), _SIZE)
    return {
        "position": term(np.minimum(core, centroid) / size, _POSITION),
        "flux": term(relative(a["flux"], b["flux"], b["flux"]), _FLUX),
        "b_maj": term(relative(a["b_maj"] * factor, b["b_maj"], b["b_maj"]), _SIZE),
        "b_min": np.where(steep, 1.0, b_min),
        "pa": np.where(steep, 1.0, term(np.abs(_folded(a["pa"]) - _folded(b["pa"])), _ANGLE)),
        "core_fraction": term(np.abs(a["core_frac"] - b["core_frac"]) / _CORE_SCALE, _CORE),
        "class": (a["class"] == b["class"]).astype(np.float64),
    }


def _folded(angle: Floats) -> Floats:
    """The angle as the challenge folds it: 180, 90 and 45 degrees off what is above them, in this order."""
    for limit in (180.0, 90.0, 45.0):
        angle = np.where(angle > limit, angle - limit, angle)
    return np.where(angle < -45.0, angle + 45.0, angle)
