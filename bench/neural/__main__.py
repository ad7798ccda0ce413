"""python -m bench.neural: networks beside classical finders, and the page bench/neural.md.

Maps, and the catalogues of the other finders, stay in bench/data; parts that are not run keep their text of the page.
"""

import argparse
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

from bench.neural import skies
from bench.neural.ceiling import ceiling_section
from bench.neural.challenge import Sheet, classical, learned, sheet_of
from bench.neural.challenge_page import challenge_section
from bench.neural.classes import classes_section, scenes
from bench.neural.cost import cost_section
from bench.neural.finders import PEERS
from bench.neural.gpu import gpu_section
from bench.neural.networks import Network, network
from bench.neural.real import real_section
from bench.neural.reliability import reliability_section
from bench.peers.machine import machine

HERE = Path(__file__).resolve().parents[1]
TITLES = (
    "Fields of SKA Data Challenge 1", "The ensemble above its members", "Longer training, wider networks",
    "Ways to join, tried", "What a perfect finder could have", "Five classes on made scenes",
    "Real maps", "Reliability", "Cost", "On a GPU",
)  # fmt: skip
ORDER = ("challenge", "ceiling", "classes", "real", "reliability", "cost", "gpu")


@cache
def classical_sheets(size: int, peers: tuple[str, ...]) -> list[Sheet]:
    """The fields with what classical finders find on them."""
    others = [name for name in peers if name != "classic"]
    if others:
        subprocess.run([str(HERE / "venvs.sh"), *others], check=True)
    sheets = []
    for field in skies.fields(size):
        sheet = sheet_of(field)
        for finder in peers:
            classical(sheet, finder)
        print(field.name, flush=True)
        sheets.append(sheet)
    return sheets


def challenge(arguments: argparse.Namespace, networks: list[Network]) -> str:
    """Part a."""
    sheets = classical_sheets(arguments.size, tuple(arguments.peers))
    for sheet in sheets:
        for one in networks:
            learned(sheet, one)
            print(sheet.field.name, one.name, flush=True)
    return challenge_section(sheets, [one.name for one in networks])


def ceiling(arguments: argparse.Namespace, networks: list[Network]) -> str:
    """What a perfect finder could have in part a."""
    return ceiling_section(classical_sheets(arguments.size, tuple(arguments.peers)))


def classes(arguments: argparse.Namespace, networks: list[Network]) -> str:
    """Part b."""
    made = [[scene.make() for scene in scenes(arguments.scenes, 768, rich)] for rich in (False, True)]
    return classes_section(*made, networks)


def real(arguments: argparse.Namespace, networks: list[Network]) -> str:
    """Part c."""
    return real_section(networks)


def reliability(arguments: argparse.Namespace, networks: list[Network]) -> str:
    """What the look at maps upside down tells, of networks that take it."""
    return reliability_section([one for one in networks if one.default("reliability") is not None])


def cost(arguments: argparse.Namespace, networks: list[Network]) -> str:
    """Part d."""
    sides = (2048, 4096, 32768) if arguments.large else (2048, 4096)
    return cost_section(skies.fields(arguments.size)[1], networks[:1], sides)


def gpu(arguments: argparse.Namespace, networks: list[Network]) -> str:
    """Part e."""
    return gpu_section(skies.fields(arguments.size)[1], networks[:1])


PARTS: dict[str, Callable[[argparse.Namespace, list[Network]], str]] = {
    "challenge": challenge, "ceiling": ceiling, "classes": classes, "real": real,
    "reliability": reliability, "cost": cost, "gpu": gpu,
}  # fmt: skip


def page(path: Path, made: dict[str, str]) -> str:
    """The page with the parts that were made; other parts keep their text."""
    _, *old = path.read_text().split("\n### ") if path.exists() else [""]
    parts = {each.splitlines()[0].strip(): each.partition("\n")[2].strip() for each in old}
    for text in made.values():
        head, _, body = text.strip().removeprefix("### ").partition("\n")
        parts[head.strip()] = body.strip()
    order = sorted(parts, key=lambda name: TITLES.index(name) if name in TITLES else len(TITLES))
    head = f"## Learned finders\n\nMade by `python -m bench.neural`; {machine()}.\n"
    return "\n".join([head, *(f"### {name}\n\n{parts[name]}\n" for name in order)])


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
    parser.add_argument(
        "--peers", nargs="+", default=list(PEERS), choices=PEERS,
        help="classical finders of the challenge; those of other projects are installed first",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=HERE / "neural.md")
    arguments = parser.parse_args()
    networks = [network(each) for each in arguments.weights]
    for name in arguments.only or ORDER:
        made = PARTS[name](arguments, networks)
        arguments.out.write_text(page(arguments.out, {name: made}))
        print(f"measured: {name}; written: {arguments.out}", flush=True)


if __name__ == "__main__":
    main()
