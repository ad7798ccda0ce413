"""An installed package that brings apps of its own, as tests need them: they sleep, fail, fill, and are deaf."""

from __future__ import annotations

from pathlib import Path

APPS = '''
import os, signal, subprocess, sys, time
from pathlib import Path
from skysift.base.errors import DataError, StorageError
from jobguest_options import SleepOptions


class SleepApp:
    """Sleeps, with a child of its own."""

    def __init__(self, options: SleepOptions) -> None:
        self.options = options

    def run(self, errand):
        options = self.options
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(f"child {child.pid}", flush=True)
        if options.deaf:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (errand.out / "begun.txt").open("a").write("again\\n")
        steps = max(1, round(options.seconds / 0.05))
        for step in range(steps):
            errand.progress("sleep", step, steps)
            time.sleep(0.05)
        errand.progress("sleep", steps, steps)
        child.kill()
        child.wait()
        if options.error == "data":
            raise DataError("the bed is broken", got=3)
        if options.error == "full":
            raise StorageError("the disk is full", got="here")
        if options.error == "bug":
            raise RuntimeError("a bug")
        if options.error == "kill" and not (errand.out / "killed").exists():
            (errand.out / "killed").touch()
            os.kill(os.getpid(), 9)
        if options.memory:
            block = bytearray(options.memory << 20)
            block[::4096] = b"x" * len(block[::4096])
        (errand.out / "dream.txt").write_text(f"slept {options.seconds}")
        if errand.private:
            (errand.out / "private.txt").write_text(str(sorted(errand.private)))
'''

OPTIONS = '''
from typing import Literal
from skysift.base.options import Options, option


class SleepOptions(Options):
    """How it sleeps."""

    seconds: float = option(0.0, unit="s", at_least=0.0, doc="How long.")
    deaf: bool = option(False, doc="Whether it does not listen when it is told to end.")
    error: Literal["", "data", "full", "bug", "kill"] = option("", doc="How it fails.")
    memory: int = option(0, unit="MiB", at_least=0, doc="What it takes.")
    pillow: str | None = option(None, file=True, doc="A file.")
'''


def install(folder: Path) -> None:
    """Install the package in a folder of Python packages."""
    (folder / "jobguest.py").write_text(APPS)
    (folder / "jobguest_options.py").write_text(OPTIONS)
    info = folder / "jobguest-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: jobguest\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[skysift.app]\nsleep = jobguest:SleepApp\n[skysift.app.options]\nsleep = jobguest_options:SleepOptions\n"
    )
