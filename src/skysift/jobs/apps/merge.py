"""`MergeApp`: adjacent maps as one, or a part of it."""

from __future__ import annotations

from skysift.jobs.apps.app import Errand
from skysift.jobs.options import MergeOptions
from skysift.stamps.merge import merge

__all__ = ["MergeApp"]


class MergeApp:
    """Several maps as one FITS file: two inputs or more of the role ``map``, on the grid of the first.

    Parameters
    ----------
    options
        Which part is wanted.
    """

    def __init__(self, options: MergeOptions) -> None:
        self.options = options

    def run(self, errand: Errand) -> None:
        """Merge the maps.

        Raises
        ------
        SkysiftError
            They do not go together, or hold nothing of the region.
        """
        maps = errand.needed("map", at_least=2)
        errand.progress("merge", 0, 1)
        made = merge(
            [each.path for each in maps],
            self.options.region,
            band=self.options.band,
            pol=self.options.pol or None,
            system=self.options.system,
        )
        made.write(errand.out / "merged.fits")
        errand.progress("merge", 1, 1)
        errand.say(f"{len(maps)} maps; of the region: {made.overlap}")
