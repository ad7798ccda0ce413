"""What each finder found on a field, as rows of the challenge with what they are chosen by; one class and one core."""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.neural.skies import Field
from bench.peers.run import Run, run_peer
from skysift.io.sdc_rows import CLASS_ID, CORE_FRACTION, FWHM, Columns, sdc1_rows
from skysift.sky.shapes import axes_of, covariances, deconvolved
from skysift.sky.systems import System

THRESHOLDS = {  # sigma
    "classic": (5.0, 4.0, 3.5, 3.0),
    "bdsf": (5.0, 3.0),
    "aegean": (5.0, 3.0),
    "sep": (5.0, 4.0, 3.5, 3.0),
}
LEAST = 0.1  # score from which a network's sources are kept, before they are chosen from
CUTS = {
    "snr": np.append(np.arange(3.0, 8.01, 0.25), [9, 10, 12, 15, 20, 30]),
    "score": np.append(np.arange(LEAST, 0.986, 0.01), 1.0 - np.geomspace(1e-2, 1e-5, 13)),
}
PEERS = ("classic", "bdsf", "aegean", "sep")
NAMES = {"bdsf": "PyBDSF", "aegean": "Aegean"}


@dataclass(frozen=True)
class Found:
    """A list of sources.

    Attributes
    ----------
    rows
        Of the challenge.
    rank
        What a threshold is applied to: S/N of the peak, or a network's score.
    told
        Core fractions that the finder itself told, where it does.
    seconds
        CPU time of the run.
    threshold
        Of a network's run: the score below which it left sources out.
    """

    rows: Columns
    rank: np.ndarray
    told: np.ndarray | None = None
    seconds: float = np.nan
    threshold: float = np.nan

    def above(self, threshold: float) -> "Found":
        """The sources whose rank is not below a threshold."""
        kept = self.rank >= threshold
        rows = {name: values[kept] for name, values in self.rows.items()}
        return Found(rows, self.rank[kept], None if self.told is None else self.told[kept], self.seconds)

    @property
    def as_told(self) -> "Found":
        """The same with the core fractions that the finder told."""
        return self if self.told is None else Found({**self.rows, "core_frac": self.told}, self.rank)


def found_by_peer(finder: str, threshold: float, field: Field) -> Found:
    """What a finder of another project found."""
    one = Run(finder, threshold)
    run_peer(one, field)
    name = "sources" if finder == "bdsf" else "components"
    with np.load(one.folder(field) / f"{name}.npz") as stored:
        c = {key: stored[key] for key in stored.files}
    if finder == "sep":
        c |= {"maj": c["a"], "min": c["b"], "pa": c["angle"]}
    good = np.isfinite(c["total"]) & (c["total"] > 0)
    c = {key: values[good] for key, values in c.items()}
    frame, beam = field.truth.frame, field.truth.beam
    seen = covariances(c["maj"] * frame.scale[0], c["min"] * frame.scale[0], c["pa"])
    own = covariances(np.array([beam.major]), np.array([beam.minor]), np.array([beam.pa]))
    major, minor, pa = axes_of(deconvolved(seen, own))
    ra, dec = System("FK5", 2000.0).from_icrs(*frame.to_sky(c["x"], c["y"]))
    ra = np.where(ra > 180.0, ra - 360.0, ra)
    n = len(ra)
    rows = {
        "id": np.arange(n), "ra_core": ra, "dec_core": dec, "ra_cent": ra, "dec_cent": dec, "flux": c["total"],
        "core_frac": np.full(n, CORE_FRACTION), "b_maj": major, "b_min": minor, "pa": (90.0 - pa) % 180.0,
        "size": np.full(n, FWHM), "class": np.full(n, CLASS_ID),
    }  # fmt: skip
    return Found(rows, c["peak"] / c["rms"])


def found_by_us(finder: str, field: Field, **options: Any) -> Found:
    """What a finder of this project found on a field."""
    from skysift.find.run import make_finder, search
    from skysift.io.open import open_image

    image = open_image(str(field.path))
    before = time.process_time()
    finding = search(image, make_finder(finder, **options))
    seconds = time.process_time() - before
    return replace(
        found_in(finding.catalogue.sources, seconds), threshold=float(finding.facts.get("threshold", np.nan))
    )


def found_in(sources: Any, seconds: float = np.nan) -> Found:
    """The rows of a table of sources, with one class and one core fraction for all."""
    rows, _ = sdc1_rows(sources)
    index = np.searchsorted(sources.ids, rows["id"])
    assert np.array_equal(sources.ids[index], rows["id"])
    told = np.array(rows["core_frac"]) if "core_fraction" in sources else None
    rank = sources["score"] if "score" in sources else sources["flux_peak"] / sources["rms"]
    rows["core_frac"] = np.full(len(index), CORE_FRACTION)
    return Found(rows, np.asarray(rank, float)[index], told, seconds)
