"""Which pictures hold too few pixels for their features to mean much, or a beam of too few or too many."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.stamps.pictures import Pictures

__all__ = ["COARSE", "FINE", "LEAST_SIDE", "sampling_note", "sampling_of", "sampling_words"]

Floats: TypeAlias = NDArray[np.float64]
Texts: TypeAlias = NDArray[np.str_]

LEAST_SIDE = 32  # pixels along the side, with fewer there is too little sky for a level, a noise and a shape
COARSE, FINE = (
    2.0,
    12.0,
)  # pixels across the beam, between which peaks part and the noise's correlation is measured

_MEANT = {
    "small": f"under {LEAST_SIDE} pixels along the side",
    "coarse": f"under {COARSE:g} pixels across the beam",
    "fine": f"over {FINE:g} pixels across the beam",
}


def sampling_words(side: NDArray[np.integer] | Floats, across: Floats) -> Texts:
    """What is the matter with pictures: ``small``, ``coarse``, ``fine``, joined by ``+``; empty where nothing is.

    Parameters
    ----------
    side
        Pixels along the side of each; 0 for none, of which nothing is said.
    across
        Pixels across the beam of each; NaN where it is not known.
    """
    there = np.asarray(side) > 0
    bad = {
        "small": there & (np.asarray(side) < LEAST_SIDE),
        "coarse": there & (across < COARSE),
        "fine": there & (across > FINE),
    }
    return np.array(["+".join(word for word in bad if bad[word][k]) for k in range(len(there))], np.str_)


def sampling_of(pictures: Pictures, *, scale: float | None = None, beam: float | None = None) -> Texts:
    """What is the matter with each picture, as `sampling_words` has it.

    Parameters
    ----------
    pictures
        The pictures; their facts ``pixels`` (along the side), ``beam_major`` and ``beam_minor`` (arcsec) are used.
    scale, beam
        Size of a pixel and FWHM of the beam (arcsec), where the pictures do not say it.
    """
    n = len(pictures)
    side = np.full(n, float(max(pictures.shape[2:])))
    if "pixels" in pictures.facts:
        side = np.minimum(side, np.asarray(pictures.facts["pixels"], np.float64))
    size = pictures.scale if np.isfinite(pictures.scale) else (np.nan if scale is None else scale)
    return sampling_words(side, pictures.beams(beam) / size)


def sampling_note(words: Texts, what: str = "pictures") -> str:
    """One line that tells how many are too small, too coarse or too fine; empty where none is.

    Parameters
    ----------
    words
        What `sampling_of` told.
    what
        The pictures are called.
    """
    split = [each.split("+") for each in words]
    told = [(word, sum(word in each for each in split)) for word in _MEANT]
    told = [(word, count) for word, count in told if count]
    if not told:
        return ""
    which = ", ".join(f"{count} have {_MEANT[word]}" for word, count in told)
    small = any(word == "small" for word, _ in told)
    other = any(word != "small" for word, _ in told)
    mend = " and ".join(
        ["make stamps larger (radius=)"] * small + ["choose the size of pixels (scale=)"] * other
    )
    return f"of {len(words)} {what} {which}: their features and classes mean little; {mend}"
