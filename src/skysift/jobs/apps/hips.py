"""`HipsApp`: all tiles of a map of the shelf, made before anybody looks."""

from __future__ import annotations

import json
from pathlib import Path

from skysift.jobs.apps.app import Errand
from skysift.jobs.apps.options import HipsOptions
from skysift.jobs.apps.shelf import shelf_of
from skysift.jobs.cutting import image_of
from skysift.stamps.hips import HipsMap, hips_folder

__all__ = ["HipsApp"]


class HipsApp:
    """A map of the shelf as HiPS.

    Parameters
    ----------
    options
        Which map.
    """

    def __init__(self, options: HipsOptions) -> None:
        self.options = options

    def run(self, errand: Errand) -> None:
        """Make the tiles where the service keeps them; those that are there stay.

        Raises
        ------
        SkysiftError
            There is no such map for who asks, or it has no place on the sky.
        """
        with shelf_of(errand) as (shelf, user):
            entry = image_of(shelf, self.options.id, user)
        folder = hips_folder(Path(errand.private["tiles"]), entry.checksum, entry.id, entry.hdu)
        made = HipsMap(entry.path, folder, hdu=entry.hdu if entry.hdu >= 0 else None)
        count = made.make(errand.progress)
        told = {"id": entry.did, "order": made.order, "tiles": count}
        (errand.out / "report.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
        errand.say(f"{count} tiles down to order {made.order}")
