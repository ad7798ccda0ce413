"""What pictures a classifier learnt from, and whether others have pixels and beams like these."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from skysift.stamps.pictures import Pictures

__all__ = ["BEAM_PIXELS", "Looks", "in_beams", "in_beams_note", "unlike"]

BEAM_PIXELS = "beam_pixels"
"""What is known of pictures of many maps: the FWHM of each one's beam (pixel)."""
_APART = 1.5  # times larger or smaller is another look
_OTHER = 1.1  # times wider or narrower is another beam


@dataclass(frozen=True)
class Looks:
    """
    How pictures look.

    Attributes
    ----------
    side
        Pixels along the shorter side; 0 where it is not known.
    scale
        Size of a pixel (arcsec); NaN where it is not known.
    beam
        FWHM of the beam, the median of the pictures (arcsec); NaN where it is not known.
    across
        The same in pixels, of pictures whose pixels have many sizes; 0 where scale and beam tell it.
    """

    side: int = 0
    scale: float = math.nan
    beam: float = math.nan
    across: float = 0.0

    @property
    def beam_pixels(self) -> float:
        """FWHM of the beam (pixel); NaN where it is not known."""
        return self.across or self.beam / self.scale

    @classmethod
    def of(cls, pictures: Pictures, scale: float | None = None, beam: float | None = None) -> Looks:
        """Those of pictures; scale and beam (arcsec) as they were told, where they were."""
        sizes = pictures.beams()
        across = 0.0
        if beam is None and BEAM_PIXELS in pictures.facts and np.isfinite(pictures.facts[BEAM_PIXELS]).any():
            across = float(np.nanmedian(pictures.facts[BEAM_PIXELS]))
        if beam is None and np.isfinite(sizes).any():
            beam = float(np.nanmedian(sizes))
        return cls(
            min(pictures.shape[2:]),
            float(pictures.scale) if scale is None else scale,
            math.nan if beam is None else beam,
            across,
        )

    def to_dict(self) -> dict[str, float | None]:
        """The looks, JSON-safe: null for what is not known."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Looks:
        """The looks that `to_dict` told of."""
        scale, beam = (
            math.nan if values.get(name) is None else float(values[name]) for name in ("scale", "beam")
        )
        return cls(int(values.get("side") or 0), scale, beam, float(values.get("across") or 0.0))


def unlike(learnt: Looks, given: Looks) -> str:
    """One line that says in which pixels and beams pictures are unlike those learnt from; empty where they are not."""
    told = []
    both = [("beams of {:.3g} pixels", learnt.beam_pixels, given.beam_pixels)]
    if not (math.isfinite(learnt.beam_pixels) and math.isfinite(given.beam_pixels)):
        both = [
            ("pixels of {:.3g} arcsec", learnt.scale, given.scale)
        ]  # the beam says more, where it is known
    for text, old, new in both:
        if math.isfinite(old) and math.isfinite(new) and not 1 / _APART <= new / old <= _APART:
            told.append(f"they have {text.format(new)}, those learnt from {text.format(old)}")
    if not told:
        return ""
    return f"pictures are unlike those learnt from, and may be told wrong: {'; '.join(told)}"


def in_beams(learnt: Looks, pictures: Pictures) -> Pictures:
    """Pictures of another beam with sizes as if it were that learnt from: what a source looks like counts in beams."""
    beam = _other_beam(learnt, pictures)
    if not math.isfinite(beam):
        return pictures
    factor = learnt.beam / beam
    facts = {
        name: np.asarray(pictures.facts[name], np.float64) * factor
        for name in ("beam_major", "beam_minor")
        if name in pictures.facts
    }
    beams = None if pictures.band_beams is None else pictures.band_beams * factor
    return replace(
        pictures, scale=pictures.scale * factor, facts={**pictures.facts, **facts}, band_beams=beams
    )


def in_beams_note(learnt: Looks, pictures: Pictures) -> str:
    """One line where sizes are told as if the beam were that learnt from; empty where it is."""
    beam = _other_beam(learnt, pictures)
    if not math.isfinite(beam):
        return ""
    beams = f"the beam of {beam:.3g} arcsec stands for that of {learnt.beam:.3g} arcsec"
    return f"sizes count in beams: {beams} which was learnt"


def _other_beam(learnt: Looks, pictures: Pictures) -> float:
    """The beam of pictures (arcsec), where it and that learnt from are known and differ; NaN elsewhere."""
    beams = pictures.beams()
    if not (math.isfinite(learnt.beam) and math.isfinite(pictures.scale) and np.isfinite(beams).any()):
        return math.nan
    beam = float(np.nanmedian(beams))
    return math.nan if 1 / _OTHER <= beam / learnt.beam <= _OTHER else beam
