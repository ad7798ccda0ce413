"""python -m bench.spectra: indices from channels and from Taylor terms of made skies, beside the truth.

Writes bench/spectra.md. Each sky is made at every frequency of its band, with noise of its own in every channel:
for channels eight maps with beams that shrink with frequency, for Taylor terms the polynomial of least squares
through 32 narrow channels of a band that is not centred on the reference frequency.
"""

import resource
from itertools import pairwise
from pathlib import Path

import numpy as np
from tests import skies
from tests.find import spectral_skies as made

from bench.peers.machine import machine
from bench.peers.tables import table
from skysift.find.channels import Channels
from skysift.find.run import make_finder, search
from skysift.find.taylor import TaylorTerms

HERE = Path(__file__).resolve().parent
SIZE, SEEDS = 1000, (11, 12, 13, 14)
BINS = (10, 20, 50, 200, np.inf)
CHANNELS = np.linspace(0.85e9, 1.65e9, 8)
TERMS, BAND = 32, (0.8, 1.3)


def sky(seed):
    """Isolated points and extended sources, and their indices."""
    found = skies.population(
        (SIZE, SIZE), (4.0, 4.0, 0.0), n_points=240, n_extended=120, rms=1e-3, snr=(8, 5000), slope=1.5, lattice=50,
        margin=25, by_peak=True, seed=seed,
    )  # fmt: skip
    return found, skies.generator(seed, "indices").normal(-0.7, 0.4, len(found))


def channels(seed):
    """What channels of beams from 5.9 to 4 pixels tell, and the truth."""
    found, alpha = sky(seed)
    planes = tuple(
        made.channel(
            found,
            alpha,
            nu,
            size=SIZE,
            rms=2e-3,
            seed=100 * seed + k,
            beam_px=(5.4 * made.REFERENCE / nu, 4.2 * made.REFERENCE / nu, 30.0),
        )
        for k, nu in enumerate(CHANNELS)
    )
    image = made.channel(found, alpha, made.REFERENCE, size=SIZE, seed=seed)
    return search(image, make_finder("classic"), beside=[Channels(planes)]), found, alpha


def taylor(seed, terms, spare):
    """What the first of so many Taylor terms and spare ones tell, and the truth."""
    found, alpha = sky(seed)
    maps = made.taylor(
        found, alpha, terms=terms, n=TERMS, size=SIZE, rms=4e-3, seed=seed, band=BAND, spare=spare
    )
    options = {"taylor_band": tuple(made.REFERENCE * each for each in BAND), "taylor_terms": terms + spare}
    finder = make_finder("classic", **options)
    return search(maps[0], finder, beside=[TaylorTerms(tuple(maps[1:]))]), found, alpha


def rows(name, runs):
    """Lines of the table: bias, scatter and pulls in bins of S/N, points and extended sources apart."""
    parts = []
    for finding, found, alpha in runs:
        components = finding.catalogue.components
        mine, theirs = made.paired(components, found)
        parts.append(
            np.stack(
                [
                    components["spectral_index"][mine] - alpha[theirs],
                    components["spectral_index_err"][mine],
                    components["spectral_index_trunc_err"][mine]
                    if "spectral_index_trunc_err" in components
                    else np.zeros(len(mine)),
                    np.abs(components["snr"][mine]),
                    found["kind"][theirs] == "point",
                ]
            )
        )
    off, err, wrong, snr, point = np.concatenate(parts, axis=1)
    lines = []
    for kind, of_kind in (("points", point > 0), ("extended", point == 0)):
        for low, high in pairwise(BINS):
            some = of_kind & (snr >= low) & (snr < high) & np.isfinite(off)
            if some.sum() < 10:
                continue
            pull = off[some] / err[some]
            low_pull, high_pull = np.percentile(pull, (15.865, 84.135))
            weight = 1.0 / err[some] ** 2
            lines.append(
                [
                    name,
                    kind,
                    f"{low}-{high}" if np.isfinite(high) else f">{low}",
                    int(some.sum()),
                    f"{np.median(off[some]):+.4f}",
                    f"{(weight * off[some]).sum() / weight.sum():+.4f} ± {1 / np.sqrt(weight.sum()):.4f}",
                    f"{np.median(err[some]):.4f}",
                    f"{np.mean(pull):+.2f}",
                    f"{np.std(pull):.2f}",
                    f"{0.5 * (high_pull - low_pull):.2f}",
                    f"{np.median(wrong[some]):.4f}",
                    f"{np.sqrt(np.mean((off[some] / np.hypot(err[some], wrong[some])) ** 2)):.2f}",
                ]
            )
    return lines


def main():
    """The command line."""
    lines = []
    for name, make in (
        ("8 channels", channels),
        ("tt0, tt1", lambda seed: taylor(seed, 2, 2)),
        ("tt0, tt1, tt2", lambda seed: taylor(seed, 3, 2)),
        ("tt0, tt1 of 2 terms", lambda seed: taylor(seed, 2, 0)),
    ):
        lines += rows(name, [make(seed) for seed in SEEDS])
        print("\n".join(" | ".join(map(str, line)) for line in lines), flush=True)
    cpu = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    head = [
        "maps", "sources", "S/N", "n", "median off", "mean off, weighted", "error",
        "mean pull", "std of pulls", "68 % half width", "error of the end", "rms of pulls with it",
    ]  # fmt: skip
    text = f"""## Spectral indices

`python -m bench.spectra`: {len(SEEDS)} skies of {SIZE} x {SIZE} px, each with 240 points and 120 extended sources,
indices -0.7 ± 0.4. Channels: 0.85 to 1.65 GHz, beams from 7.6 x 5.9 to 3.9 x 3.1 px, brought to the common one. Taylor
terms: the polynomial of two terms more, or of as many ("of 2 terms"), through {TERMS} channels, 0.8 to 1.3 times the
reference frequency; what it leaves of a power law is `spectral_index_trunc_err` ("error of the end"). S/N is that of
the component in the searched map.
{machine()}; {cpu:.0f} CPU s with the making of the skies.

{table(head, lines)}"""
    (HERE / "spectra.md").write_text(text)


if __name__ == "__main__":
    main()
