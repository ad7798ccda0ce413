"""Stokes Q, U and V at the places of Stokes I on made skies: bias of the polarised intensity, pulls, what is found in V.

``python -m bench.stokes`` prints tables in Markdown; they are kept in ``bench/stokes.md``.
"""

from __future__ import annotations

import numpy as np
from tests import images, polarised

from skysift.find.run import make_finder, search
from skysift.find.stokes import StokesMaps

SIDE = 60  # places along a side
LEVELS = (0.0, 1.0, 2.0, 3.0, 5.0, 10.0)
V_LEVELS = (4.0, 5.0, 6.0, 7.0, 8.0, 10.0)
BEAM = (6.0, 3.5, 30.0)


def found_in(sky, **options):
    maps = StokesMaps.of({letter: sky.maps[letter] for letter in "QUV"}, sky.maps["I"])
    return search(sky.maps["I"], make_finder("classic", **options), beside=[maps])


def rows_of(table, sky):
    """Row of each true source, and whether it is within a beam."""
    from scipy.spatial import cKDTree

    apart, row = cKDTree(np.stack([table["x"], table["y"]], 1)).query(np.stack([sky.x, sky.y], 1))
    return row, apart < 3.0


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def width(values: np.ndarray) -> float:
    """Half the 16-84 % range."""
    low, high = np.percentile(values, [16, 84])
    return float(high - low) / 2


def intensity(size: float, seed: int) -> list[str]:
    """The bias of the polarised intensity at given S/N, of sources of 100 sigma in Stokes I."""
    shape, x, y = polarised.lattice(SIDE, 30 if size == 0 else 40)
    n = len(x)
    rng = np.random.default_rng(seed)
    level = np.asarray(LEVELS)[np.arange(n) % len(LEVELS)]
    angle = rng.uniform(0, 180, n)
    total = np.full(n, 0.1 if size == 0 else 0.6)
    plain = polarised.sky(shape, x, y, total, size=size, beam_px=BEAM, seed=seed)  # the errors, to scale by
    error = np.median(found_in(plain).catalogue.components["flux_q_err"])
    sky = polarised.sky(
        shape, x, y, total, fraction_p=level * error / total, angle=angle, fraction_v=level * error / total,
        size=size, beam_px=BEAM, seed=seed + 1,
    )  # fmt: skip
    rows = found_in(sky).catalogue.components
    at, good = rows_of(rows, sky)
    p, p_err = rows["flux_p"][at] / error, rows["flux_p_err"][at] / error
    raw = np.hypot(rows["flux_q"][at], rows["flux_u"][at]) / error
    off = ((rows["angle_p"][at] - angle + 90) % 180 - 90) / rows["angle_p_err"][at]
    name = "points" if size == 0 else f"Gaussians of {size:g} px"
    lines = []
    for each in LEVELS:
        some = good & (level == each)
        bias = [f"{values[some].mean() - each:+.3f}" for values in (raw, p)]
        chance = f"{1 / np.sqrt(some.sum()):.3f}"
        widths = (
            f"{width((p[some] - each) / p_err[some]):.2f}",
            "-" if each == 0 else f"{width(off[some]):.2f}",
        )
        lines.append(row(name, f"{each:g}", int(some.sum()), *bias, chance, *widths))
    return lines


def pulls(kind: str, seed: int) -> str:
    """Medians and widths of the pulls of Q, U and V and of V / I."""
    rng = np.random.default_rng(seed)
    if kind == "doubles":
        shape, x, y = polarised.lattice(SIDE // 2, 60)
        x, y = (
            np.concatenate([x, x + rng.uniform(5.5, 8, len(x))]),
            np.concatenate([y, y + rng.uniform(-2, 2, len(y))]),
        )
        size = 0.0
    else:
        size = 0.0 if kind == "points" else 8.0
        shape, x, y = polarised.lattice(SIDE, 30 if size == 0 else 45)
    n = len(x)
    total = 0.04 * 10 ** rng.uniform(0, 1.5, n) * (1 if size == 0 else 5)
    sky = polarised.sky(
        shape, x, y, total, fraction_p=0.1, angle=rng.uniform(0, 180, n), fraction_v=rng.normal(0, 0.1, n), size=size,
        beam_px=BEAM, seed=seed,
    )  # fmt: skip
    rows = found_in(sky).catalogue.components
    at, good = rows_of(rows, sky)
    cells = []
    truths = {f"flux_{letter.lower()}": sky.truth[letter] for letter in "QUV"}
    truths["fraction_v"] = sky.truth["V"] / total
    for name, truth in truths.items():
        pull = ((rows[name][at] - truth) / rows[f"{name}_err"][at])[good]
        pull = pull[np.isfinite(pull)]
        cells.append(f"{np.median(pull):+.2f}, {width(pull):.2f}")
    return row(kind, int(good.sum()), *cells)


def circular(seed: int) -> list[str]:
    """What is found in Stokes V, of both signs, where there is no Stokes I."""
    shape, x, y = polarised.lattice(SIDE, 30)
    n = len(x)
    level = np.asarray(V_LEVELS)[np.arange(n) % len(V_LEVELS)]
    sign = np.where(np.arange(n) // len(V_LEVELS) % 2, 1.0, -1.0)
    few = np.arange(n) % 50 == 0
    sky = polarised.sky(
        shape, x[few], y[few], np.full(few.sum(), 0.1), beam_px=BEAM, seed=seed,
        v_alone=[(a, b, c) for a, b, c in zip(x[~few], y[~few], (sign * level * images.RMS)[~few], strict=True)],
    )  # fmt: skip
    table = found_in(sky).tables["stokes_v"]
    from scipy.spatial import cKDTree

    tree = cKDTree(np.stack([table["x"], table["y"]], 1))
    apart, at = tree.query(np.stack([x, y], 1))
    hit = (apart < 3.0) & (np.sign(table["flux"][at]) == sign) & ~few
    lines = []
    for each in V_LEVELS:
        cells = []
        for one in (1.0, -1.0):
            some = (level == each) & (sign == one) & ~few
            cells.append(f"{hit[some].mean():.3f}")
        some = hit & (level == each)
        pull = (table["flux"][at] - sign * each * images.RMS)[some] / table["flux_err"][at][some]
        lines.append(row(f"{each:g}", int(((level == each) & ~few).sum()), *cells, f"{width(pull):.2f}"))
    false = len(table) - int(hit.sum())
    lines.append(f"\n{false} of {len(table)} components are none of these sources.")
    return lines


def main() -> None:
    """The tables."""
    print("## Polarisation\n")
    print(
        "Made skies in I, Q, U and V, beam 6 x 3.5 px, independent noise: white noise convolved with the beam. "
        "Bias of the polarised intensity in units of its error, for `flux_p` and for the root of "
        "the summed squares; 1 / sqrt(n) is what chance allows.\n"
    )
    print(
        "| sources | true S/N | n | bias without correction | bias of flux_p | chance | width of pulls | of angles |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for size, seed in ((0.0, 11), (8.0, 21)):
        print("\n".join(intensity(size, seed)), flush=True)
    print("\nMedian and width of pulls (measured - true) / error, V / I with the errors of both:\n")
    print("| sources | n | Q | U | V | V / I |\n|---|---|---|---|---|---|")
    for kind, seed in (("points", 31), ("Gaussians of 8 px", 41), ("doubles", 51)):
        print(pulls(kind, seed), flush=True)
    print(
        "\nFound in Stokes V itself (threshold 5 sigma) where there is no Stokes I, by the true peak over the rms:\n"
    )
    print("| S/N | n | positive | negative | width of pulls |\n|---|---|---|---|---|")
    print("\n".join(circular(61)))


if __name__ == "__main__":
    main()
