"""python -m bench.scaling: two threads and two Dask workers against one thread, and what a task costs a scheduler.

Writes bench/scaling.md.
"""

# ruff: noqa: E501, ISC004 -- sentences of the page

import argparse
import os
import pickle
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

from distributed import Client
from tests import clusters, skies
from tests.io.fits_maps import write_map

from bench.peers.machine import machine
from bench.peers.tables import table
from skysift.base.cluster import cluster
from skysift.base.parallel import threads
from skysift.find.run import make_finder, search
from skysift.io.open import open_image

HERE = Path(__file__).resolve().parent
BEAM = (5.0, 4.0, 10.0)  # pixels; what the cards of the made map say
EMPTY = 4000  # tasks that do nothing


def nothing(number):
    return number


def sky(folder: Path, size: int) -> Path:
    """A made map with about as many sources as a deep survey has in so many beams."""
    n = 6000 * size * size // 4096**2
    sources = skies.population(
        (size, size), BEAM, n_points=n, n_extended=n // 10, snr=(3, 5000), rms=1e-3, seed=1
    )
    data, _ = skies.paint((size, size), BEAM, rms=1e-3, sources=sources, seed=1)
    return write_map(folder / f"sky-{size}.fits", data.astype("f4"))


class Counting:
    """An executor that counts tasks and the bytes of tasks and results, by stage in the order of the stages."""

    def __init__(self):
        self.stages = []

    def __call__(self, function, tasks, workers):
        sizes = []
        self.stages.append((len(pickle.dumps(function)), sizes))
        kept = [tasks[i] for i in range(len(tasks))]
        for task, result in zip(kept, threads(function, kept, workers), strict=True):
            sizes.append((len(pickle.dumps(task)), len(pickle.dumps(result))))
            yield result


def cpu(client) -> float:
    """CPU seconds of this process and of the workers of a cluster so far."""
    return time.process_time() + (sum(client.run(time.process_time).values()) if client else 0.0)


def timed(path: Path, workers: int, address: str | None, client) -> tuple[float, float, object]:
    """Wall and CPU seconds of a search, and what it found."""
    image = open_image(path)
    wall, spent = time.perf_counter(), cpu(client)
    found = search(
        image, make_finder("classic"), workers=workers, executor=None if address is None else cluster(address)
    )
    return time.perf_counter() - wall, cpu(client) - spent, found.catalogue


def efficiency(path: Path, small: Path) -> tuple[list[list[object]], dict[str, float]]:
    """Rows of the table, and the measured costs of a scheduler."""
    rows, costs = [], {}
    with clusters.running(2) as address, Client(address, set_as_default=False) as client:
        client.wait_for_workers(2)
        for where in (None, address):
            timed(small, 2, where, client)  # kernels are loaded
        one = None
        for name, workers, where in (
            ("1 thread", 1, None),
            ("2 threads", 2, None),
            ("2 Dask workers", 2, address),
        ):
            runs = [timed(path, workers, where, client) for _ in range(2)]
            wall, spent, catalogue = min(runs, key=lambda run: run[0])
            one = one or (wall, spent, catalogue)
            assert catalogue == one[2]
            ratio = one[0] / (workers * wall)
            rows.append(
                [name, f"{wall:.1f}", f"{spent:.1f}", f"{spent / one[1]:.2f}", f"{100 * ratio:.0f} %"]
            )
        for workers, key in ((2, "short"), (100, "long")):
            begun, busy = time.perf_counter(), client.run_on_scheduler(time.process_time)
            list(cluster(address)(nothing, range(EMPTY), workers))
            costs[f"{key}_rate"] = EMPTY / (time.perf_counter() - begun)
            costs[f"{key}_cpu"] = (client.run_on_scheduler(time.process_time) - busy) / EMPTY
        begun = time.perf_counter()
        for _ in range(5):
            list(cluster(address)(nothing, range(1), 2))
        costs["stage"] = (time.perf_counter() - begun) / 5
    return rows, costs


STAGES = ("noise, first pass", "noise, second pass", "islands", "fits")


def traffic(path: Path) -> tuple[list[list[object]], dict[str, float]]:
    """Rows of the table, and tasks and bytes of a whole run."""
    counting = Counting()
    search(open_image(path), make_finder("classic"), workers=1, executor=counting)
    rows = []
    for name, (function, sizes) in zip(STAGES, counting.stages, strict=True):
        task, result = (statistics.mean(each) / 1e3 for each in zip(*sizes, strict=True))
        biggest = max(result for _, result in sizes) / 1e3
        rows.append(
            [name, len(sizes), f"{function / 1e3:.0f}", f"{task:.1f}", f"{result:.0f}", f"{biggest:.0f}"]
        )
    total = {
        "tasks": sum(len(sizes) for _, sizes in counting.stages),
        "bytes": sum(sum(map(sum, sizes)) for _, sizes in counting.stages),
    }
    return rows, total


def page(size: int, rows, costs, flows, total, spent: float) -> str:
    per_task = spent / total["tasks"]
    dispatch = costs["long_rate"]
    limit = per_task * dispatch
    rate = total["bytes"] / spent
    head = f"{machine()}. A made map of {size} x {size} px, tiles of 1024, no maps written; the better of two runs each."
    return "\n".join(
        [
            "## Threads and clusters\n",
            f"Made by `python -m bench.scaling`. {head}\n",
            table(["workers", "wall s", "CPU s", "CPU against one", "efficiency"], rows),
            "\nEfficiency is the wall time of one thread over that of n workers times n; the catalogues are equal. The "
            "client, the scheduler and the workers share the two cores.\n",
            table(["stage", "tasks", "sent once kB", "task kB", "result kB", "largest result kB"], flows),
            f"\nEmpty tasks: {costs['short_rate']:.0f} a second with 2 workers' tasks ahead, {costs['long_rate']:.0f} with "
            f"those of 100; {1e3 * costs['long_cpu']:.2f} ms of the scheduler's CPU a task. A stage of one task takes "
            f"{costs['stage']:.2f} s: connection, versions of the workers, what is sent once.\n",
            "### What limits 1000 workers\n",
            f"On paper, from these numbers: a run has {total['tasks']} tasks of {1e3 * per_task:.0f} ms of CPU on average. "
            f"One client and scheduler pass on {dispatch:.0f} tasks a second, so with such tasks they keep about "
            f"{limit:.0f} workers busy; 1000 workers need tasks of {1000 / dispatch:.1f} s: larger tiles, and more "
            f"objects to a read in the fits. Tasks and results are "
            f"{total['bytes'] / 1e6:.1f} MB for {spent:.0f} CPU s: {rate / 1e3:.0f} kB/s a worker, "
            f"{1000 * rate / 1e6:.0f} MB/s into one client for 1000. The map must be large enough, too: 1000 workers with 4 tasks each ahead are {4000 / max(flows[2][1], 1):.0f} maps of this size "
            f"in the stage of the islands. What one process does between the stages (joining fragments, grouping, "
            f"writing tables) does not shrink with workers. First limit: the rate of tasks.\n",
        ]
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096, help="pixels on a side of the made map")
    size = parser.parse_args().size
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        path, small = (partial(sky, Path(folder))(n) for n in (size, 512))
        rows, costs = efficiency(path, small)
        flows, total = traffic(path)
    (HERE / "scaling.md").write_text(page(size, rows, costs, flows, total, float(rows[0][2])))
    print((HERE / "scaling.md").read_text())


if __name__ == "__main__":
    main()
