"""python -m bench: run everything and write bench/RESULTS.md.

The other finders' catalogues are kept between runs, in bench/data.
"""

import argparse
from pathlib import Path

from bench.peers.__main__ import make, ours, peers

HERE = Path(__file__).resolve().parent
SKIES = """
Made skies: beams of 4 px (round) and 6 x 3.5 px at 30 deg; noise either white noise convolved with the
beam or noise whose autocorrelation is the beam; 6000 points with dN/dS ~ S^-1.8 from 3 to 5000 sigma and
600 elliptical Gaussians (deconvolved 5-20 px), half of the maps also with 300 doubles and 100 discs:
eight maps, each with its own seed. Beside them four maps of 3600 isolated extended sources ("many
extended", pulls; thresholds from the eight), and sixteen of noise alone. S/N is the true convolved peak
over the true rms. A match lies within half the geometric mean of the convolved FWHM, one to one; a false
detection has no true source, however faint, within that radius; a duplicate is left over by the one-to-
one match.
"""


def results(size: int) -> str:
    """The page: machine, aims, tables, real maps, and the notes beside it."""
    from bench import real
    from bench.peers.aims import aims
    from bench.peers.machine import machine, versions
    from bench.peers.tables import Comparison, table, tables

    c = Comparison(size)
    names = (
        "made",
        "corrected",
        "galactic",
        "match",
        "scaling",
        "large",
        "forced",
        "spectra",
        "stokes",
        "extended",
        "shapes",
        "morphology",
        "joining",
        "reliability",
        "neural",
        "cubes",
        "archive",
        "load",
        "stamps",
        "pretraining",
        "features",
        "made_classes",
        "real_spurious",
        "snr",
        "explore",
        "notes",
    )
    pages = [HERE / f"{name}.md" for name in names]
    head = (
        f"Made by `make bench`. {machine()}. One process, one BLAS thread, one worker; {size} x {size} px.\n"
    )
    parts = ["# Measurements\n", head, table(["finder", "versions"], [list(v) for v in versions()]), SKIES]
    parts += ["## Aims\n", aims(c), "## Made skies\n", tables(c), "## Real maps\n", real.report()]
    parts += [page.read_text() for page in pages if page.exists()]
    return "\n".join(parts).rstrip() + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096, help="pixels on a side of each made sky")
    parser.add_argument("--only-write", action="store_true", help="score what has been run before")
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    arguments = parser.parse_args()
    if not arguments.only_write:
        for part in (make, peers, ours):
            part(arguments.size)
    arguments.out.write_text(results(arguments.size))
    print(f"written: {arguments.out}")


if __name__ == "__main__":
    main()
