"""`PyBDSFApp`: PyBDSF on maps, its Gaussians and sources in the schema of skysift."""

from __future__ import annotations

import json

from skysift.base.errors import FormatError
from skysift.io.layouts.reading import read_any
from skysift.jobs.apps.app import Errand, each_map
from skysift.jobs.apps.program import Program, empty_catalogue, file_of, write_tables
from skysift.jobs.folder import write_json
from skysift.jobs.job import Input
from skysift.jobs.options import PyBDSFOptions
from skysift.sky.catalogue import Catalogue
from skysift.sky.table import Table

__all__ = ["PyBDSFApp"]

_SCRIPT = """
import json, sys
import bdsf
told = json.load(open(sys.argv[1]))
made = bdsf.process_image(told["map"], **told["options"])
for kind in ("gaul", "srl"):
    if made.nsrc:
        made.write_catalog(outfile=kind + ".fits", format="fits", catalog_type=kind, clobber=True)
for kind in ("rms", "mean"):
    made.export_image(outfile=kind + ".fits", img_type=kind, clobber=True)
"""


class PyBDSFApp:
    """The Gaussians and sources that PyBDSF finds.

    Reference: Mohan & Rafferty 2015, ASCL 1502.007.

    Parameters
    ----------
    options
        Its thresholds, boxes and modes.
    """

    def __init__(self, options: PyBDSFOptions) -> None:
        self.options = options

    def run(self, errand: Errand) -> None:
        """Run it on every map.

        Raises
        ------
        SkysiftError
            It is not installed, or a map cannot be searched.
        """
        program = Program("pybdsf", errand.cores)
        each_map(errand, lambda each, name: self._search(program, each, errand, name))

    def _search(self, program: Program, each: Input, errand: Errand, name: str) -> None:
        options, out = self.options, errand.out / name
        work = out / "pybdsf"
        work.mkdir(parents=True, exist_ok=True)
        link = work / "map.fits"  # it writes its log beside the map
        link.unlink(missing_ok=True)
        link.symlink_to(file_of(each).resolve())
        errand.progress(f"{name}: sources" if name else "sources", 0, 1)
        write_json(work / "task.json", {"map": "map.fits", "options": _told(options, errand.cores)})
        program.run([program.python, "-c", _SCRIPT, "task.json"], work)
        link.unlink()
        gaussians, sources = work / "gaul.fits", work / "srl.fits"
        found = empty_catalogue()
        if gaussians.exists():
            found = _joined(read_any(sources, "pybdsf"), read_any(gaussians, "pybdsf"))
        write_tables(found, each, options, "pybdsf", out, options.formats)
        errand.say(
            f"{each.name}: {json.dumps({'sources': len(found.sources), 'gaussians': len(found.components)})}"
        )


def _told(options: PyBDSFOptions, cores: int) -> dict[str, object]:
    """What PyBDSF is told."""
    return {
        "thresh_pix": options.thresh_pix,
        "thresh_isl": options.thresh_isl,
        "thresh": "hard",
        "rms_box": None if options.rms_box is None else list(options.rms_box),
        "adaptive_rms_box": options.adaptive_rms_box,
        "atrous_do": options.atrous_do,
        "group_by_isl": options.group_by_isl,
        "frequency": options.frequency,
        "ncores": cores,
        "quiet": True,
    }


def _joined(sources: Table, components: Table) -> Catalogue:
    """The catalogue of PyBDSF's two lists."""
    if sources.kind != "sources" or components.kind != "components":
        raise FormatError("PyBDSF wrote other tables than it does", got=f"{sources.kind}, {components.kind}")
    return Catalogue(Table.empty("islands"), sources, components)
