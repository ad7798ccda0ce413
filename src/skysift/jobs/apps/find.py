"""`FindApp`: the sources of maps, by any finder; a folder of products for each map."""

from __future__ import annotations

import json
import math
from typing import Any

import skysift
from skysift.base.errors import OptionError
from skysift.base.options import Options
from skysift.find.beside import Beside
from skysift.find.finder import Finder
from skysift.flow.steps.find import find_products
from skysift.io.open import open_image
from skysift.jobs.apps.app import Errand, each_map, going_on
from skysift.jobs.apps.menu import family_part
from skysift.jobs.folder import read_json, write_json
from skysift.jobs.job import Input
from skysift.jobs.options import ProductsOptions
from skysift.sky.box import parse_region
from skysift.sky.image import SkyImage

__all__ = ["FindApp"]

FINISHED = ".finished.json"


class FindApp:
    """The sources of one map or of many, found by the finder whose menu the options are.

    Parameters
    ----------
    options
        What is written, and the finder's own.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def run(self, errand: Errand) -> None:
        """Find the sources of every map; those that an interrupted attempt finished are not searched again.

        Raises
        ------
        SkysiftError
            A map cannot be searched.
        """
        name, plugin, values = family_part(errand.app, "finder", self.options)
        finder: Finder[Any] = plugin
        products = ProductsOptions(**values)
        each_map(errand, _Several(errand, finder, name, products).search)


class _Several:
    """The search of map after map of one errand."""

    def __init__(self, errand: Errand, finder: Finder[Any], name: str, products: ProductsOptions) -> None:
        self.errand = errand
        self.finder = finder
        self.name = name
        self.products = products

    def search(self, each: Input, folder: str) -> None:
        """Search one map; its products go into a folder of this name."""
        products, errand = self.products, self.errand
        out = errand.out / folder
        opening: dict[str, Any] = {
            "hdu": products.hdu,
            "plane": products.plane,
            "beam": _beam(products.beam),
            "unit": products.unit,
            "frequency": products.frequency,
            "pixel_scale": products.pixel_scale,
        }
        image = open_image(each.path, **opening)
        mark = errand.out / FINISHED
        finished = read_json(mark) or {}
        if finished.get(folder) == skysift.__version__ and (out / "manifest.json").exists():
            errand.say(f"{each.name}: finished before the job was interrupted")
            return
        for note in image.notes:
            errand.say(f"{each.name}: {note}")
        beside = self._beside(image, opening)
        made = going_on(
            errand,
            lambda fresh: find_products(
                image,
                self.finder,
                out,
                name=self.name,
                formats=products.formats,
                maps=products.maps,
                report=products.report,
                overwrite=True,
                fresh=fresh,
                workers=errand.cores,
                tile=products.tile,
                region=None if products.region is None else parse_region(products.region),
                progress=lambda stage, done, total: errand.progress(_stage(folder, stage), done, total),
                say=errand.say,
                beside=beside,
            ),
        )
        counts = json.dumps(dict(made.manifest.counts))
        errand.say(f"{each.name}: {counts}")
        write_json(mark, {**finished, folder: skysift.__version__})

    def _beside(self, image: SkyImage, opening: dict[str, Any]) -> list[Beside]:
        """The maps on which the sources are measured too."""
        products, paths = self.products, self._paths
        found: list[Beside] = []
        if taylor := paths("taylor"):
            from skysift.find.taylor import TaylorTerms  # late, as all that brings the compiled code

            found.append(TaylorTerms(taylor))
        if channels := paths("channels"):
            from skysift.find.channels import Channels

            told = tuple(each or math.nan for each in products.channel_frequencies)
            found.append(Channels(channels, told))
        stokes = [
            *paths("stokes"),
            *(f"{letter}={path}" for letter in "QUV" for path in paths(f"stokes-{letter.lower()}")),
        ]
        if stokes or products.stokes:
            from skysift.find.stokes import StokesMaps

            found.append(StokesMaps.of(tuple(stokes) or (str(products.stokes),), image, opening))
        return found

    def _paths(self, role: str) -> tuple[str, ...]:
        return tuple(each.path for each in self.errand.of_role(role))


def _stage(folder: str, stage: str) -> str:
    return f"{folder}: {stage}" if folder else stage


def _beam(beam: tuple[float, ...] | None) -> tuple[float, float, float] | float | None:
    if beam is None:
        return None
    if len(beam) == 1:
        return beam[0]
    if len(beam) == 3:
        return (beam[0], beam[1], beam[2])
    raise OptionError("option 'beam' is not allowed", got=beam, allowed="BMAJ,BMIN,BPA, or one FWHM (arcsec)")
