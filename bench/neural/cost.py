"""What a network costs end to end: CPU seconds by engine, where they go, and memory by the size of the map."""

import cProfile
import json
import pstats
import shutil
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from bench.neural.networks import Network
from bench.neural.skies import DATA, Field
from bench.peers.cost import measure
from bench.peers.run import command_of_ours, environment
from bench.peers.tables import table
from skysift.io.fits import write_image
from skysift.io.open import open_image
from skysift.sky.box import Box

ENGINES = (
    ("torch", "float32"), ("torch", "bfloat16"), ("onnx", "float32"), ("openvino", "float32"), ("openvino", "bfloat16"),
)  # fmt: skip
LEAN = ("--no-report", "--maps", "none", "--format", "fits")
PARTS = {  # function -> what it is called; cumulative, none calls another
    ("noise.py", "measure_noise"): "noise and background of the map",
    ("labelled.py", "significance"): "reading windows",
    ("dense.py", "inputs"): "inputs of the network",
    ("gridlook.py", "inputs"): "inputs of the network",
    ("engine.py", "run"): "network",
    ("dense.py", "found"): "decoding",
    ("gridlook.py", "found"): "decoding",
    ("found.py", "without_doubles"): "doubles",
    ("measuring.py", "with_footprints"): "footprints",
    ("measuring.py", "measure_found"): "fits",
    ("characterise.py", "characterise"): "columns of the catalogue",
}
RULE = """
A field of {label} repeated to {sides} px on a side: {density} true objects per Mpix. `skysift find` with its tables as
FITS, one thread, one worker, from the start of the process to its end; {weights}.
"""


def tiled(field: Field, side: int) -> Path:
    """The map of a field, repeated until it is `side` pixels wide."""
    path = DATA / f"neural-tiled-{field.seed}-{field.size}-{side}.fits"
    if not path.exists():
        image = open_image(str(field.make().path))
        times, pixel = -(-side // field.size), image.frame.scale[0] / 3600.0
        cards = [
            ("CTYPE1", "RA---SIN", ""), ("CRPIX1", side / 2 + 0.5, ""), ("CRVAL1", 180.0, ""), ("CDELT1", -pixel, ""),
            ("CTYPE2", "DEC--SIN", ""), ("CRPIX2", side / 2 + 0.5, ""), ("CRVAL2", -30.0, ""), ("CDELT2", pixel, ""),
        ]  # fmt: skip
        rows = (
            np.tile(image.read(Box(y % field.size, y % field.size + 1, 0, field.size)), (1, times))[:, :side]
            for y in range(side)
        )
        write_image(path, (side, side), rows, beam=image.beam, unit="Jy/beam", cards=cards)
    return path


def run(one: Network, path: Path, engine: str, precision: str) -> dict:
    """The cost of one search, and how many sources it gave."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        flags = [
            word for k, v in one.options.items() for word in ("--set", f"{k}={'null' if v is None else v}")
        ]
        flags += ["--finder", one.finder, "--set", f"engine={engine}", "--set", f"precision={precision}"]
        cost = measure(
            command_of_ours(path, out, *LEAN, *flags), Path(folder) / "cost.json", env=environment()
        )
        if cost["returncode"]:
            told = (Path(folder) / "cost.log").read_text().strip().splitlines()
            raise SystemExit(f"{one.name} with {engine} failed: {told[-1] if told else '?'}")
        cost["facts"] = json.loads((out / "manifest.json").read_text())
        shutil.rmtree(out)
        return cost


def profile(one: Network, path: Path) -> dict[str, float]:
    """CPU seconds of the parts of one search in this process, its second one: everything is loaded and compiled."""
    from skysift.find.run import make_finder, search

    finder = make_finder(one.finder, **one.with_(engine="openvino", precision="bfloat16"))
    image = open_image(str(path))
    search(image, finder, executor="serial")
    watch = cProfile.Profile(time.thread_time)
    watch.runcall(search, image, finder, executor="serial")
    stats = pstats.Stats(watch)
    spent = dict.fromkeys(PARTS.values(), 0.0)
    for (file, _, name), (_, _, _, total, _) in stats.stats.items():  # type: ignore[attr-defined]
        part = PARTS.get((Path(file).name, name))
        if part is not None:
            spent[part] += total
    spent["all else"] = max(0.0, stats.total_tt - sum(spent.values()))  # type: ignore[attr-defined]
    return spent


def cost_section(field: Field, networks: list[Network], sides: tuple[int, ...]) -> str:
    """The whole section: `sides` are the widths of the maps, the first for all engines."""
    first = tiled(field, sides[0])
    density = round(len(field.truth.sources) / (field.size / 1024) ** 2 / 1.048576)
    names = ", ".join(each.name for each in networks)
    told = RULE.format(label=field.label, sides=", ".join(map(str, sides)), density=density, weights=names)
    rows, parts, memory = [], [], []
    for one in networks:
        for engine, precision in ENGINES:
            cost = run(one, first, engine, precision)
            mpix = sides[0] ** 2 / 1e6
            rows.append([one.name, engine, precision, f"{cost['cpu_s']:.1f}", f"{cost['cpu_s'] / mpix:.2f}",
                         f"{cost['peak_mib']:.0f}", f"{cost['load']:.1f}"])  # fmt: skip
            if (engine, precision) == ENGINES[-1]:
                memory.append([one.name, sides[0], f"{cost['cpu_s']:.1f}", f"{cost['peak_mib']:.0f}", "-"])
        for last, side in pairwise(sides):
            cost = run(one, tiled(field, side), *ENGINES[-1])
            slope = (cost["cpu_s"] - float(memory[-1][2])) / ((side**2 - last**2) / 1e6)
            memory.append([one.name, side, f"{cost['cpu_s']:.1f}", f"{cost['peak_mib']:.0f}", f"{slope:.2f}"])
        spent = profile(one, first)
        parts.append([one.name, *(f"{v / sum(spent.values()):.0%} ({v:.1f} s)" for v in spent.values())])
    head = ["weights", "engine", "precision", "CPU s", "CPU s / Mpix", "peak PSS MiB", "load"]
    pieces = ["### Cost\n", told, table(head, rows)]
    pieces.append("Aims: at most 1 CPU s / Mpix with the best engine, 4 with torch.\n")
    pieces += [f"By size, {' '.join(ENGINES[-1])}; the last column is what more pixels cost:\n"]
    pieces += [table(["weights", "px", "CPU s", "peak PSS MiB", "CPU s / Mpix beyond"], memory)]
    pieces += [f"Where the time goes, {sides[0]} px, loaded and compiled (seconds of one thread):\n"]
    return "\n".join([*pieces, table(["weights", *dict.fromkeys(PARTS.values()), "all else"], parts)])
