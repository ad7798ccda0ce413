"""What was measured where: the machine and the versions."""

import os
import platform
from importlib import metadata
from pathlib import Path

from bench.peers.run import VENVS

WATCHED = ("bdsf", "aegeantools", "sep", "photutils", "numpy", "scipy", "astropy")


def machine() -> str:
    """Processor, cores, memory and system in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "?")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} x {model}, {memory:.0f} GiB, {system}"


def versions() -> list[tuple[str, str]]:
    """(finder, versions of it and of what it stands on), skysift first."""

    def version(name: str) -> str:
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            return f"{name} (not installed)"

    out = [("skysift", ", ".join(version(n) for n in ("skysift", "numpy", "numba", "scipy", "astropy")))]
    for venv in sorted(VENVS.glob("*/.ready")):
        frozen = (line.split("==") for line in venv.read_text().splitlines() if "==" in line)
        pins = [f"{n} {v}" for n, v in frozen if n.lower() in WATCHED]
        out.append((venv.parent.name, ", ".join(pins)))
    return out
