"""What a network costs on a GPU: the network alone by how many windows it gets at once, and a whole search."""

import cProfile
import os
import pstats
import time
from pathlib import Path

import numpy as np
import torch

from bench.neural.cost import PARTS, tiled
from bench.neural.networks import Network
from bench.neural.skies import Field
from bench.peers.tables import table
from skysift.find.neural.known import detector_of
from skysift.find.neural.windows import WINDOW
from skysift.find.run import make_finder, search
from skysift.io.open import open_image
from skysift.learn.checkpoint import load_into
from skysift.learn.hub import weights_of
from skysift.sky.box import Box

BATCHES = (1, 4, 16, 64)
REPEATS = 20
KINDS = (("float32", None), ("bfloat16", torch.bfloat16), ("float16", torch.float16))
RULE = """
{device}, torch {torch}. The network alone: windows of {window} px that lie on the GPU, answers that stay there, median of
{repeats} runs between events of the device. A window counts with all of its pixels.
"""
WHOLE = """
A whole search of a field of {label} repeated to {side} px on a side, {density} true objects per Mpix, loaded and
compiled; the network gets one window at a time from each worker (thread of this process; {cores} cores).
"""


def rates(one: Network, field: Field) -> list[list[str]]:
    """Mpix/s of the network alone: a row a precision, a column a number of windows."""
    weights = weights_of(str(one.options.get("weights") or one.default("weights")))
    detector = detector_of(weights)
    net = detector.net()
    load_into(net, weights)
    net = net.to("cuda", memory_format=torch.channels_last).eval()
    image = open_image(str(field.make().path))
    pixels = image.read(Box(0, WINDOW, 0, WINDOW))
    z = np.asarray(pixels / np.nanstd(pixels), np.float32)
    given = detector.inputs(z, np.array([1.0, 0.0, 1.0]))
    torch.backends.cudnn.benchmark = True
    rows = []
    for name, kind in KINDS:
        row = [one.name, name]
        for n in BATCHES:
            inputs = [torch.from_numpy(np.repeat(each, n, axis=0)).cuda() for each in given.values()]
            inputs = [
                each.to(memory_format=torch.channels_last) if each.ndim == 4 else each for each in inputs
            ]
            seconds = []
            with torch.inference_mode(), torch.autocast("cuda", dtype=kind, enabled=kind is not None):
                for _ in range(REPEATS + 3):
                    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                    begin.record()
                    net(*inputs)
                    end.record()
                    torch.cuda.synchronize()
                    seconds.append(begin.elapsed_time(end) / 1e3)
            row.append(f"{n * WINDOW**2 / 1e6 / np.median(seconds[3:]):.0f}")
        rows.append(row)
    return rows


def searches(one: Network, path: Path, side: int) -> tuple[list[list[str]], dict[str, float]]:
    """The rate of a whole search by device and workers, and where the wall time of one worker goes."""
    image, rows = open_image(str(path)), []
    spent: dict[str, float] = dict.fromkeys(PARTS.values(), 0.0)
    for device, workers in (
        ("cuda", 1),
        ("cuda", 4),
        ("cuda", os.cpu_count() or 1),
        ("cpu", os.cpu_count() or 1),
    ):
        finder = make_finder(one.finder, **one.with_(engine="torch", precision="bfloat16", device=device))
        if not rows:
            search(image, finder)
        begin = time.perf_counter()
        found = search(image, finder, workers=workers)
        wall = time.perf_counter() - begin
        rate = side**2 / 1e6 / wall
        rows.append(
            [one.name, device, str(workers), str(len(found.catalogue.sources)), f"{wall:.1f}", f"{rate:.1f}"]
        )
        if len(rows) == 1:
            watch = cProfile.Profile(time.perf_counter)
            watch.runcall(search, image, finder, executor="serial")
            stats = pstats.Stats(watch)
            for (file, _, name), (_, _, _, total, _) in stats.stats.items():  # type: ignore[attr-defined]
                part = PARTS.get((Path(file).name, name))
                if part is not None:
                    spent[part] += total
            spent["all else"] = max(0.0, stats.total_tt - sum(spent.values()))  # type: ignore[attr-defined]
    return rows, spent


def gpu_section(field: Field, networks: list[Network], side: int = 2048) -> str:
    """The whole section; one line where this machine has no GPU."""
    pieces = ["### On a GPU\n"]
    if not torch.cuda.is_available():
        return "\n".join([*pieces, "Not measured: this machine has no GPU.\n"])
    device = torch.cuda.get_device_name()
    pieces.append(RULE.format(device=device, torch=torch.__version__, window=WINDOW, repeats=REPEATS))
    head = ["weights", "precision", *(f"{n} window{'s' * (n > 1)}, Mpix/s" for n in BATCHES)]
    pieces.append(table(head, [row for one in networks for row in rates(one, field)]))
    pieces.append("Aim: at least 200 Mpix/s in half precision (131 on an RTX 4090 is the published mark).\n")
    density = round(len(field.truth.sources) / (field.size / 1024) ** 2 / 1.048576)
    pieces.append(WHOLE.format(label=field.label, side=side, density=density, cores=os.cpu_count()))
    rows, parts = [], []
    for one in networks:
        more, spent = searches(one, tiled(field, side), side)
        rows += more
        parts.append([one.name, *(f"{v / sum(spent.values()):.0%} ({v:.1f} s)" for v in spent.values())])
    pieces.append(table(["weights", "device", "workers", "sources", "wall s", "Mpix/s"], rows))
    pieces.append("Where the wall time of one worker goes:\n")
    pieces.append(table(["weights", *dict.fromkeys(PARTS.values()), "all else"], parts))
    return "\n".join(pieces)
