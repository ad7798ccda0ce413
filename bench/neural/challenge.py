"""The score of the first SKA Data Challenge: every finder at its thresholds on every field, one class and one core."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from bench.neural.finders import CUTS, LEAST, PEERS, THRESHOLDS, Found, found_by_peer, found_by_us
from bench.neural.networks import Network
from bench.neural.skies import Field
from skysift.io.sdc_rows import Columns, sdc1_truth_rows
from skysift.score.sdc1 import score_sdc1
from skysift.score.sdc_terms import SdcScore

STEEP = 1  # size id of steep-spectrum AGN, to which the challenge gives the angle
PURE = 0.99


@dataclass(frozen=True)
class Scored:
    """What a list earned at a threshold."""

    finder: str
    threshold: float
    score: SdcScore
    cut: float = np.nan  # of the list of that threshold

    @property
    def value(self) -> float:
        """The score of the challenge, M_s."""
        return self.score.value

    @property
    def purity(self) -> float:
        """Part of the detections that match."""
        return self.score.n_match / max(self.score.n_det, 1)

    @property
    def mean(self) -> float:
        """What a match earned."""
        return float(self.score.points.mean()) if self.score.n_match else np.nan

    @property
    def told(self) -> str:
        """The threshold, and what was cut off its list."""
        cut = f", cut at {self.cut:.3g}" if np.isfinite(self.cut) and self.cut > self.threshold + 1e-9 else ""
        return f"{self.threshold:.3g}{cut}"


@dataclass(frozen=True, eq=False)
class Sheet:
    """A field with its truth, and everything that was found on it."""

    field: Field
    true: Columns
    lists: dict[str, dict[float, Found]] = field(default_factory=dict)
    own: dict[str, dict[str, Found]] = field(default_factory=dict)
    """Of networks: what a user gets, by what is different about the run."""

    @property
    def peers(self) -> tuple[str, ...]:
        """The classical finders that were run."""
        return tuple(name for name in PEERS if name in self.lists)

    def score(self, found: Found) -> SdcScore:
        """What a list earns on the whole field."""
        return score_sdc1(found.rows, self.true, float(self.field.frequency), whole=True)

    def all_of(self, finder: str) -> Iterator[Scored]:
        """All thresholds of a finder, and all cuts of their lists."""
        cuts = CUTS["snr" if finder in PEERS else "score"]
        for threshold, found in self.lists[finder].items():
            yield Scored(finder, threshold, self.score(found))
            for cut in cuts[cuts > threshold + 1e-9]:
                chosen = found.above(cut)
                if len(chosen.rank):
                    yield Scored(finder, threshold, self.score(chosen), float(cut))


def sheet_of(one: Field) -> Sheet:
    """A field with its truth as the challenge lists it, with fluxes as `skysift score` takes them."""
    truth = one.make().truth
    corrected = "primary_beam" in truth.sources
    return Sheet(one, sdc1_truth_rows(truth, apparent=corrected))


def learned(sheet: Sheet, one: Network) -> None:
    """Find on a field with a network: from a low score, as a user does, and so with one look where two are usual."""
    sheet.lists[one.name] = {LEAST: found_by_us(one.finder, sheet.field, **one.fast(threshold=LEAST))}
    sheet.own[one.name] = {"own": found_by_us(one.finder, sheet.field, **one.fast())}
    if one.default("reliability") is not None and "reliability" not in one.options:
        once = found_by_us(one.finder, sheet.field, **one.fast(reliability=None))
        sheet.own[one.name]["own, one look"] = once


def classical(sheet: Sheet, finder: str) -> None:
    """Find on a field with a classical finder at several thresholds."""
    for threshold in THRESHOLDS[finder]:
        if finder == "classic":
            seed = {"seed": threshold, "grow": min(3.0, threshold - 0.5)}
            found = found_by_us("classic", sheet.field, **seed)
        else:
            found = found_by_peer(finder, threshold, sheet.field)
        sheet.lists.setdefault(finder, {})[threshold] = found
