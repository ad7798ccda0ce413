"""python -m bench.peers [make|peers|ours|score] [--size N]: paint the skies, run the finders, score them."""

import argparse
import subprocess

from bench.peers import run
from bench.peers.fields import compared_fields, extended_fields, noise_fields


def make(size: int) -> None:
    """Paint all skies."""
    for field in compared_fields(size) + extended_fields(size) + noise_fields(size):
        field.make()


def peers(size: int) -> None:
    """Run the other finders where their catalogues are not there yet."""
    subprocess.run([str(run.HERE.parent / "venvs.sh")], check=True)
    for field in compared_fields(size) + extended_fields(size):
        for peer in run.PEERS:
            run.run_peer(peer, field.make())


def ours(size: int) -> None:
    """Run skysift on all skies."""
    compared = compared_fields(size) + extended_fields(size)
    run.warm_up(compared[0].make())
    for field in compared:
        for mine in run.OURS:
            run.run_ours(mine, field.make())
    for field in noise_fields(size):
        run.run_ours(run.OURS[0], field.make())
    run.run_extras(compared[0])


def score(size: int) -> None:
    """Print the tables."""
    from bench.peers.tables import Comparison, tables

    print(tables(Comparison(size)))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=["make", "peers", "ours", "score", []], default=[])
    parser.add_argument("--size", type=int, default=4096, help="pixels on a side of each sky")
    arguments = parser.parse_args()
    for name in arguments.what or ["make", "peers", "ours", "score"]:
        {"make": make, "peers": peers, "ours": ours, "score": score}[name](arguments.size)


if __name__ == "__main__":
    main()
