"""python -m bench.extended: made skies of extended sources, the finders on them, and the page bench/extended.md.

Maps and catalogues stay in bench/data. Ours run every time, PyBDSF where its catalogue is not there yet.
"""

import argparse
import subprocess
from pathlib import Path

from bench.extended.methods import methods
from bench.extended.page import Results, page
from bench.extended.skies import DEVELOPMENT, FIELDS, TEST, skies

HERE = Path(__file__).resolve().parents[1]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1500, help="pixels on a side of each map")
    parser.add_argument("--maps", type=int, default=3, help="maps of each kind")
    parser.add_argument("--first", type=int, default=None, help="first seed; 1 by default, 101 with --final")
    parser.add_argument("--final", action="store_true", help="seeds from 101, which nobody develops on")
    parser.add_argument("--kinds", default=",".join(FIELDS), help="kinds of skies")
    parser.add_argument(
        "--finder",
        action="append",
        metavar="NAME[:OPTION=VALUE,...]",
        help="instead of all; also threshold, bdsf, bdsf-constant",
    )
    parser.add_argument("--only-write", action="store_true", help="score what has been run before")
    parser.add_argument("--out", type=Path, default=None, help="bench/extended.md where all finders run")
    arguments = parser.parse_args()
    kinds = arguments.kinds.split(",")
    first = arguments.first or (TEST if arguments.final else DEVELOPMENT)
    chosen = methods(arguments.finder)
    if any(each.finder == "bdsf" for each in chosen):
        subprocess.run([str(HERE / "venvs.sh"), "bdsf"], check=True)
    fields = skies(kinds, first, arguments.maps, arguments.size)
    for sky in fields:
        sky.make()
    if not arguments.only_write:
        for method in {each.name: each for each in chosen if each.finder != "bdsf"}.values():
            method.warm_up()
            for sky in fields:
                method.run(sky, again=True)
    text = page(Results(fields, chosen), arguments.final)
    out = arguments.out or (None if arguments.finder else HERE / "extended.md")
    if out is None:
        print(text)
    else:
        out.write_text(text)
        print(f"written: {out}")


if __name__ == "__main__":
    main()
