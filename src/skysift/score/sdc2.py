"""The score of SKA Science Data Challenge 2 (HI galaxies): `score_sdc2` of two lists, and the scorer ``sdc2``.

The rule is that of the package ska-sdc 2.0.0, with which the numbers agree. Candidates that are equally near, of
which the package takes any, are taken in the order of the truth.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.io.sdc_rows import Columns, sdc2_rows
from skysift.match.sky import separation, unit_vectors
from skysift.score.options import Sdc2Options
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
from skysift.sky.truth import Truth
from skysift.sky.units import LIGHT

__all__ = ["Sdc2Scorer", "score_sdc2"]

Floats: TypeAlias = NDArray[np.float64]

_REST = 1.420405752e9  # Hz, of the HI line
_BAND = (0.95e9, 1.15e9)  # Hz
_BEAM = 7.0  # arcsec
_CENTRE = (180.0, -30.0)  # deg, of the field
_HUBBLE, _MATTER, _VACUUM = 67.0, 0.32, 0.68  # km/s/Mpc; densities in units of the critical one
_PER_RADIAN = 206265.0  # arcsec
_ANGLE = 10.0  # deg, tolerance of both angles
_SHARE, _FLUX = 0.3, 0.1  # tolerances of position, frequency, size and width, and of flux
_MEASURED = ("position", "central_freq", "flux", "hi_size")

RULE = (
    "SDC2 (ska-sdc 2.0.0): candidates lie within the detection's size convolved with {beam:g} arcsec, or its line "
    "width, in Mpc (H0 67, 0.32 matter, 0.68 vacuum), and within the truth's size and line width; the nearest in "
    "position, frequency, flux, size and width together, below 5, is the match, one a detection; detections of one "
    "truth share its points. A match earns the mean of seven terms min(1, tolerance / error); any other detection "
    "costs 1. mean_measured is of position, frequency, flux and size alone. The interval of M_s is by the scatter "
    "of single detections."
)


def score_sdc2(found: Columns, true: Columns) -> SdcScore:
    """What a list of HI sources earns.

    Parameters
    ----------
    found, true
        Columns of `skysift.io.sdc_rows.SDC2`. Rows that lack a value are left out; all others count as
        detections, though only those within the challenge's band can match.
    """
    n_det = int(np.sum(_known(found)))
    (left, a), (right, b) = (_prepared(each) for each in (found, true))
    matches = _matched(a, b)
    sharing = np.unique(b["id"][matches.right], return_inverse=True, return_counts=True)
    share = 1.0 / sharing[2][sharing[1]]
    near = matches.near
    chosen = matches.select(near)
    terms = _terms(picked(a, chosen.left), picked(b, chosen.right))
    return SdcScore(
        n_det=n_det,
        n_truth=right.size,
        n_bad=matches.n_far,
        matches=Matches(left[chosen.left], right[chosen.right], chosen.distance),
        terms=terms,
        share=share[near],
        if_none=-float(n_det),
    )


class Sdc2Scorer(Scorer[Sdc2Options]):
    """The score of SKA Science Data Challenge 2, of lists of HI galaxies."""

    name = "sdc2"

    def score(self, catalogue: Catalogue, truth: Truth) -> Report:
        """What the catalogue earns in the challenge.

        Raises
        ------
        UsageError
            Catalogue or truth lack the columns of HI sources.
        """
        found, true = sdc2_rows(catalogue.sources), sdc2_rows(truth.sources)
        score = score_sdc2(found, true)
        by_chance, shifted, told = chance_of(
            lambda rows: score_sdc2(rows, true), found, true, (("ra", "dec"),), _BEAM, self.options
        )
        counted = np.zeros(len(true["id"]), dtype=np.bool_)
        counted[_prepared(true)[0]] = True
        return Report(
            self.name,
            numbers_of(score, _MEASURED, len(catalogue.sources)) | by_chance,
            {
                "terms": terms_table(score),
                "fluxes": fluxes_table(score, true["line_flux_integral"], counted),
                "chance": shifted,
            },
            rule=RULE.format(beam=_BEAM) + told,
            options=self.options.to_dict(),
            catalogue=f"{len(catalogue.sources)} sources",
            truth=f"{len(true['id'])} objects",
            notes=notes_of_lists(catalogue.sources, truth.sources, found["id"]),
        )


def _known(rows: Columns) -> NDArray[np.bool_]:
    """True for the rows that lack nothing."""
    return np.asarray(
        np.all([np.isfinite(np.asarray(each, dtype=np.float64)) for each in rows.values()], axis=0)
    )


def _prepared(rows: Columns) -> tuple[NDArray[np.int64], dict[str, Floats]]:
    """The rows within the band, by number, with their place and size in Mpc and their width in Hz."""
    frequency = rows["central_freq"]
    kept = np.flatnonzero(_known(rows) & (frequency > _BAND[0]) & (frequency < _BAND[1]))
    columns = {name: np.asarray(values[kept], dtype=np.float64) for name, values in rows.items()}
    columns["id"] = rows["id"][kept]
    frequency = columns["central_freq"]
    distance = _angular_distance(_REST / frequency - 1.0)
    east, north = _offsets(columns["ra"], columns["dec"])
    size = np.hypot(columns["hi_size"], _BEAM)
    width = columns["w20"] * 1000.0 / (LIGHT * _REST / frequency**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = distance - _angular_distance(_REST / (frequency + width) - 1.0)
    return kept, columns | {
        "east": distance * east,
        "north": distance * north,
        "distance": distance,
        "convolved": size,
        "width": width,
        "reach": np.fmax(size / _PER_RADIAN * distance, depth),
    }


def _angular_distance(z: Floats) -> Floats:
    """Angular diameter distance (Mpc) in a flat universe: 24 nodes of Gauss and Legendre, exact to rounding."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    total = np.zeros(z.shape)
    for node, weight in zip((nodes + 1.0) / 2.0, weights / 2.0, strict=True):
        total += weight / np.sqrt(_MATTER * (1.0 + z * node) ** 3 + _VACUUM)
    return np.asarray(LIGHT / 1000.0 / _HUBBLE * total * z / (1.0 + z))


def _offsets(ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """Longitude and latitude (rad) in the system that has the field's centre at its origin."""
    v = unit_vectors(ra, dec)
    a, b = np.radians(_CENTRE)
    ahead = v @ np.array([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)])
    east = v @ np.array([-np.sin(a), np.cos(a), 0.0])
    north = v @ np.array([-np.sin(b) * np.cos(a), -np.sin(b) * np.sin(a), np.cos(b)])
    return np.arctan2(east, ahead), np.arcsin(np.clip(north, -1.0, 1.0))


def _matched(a: dict[str, Floats], b: dict[str, Floats]) -> Matches:
    """Candidates of which no detection, by its id, has more than one; a truth may have several."""
    place = ("east", "north", "distance")
    here, there = (np.stack([each[name] for name in place], axis=1) for each in (a, b))
    best = []
    for left, right in candidates(there, here, a["reach"]):
        angle = separation(a["ra"][left], a["dec"][left], b["ra"][right], b["dec"][right])
        position = angle / b["convolved"][right]
        frequency = relative(a["central_freq"][left], b["central_freq"][right], b["width"][right])
        inside = (position < 1.0) & (frequency < 1.0)
        left, right = left[inside], right[inside]
        errors = (
            position[inside],
            frequency[inside],
            *(
                relative(a[name][left], b[name][right], b[scale][right])
                for name, scale in (
                    ("line_flux_integral", "line_flux_integral"),
                    ("hi_size", "convolved"),
                    ("w20", "w20"),
                )
            ),
        )
        distance = np.sqrt(sum(error**2 for error in errors))
        best.append(best_of_each(Matches(left, right, distance), left, right))
    nearest = joined(best)
    return best_of_each(nearest, a["id"][nearest.left], nearest.left)  # an id may come twice in a list


def _terms(a: dict[str, Floats], b: dict[str, Floats]) -> dict[str, Floats]:
    """What each match earns in each term."""
    angle = separation(a["ra"], a["dec"], b["ra"], b["dec"])
    turn = np.radians(a["pa"]) - np.radians(b["pa"])
    turned = np.degrees(np.abs(np.arctan2(np.sin(turn), np.cos(turn))))

    def share(name: str, scale: str) -> Floats:
        return relative(a[name], b[name], b[scale])

    return {
        "position": term(angle / np.sqrt(4.0 * _BEAM**2 + b["hi_size"] ** 2), _SHARE),
        "central_freq": term(share("central_freq", "width"), _SHARE),
        "flux": term(share("line_flux_integral", "line_flux_integral"), _FLUX),
        "hi_size": term(share("hi_size", "hi_size"), _SHARE),
        "pa": term(turned, _ANGLE),
        "w20": term(share("w20", "w20"), _SHARE),
        "i": term(np.abs(a["i"] - b["i"]), _ANGLE),
    }
