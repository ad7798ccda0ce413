"""The tables of the challenge score: best thresholds, 5 sigma, 99 % purity, angles, and against the best peer."""

from collections.abc import Sequence

import numpy as np

from bench.neural.challenge import PURE, STEEP, Scored, Sheet
from bench.neural.finders import LEAST, NAMES
from bench.peers.tables import table

HEAD = ["finder", "threshold", "N_det", "N_match", "purity", "mean", "M_s", "over best peer"]
CHANCE = 0.72  # what random angles earn in the challenge
RULE = """
Fields of `skysift simulate continuum` like those of SKA Data Challenge 1 with seeds that nothing was trained on ({seeds};
{size} x {size} px, fluxes from 0.1 uJy), noise of three widths of its kernel. Official score on the whole field; class
and core fraction are the challenge's best constants for every finder ("own core": the core fractions that the network
tells). Thresholds of the peers: runs at 5, 4, 3.5 and 3 sigma (PyBDSF, Aegean: 5 and 3), each list also cut at higher
S/N; a network is run from a score of {least:g} and its list cut. "Best" is the threshold with the highest M_s,
chosen on that field, for everybody; "own" is what a user gets, a run at the threshold of the card; "one look" the same
without the look at the map upside down (`reliability=null`). PyBDSF: its list of sources; sep: isophotal axes. Run here:
{peers}.
"""


def line(one: Scored, best: float, name: str = "") -> list[str]:
    """One row of a table."""
    s = one.score
    ratio = f"{one.value / best:.2f}" if best > 0 else "-"
    return [name or NAMES.get(one.finder, one.finder), one.told, str(s.n_det), str(s.n_match), f"{one.purity:.3f}",
            f"{one.mean:.3f}", f"{one.value:.0f}", ratio]  # fmt: skip


def best_of(sheet: Sheet, finder: str) -> Scored:
    """The threshold that earns most."""
    return max(sheet.all_of(finder), key=lambda each: each.value)


def at_five(sheet: Sheet, finder: str) -> Scored:
    """A peer's list at 5 sigma."""
    return Scored(finder, 5.0, sheet.score(sheet.lists[finder][5.0]))


def pure_of(sheet: Sheet, finder: str) -> Scored | None:
    """The longest list that is pure."""
    pure = [each for each in sheet.all_of(finder) if each.purity >= PURE]
    return max(pure, key=lambda each: each.score.n_match) if pure else None


def own_of(sheet: Sheet, finder: str, run: str = "own") -> Scored | None:
    """What a user of a network gets; None where there is no such run of it."""
    found = sheet.own[finder].get(run)
    return None if found is None else Scored(finder, found.threshold, sheet.score(found))


def angles(sheet: Sheet, finder: str) -> str:
    """What the angles of resolved sources earned, and of how many: axes longer than the beam, not steep AGN."""
    s = best_of(sheet, finder).score
    true, beam = sheet.true, sheet.field.truth.beam
    row = s.matches.right
    long = (np.asarray(true["b_maj"])[row] > beam.major) & (np.asarray(true["size"])[row] != STEEP)
    earned = s.terms["pa"][long]
    return (
        f"{earned.mean():.2f} +- {earned.std() / np.sqrt(len(earned)):.2f} ({len(earned)})"
        if len(earned)
        else "-"
    )


def by_field(sheet: Sheet, ours: Sequence[str]) -> str:
    """All finders on one field; `ours` are names of networks."""
    peers = sheet.peers
    best = {p: best_of(sheet, p) for p in peers}
    five = {p: at_five(sheet, p) for p in peers}
    top, top_five = (max(each.value for each in some.values()) for some in (best, five))
    rows = [line(best[p], top) for p in peers] + [line(five[p], top_five) for p in peers]
    for name in ours:
        mine = best_of(sheet, name)
        rows.append(line(mine, top, f"**{name}**, best"))
        for run in sheet.own[name]:
            own = own_of(sheet, name, run)
            rows += [] if own is None else [line(own, top, f"{name}, {run}")]
        told = sheet.lists[name][LEAST].above(mine.cut if np.isfinite(mine.cut) else LEAST).as_told
        rows.append(line(Scored(name, mine.threshold, sheet.score(told), mine.cut), top, f"{name}, own core"))
    return table(HEAD, rows)


def pure_table(sheets: list[Sheet], ours: Sequence[str]) -> str:
    """The lists of 99 % purity: matches and what they earn."""
    rows = []
    for name in (*sheets[0].peers, *ours):
        found = [pure_of(sheet, name) for sheet in sheets]
        rows.append(
            [
                NAMES.get(name, name),
                *("-" if p is None else f"{p.score.n_match}, {p.mean:.3f}" for p in found),
            ]
        )
    return table(["finder", *(sheet.field.label for sheet in sheets)], rows)


def angle_table(sheets: list[Sheet], ours: Sequence[str]) -> str:
    """What angles of resolved sources earn."""
    rows = [
        [NAMES.get(name, name), *(angles(sheet, name) for sheet in sheets)]
        for name in (*sheets[0].peers, *ours)
    ]
    return table(["finder", *(sheet.field.label for sheet in sheets)], rows)


def ratios(sheets: list[Sheet], ours: Sequence[str]) -> str:
    """Each network against the aims, field by field."""
    rows = []
    for name in ours:
        values: list[list[float]] = []
        for sheet in sheets:
            mine = best_of(sheet, name)
            top = max(best_of(sheet, p).value for p in sheet.peers)
            other = max((best_of(sheet, p).value for p in sheet.peers if p != "classic"), default=np.nan)
            five = max(at_five(sheet, p).value for p in sheet.peers)
            pure = pure_of(sheet, name)
            own, once = (own_of(sheet, name, run) for run in ("own", "own, one look"))
            pairs = [(mine.value, top), (mine.value, other), (own.value if own else np.nan, top)]
            pairs += [(once.value if once else np.nan, top), (mine.value, five)]
            over = [a / b if b > 0.0 else np.nan for a, b in pairs]
            values.append([*over, mine.mean, np.nan if pure is None else pure.mean])
        for k, (what, aim) in enumerate(AIMS):
            column = [each[k] for each in values]
            met = "-" if aim is None else "yes" if all(value >= aim for value in column) else "**no**"
            rows.append([name, what, "-" if aim is None else f">= {aim:g}", *(_told(v) for v in column), met])
    return table(["network", "what", "aim", *(sheet.field.label for sheet in sheets), "met on all"], rows)


def _told(value: float) -> str:
    """A number of the table; a dash where there is none."""
    return f"{value:.3f}" if np.isfinite(value) else "-"


AIMS = (
    ("M_s over the best peer's, best thresholds", 1.3),
    ("the same without `classic`", None),
    ("M_s of what a user gets over the best peer's best", None),
    ("the same with one look", None),
    ("M_s over the best peer's at 5 sigma", 1.6),
    ("mean score of a match", 0.82),
    ("mean score of a match at 99 % purity", 0.83),
)


def challenge_section(sheets: list[Sheet], ours: Sequence[str]) -> str:
    """The whole section."""
    seeds = f"{sheets[0].field.seed}-{sheets[-1].field.seed}"
    told = RULE.format(
        seeds=seeds,
        size=sheets[0].field.size,
        least=LEAST,
        peers=", ".join(NAMES.get(p, p) for p in sheets[0].peers),
    )
    parts = ["### Fields of SKA Data Challenge 1\n", told, "#### Aims\n", ratios(sheets, ours)]
    for sheet in sheets:
        parts += [f"#### {sheet.field.label}\n", "First the peers at their best, then at 5 sigma.\n"]
        parts.append(by_field(sheet, ours))
    parts += ["#### 99 % purity: matches, mean score\n", pure_table(sheets, ours)]
    parts += [
        f"#### Angles of sources longer than the beam (random ones earn {CHANCE}; number in brackets)\n",
        angle_table(sheets, ours),
    ]
    return "\n".join(parts)
