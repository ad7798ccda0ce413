"""The kept tiles of HiPS: below ``hips/``, by the content of the maps; they go when the last such map does."""

from __future__ import annotations

import shutil
import threading
from collections import OrderedDict
from pathlib import Path

from skysift.archive.shelf import Entry, Shelf
from skysift.stamps.hips import HipsMap, hips_folder

__all__ = ["Tiles"]

_MOST_OPEN = 16


class Tiles:
    """The maps that are open as HiPS, and their kept tiles.

    Parameters
    ----------
    folder
        Where tiles are kept; made with the first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._maps: OrderedDict[Path, HipsMap] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, entry: Entry) -> HipsMap:
        """The map of an entry as HiPS."""
        place = hips_folder(self.folder, entry.checksum, entry.id, entry.hdu)
        with self._lock:
            if place not in self._maps or not place.is_dir():
                hdu = entry.hdu if entry.hdu >= 0 else None
                self._maps[place] = HipsMap(entry.path, place, hdu=hdu)
                while len(self._maps) > _MOST_OPEN:
                    self._maps.popitem(last=False)
            self._maps.move_to_end(place)
            return self._maps[place]

    def sweep(self, shelf: Shelf) -> int:
        """Remove the tiles of what is no longer on the shelf; of how many maps."""
        count = 0
        for place in self.folder.glob("*-*"):
            if not shelf.holds(place.name.rpartition("-")[0]):
                with self._lock:
                    self._maps.pop(place, None)
                shutil.rmtree(place, ignore_errors=True)
                count += 1
        return count
