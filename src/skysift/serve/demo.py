"""`put_demo`: the bundled map, already found, on the shelf."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from skysift.archive.policy import LOCAL, Access, User
from skysift.archive.shelf import Shelf
from skysift.base.errors import FatalError
from skysift.data import demo_map

__all__ = ["put_demo"]

COLLECTION = "demo"


def put_demo(shelf: Shelf, folder: Path) -> None:
    """Find the sources of the bundled map, once, and put map and products onto the shelf for all to see.

    Parameters
    ----------
    shelf
        Where they go.
    folder
        Where the products are made; what an earlier start made is taken as it is.

    Raises
    ------
    FatalError
        The map cannot be searched.
    """
    products = folder / "fornax_a"
    if not (products / "manifest.json").is_file():
        shutil.rmtree(products, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "skysift",
            "find",
            str(demo_map()),
            "--out",
            str(products),
            "--quiet",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FatalError("the bundled map could not be searched", got=done.stderr.strip()[-300:])
    user = User(LOCAL.name, admin=True)
    access = Access(user.name, "public")
    shelf.ingest(demo_map(), user, access=access, collection=COLLECTION, survey="SUMSS")
    shelf.ingest(products, user, access=access, collection=COLLECTION, survey="SUMSS")
