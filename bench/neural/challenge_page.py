"""The tables of the challenge score: best thresholds, 5 sigma, 99 % purity, angles, and against the best peer."""

import numpy as np

from bench.neural.challenge import PURE, STEEP, Scored, Sheet
from bench.neural.finders import LEAST, NAMES, PEERS
from bench.peers.tables import table

HEAD = ["finder", "threshold", "N_det", "N_match", "purity", "mean", "M_s", "over best peer"]
CHANCE = 0.72  # what random angles earn in the challenge
RULE = """
Fields of `skysift simulate continuum` like those of SKA Data Challenge 1 with seeds that nothing was trained on ({seeds};
{size} x {size} px, fluxes from 0.1 uJy), noise of three widths of its kernel. Official score on the whole field; class
and core fraction are the challenge's best constants for every finder ("own core": the core fractions that the network
tells). Thresholds of the peers: runs at 5, 4, 3.5 and 3 sigma (PyBDSF, Aegean: 5 and 3), each list also cut at higher
S/N; a network is run once from a score of {least:g} and its list cut. "Best" is the threshold with the highest M_s,
chosen on that field, for everybody; "own" is what a user gets: the threshold of the card. PyBDSF: its list of sources;
sep: isophotal axes.
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


def own_of(sheet: Sheet, finder: str, threshold: float) -> Scored:
    """A network's list at the threshold of its card."""
    return Scored(finder, threshold, sheet.score(sheet.lists[finder][LEAST].above(threshold)))


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


def by_field(sheet: Sheet, ours: dict[str, float]) -> str:
    """All finders on one field; `ours` are names of networks and the thresholds of their cards."""
    best = {p: best_of(sheet, p) for p in PEERS}
    five = {p: at_five(sheet, p) for p in PEERS}
    top, top_five = (max(each.value for each in some.values()) for some in (best, five))
    rows = [line(best[p], top) for p in PEERS] + [line(five[p], top_five) for p in PEERS]
    for name, threshold in ours.items():
        mine = best_of(sheet, name)
        rows.append(line(mine, top, f"**{name}**, best"))
        rows.append(line(own_of(sheet, name, threshold), top, f"{name}, own"))
        told = sheet.lists[name][LEAST].above(mine.cut if np.isfinite(mine.cut) else LEAST).as_told
        rows.append(line(Scored(name, mine.threshold, sheet.score(told), mine.cut), top, f"{name}, own core"))
    return table(HEAD, rows)


def pure_table(sheets: list[Sheet], ours: dict[str, float]) -> str:
    """The lists of 99 % purity: matches and what they earn."""
    rows = []
    for name in (*PEERS, *ours):
        found = [pure_of(sheet, name) for sheet in sheets]
        rows.append(
            [
                NAMES.get(name, name),
                *("-" if p is None else f"{p.score.n_match}, {p.mean:.3f}" for p in found),
            ]
        )
    return table(["finder", *(sheet.field.label for sheet in sheets)], rows)


def angle_table(sheets: list[Sheet], ours: dict[str, float]) -> str:
    """What angles of resolved sources earn."""
    rows = [[NAMES.get(name, name), *(angles(sheet, name) for sheet in sheets)] for name in (*PEERS, *ours)]
    return table(["finder", *(sheet.field.label for sheet in sheets)], rows)


def ratios(sheets: list[Sheet], ours: dict[str, float]) -> str:
    """Each network against the aims, field by field."""
    rows = []
    for name, threshold in ours.items():
        values: list[list[float]] = []
        for sheet in sheets:
            mine = best_of(sheet, name)
            top = max(best_of(sheet, p).value for p in PEERS)
            other = max(best_of(sheet, p).value for p in PEERS if p != "classic")
            five = max(at_five(sheet, p).value for p in PEERS)
            pure = pure_of(sheet, name)
            own = own_of(sheet, name, threshold).value
            over = [
                a / b if b > 0.0 else np.nan
                for a, b in ((mine.value, top), (mine.value, other), (own, top), (mine.value, five))
            ]
            values.append([*over, mine.mean, np.nan if pure is None else pure.mean])
        for k, (what, aim) in enumerate(AIMS):
            column = [each[k] for each in values]
            met = "-" if aim is None else "yes" if all(value >= aim for value in column) else "**no**"
            rows.append(
                [name, what, "-" if aim is None else f">= {aim:g}", *(f"{v:.2f}" for v in column), met]
            )
    return table(["network", "what", "aim", *(sheet.field.label for sheet in sheets), "met on all"], rows)


AIMS = (
    ("M_s over the best peer's, best thresholds", 1.3),
    ("the same without `classic`", None),
    ("M_s at its own threshold over the best peer's best", None),
    ("M_s over the best peer's at 5 sigma", 1.6),
    ("mean score of a match", 0.82),
    ("mean score of a match at 99 % purity", 0.83),
)


def challenge_section(sheets: list[Sheet], ours: dict[str, float]) -> str:
    """The whole section."""
    seeds = f"{sheets[0].field.seed}-{sheets[-1].field.seed}"
    told = RULE.format(seeds=seeds, size=sheets[0].field.size, least=LEAST)
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
