"""python -m bench.neural: networks beside classical finders, and the page bench/neural.md.

Maps, and the catalogues of the other finders, stay in bench/data; parts that are not run keep their text.
"""

import argparse
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench.neural import skies
from bench.neural.challenge import classical, sheet_of
from bench.neural.challenge_page import challenge_section
from bench.neural.classes import classes_section, scenes
from bench.neural.cost import cost_section
from bench.neural.finders import LEAST, NAMES, PEERS, found_by_us
from bench.neural.gpu import gpu_section
from bench.neural.networks import Network, network
from bench.neural.real import real_section
from bench.peers.machine import machine

HERE = Path(__file__).resolve().parents[1]
KEPT = skies.DATA / "neural"
ORDER = ("challenge", "classes", "real", "cost", "gpu")


def challenge(arguments: argparse.Namespace, networks: list[Network]) -> str:
    """Part a."""
    subprocess.run([str(HERE / "venvs.sh"), *NAMES, "sep"], check=True)
    sheets = []
    for field in skies.fields(arguments.size):
        sheet = sheet_of(field)
        for finder in PEERS:
            classical(sheet, finder)
        for one in networks:
            options = one.fast(threshold=LEAST)
            sheet.lists[one.name] = {LEAST: found_by_us(one.finder, field, **options)}
        print(field.name, flush=True)
        sheets.append(sheet)
    return challenge_section(sheets, {one.name: one.threshold for one in networks})


def classes(arguments: argparse.Namespace, networks: list[Network]) -> str:
    """Part b."""
    made = [[scene.make() for scene in scenes(arguments.scenes, 768, rich)] for rich in (False, True)]
    return classes_section(*made, networks)


def real(arguments: argparse.Namespace, networks: list[Network]) -> str:
    """Part c."""
    return real_section(networks)


def cost(arguments: argparse.Namespace, networks: list[Network]) -> str:
    """Part d."""
    sides = (2048, 4096, 32768) if arguments.large else (2048, 4096)
    return cost_section(skies.fields(arguments.size)[1], networks[:1], sides)


def gpu(arguments: argparse.Namespace, networks: list[Network]) -> str:
    """Part e."""
    return gpu_section(skies.fields(arguments.size)[1], networks[:1])


PARTS: dict[str, Callable[[argparse.Namespace, list[Network]], str]] = {
    "challenge": challenge, "classes": classes, "real": real, "cost": cost, "gpu": gpu,
}  # fmt: skip


def page(networks: list[Network]) -> str:
    """The page, of the parts that were run at any time."""
    told = ["## Learned finders\n", f"Made by `python -m bench.neural`; {machine()}.\n"]
    paths = [KEPT / f"{name}.md" for name in ORDER]
    told += [path.read_text() for path in paths if path.exists()]
    return "\n".join(told).rstrip() + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=ORDER, help="run this part; may be given again")
    parser.add_argument(
        "--weights", nargs="+", default=["yolo"], metavar="NETWORK",
        help="FILE.safetensors, a name of weights, or [LABEL=]FINDER[:OPTION=VALUE,...]; the first draws the figures",
    )  # fmt: skip
    parser.add_argument(
        "--size", type=int, default=1024, help="pixels on a side of the fields of the challenge"
    )
    parser.add_argument(
        "--scenes", type=int, default=20, help="number of scenes with five classes, of either kind"
    )
    parser.add_argument("--large", action="store_true", help="the cost of a map of 32768 px, too")
    parser.add_argument("--only-write", action="store_true", help="put together what was run before")
    parser.add_argument("--out", type=Path, default=HERE / "neural.md")
    arguments = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    networks = [] if arguments.only_write else [network(each) for each in arguments.weights]
    for name in () if arguments.only_write else arguments.only or ORDER:
        (KEPT / f"{name}.md").write_text(PARTS[name](arguments, networks))
        print(f"measured: {name}", flush=True)
    arguments.out.write_text(page(networks))
    print(f"written: {arguments.out}")


if __name__ == "__main__":
    main()
