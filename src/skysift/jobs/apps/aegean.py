"""`AegeanApp`: BANE and Aegean on maps, their components in the schema of skysift."""

from __future__ import annotations

from skysift.jobs.apps.app import Errand, each_map
from skysift.jobs.apps.program import Program, file_of, foreign_catalogue, write_tables
from skysift.jobs.job import Input
from skysift.jobs.options import AegeanOptions

__all__ = ["AegeanApp"]


class AegeanApp:
    """The components that Aegean finds on noise by BANE.

    Reference: Hancock, Trott & Hurley-Walker 2018, PASA 35, e011.

    Parameters
    ----------
    options
        Its clips and boxes.
    """

    def __init__(self, options: AegeanOptions) -> None:
        self.options = options

    def run(self, errand: Errand) -> None:
        """Run it on every map.

        Raises
        ------
        SkysiftError
            It is not installed, or a map cannot be searched.
        """
        program = Program("aegean", errand.cores)
        each_map(errand, lambda each, name: self._search(program, each, errand, name))

    def _search(self, program: Program, each: Input, errand: Errand, name: str) -> None:
        options, out = self.options, errand.out / name
        work = out / "aegean"
        work.mkdir(parents=True, exist_ok=True)
        path, cores = file_of(each), str(errand.cores)
        box = (
            () if options.box is None else ("--grid", *_pair(options.box // 5), "--box", *_pair(options.box))
        )
        errand.progress(f"{name}: noise" if name else "noise", 0, 1)
        program.run([*program.script("BANE"), path, "--out", work / "map", "--cores", cores, *box], work)
        errand.progress(f"{name}: sources" if name else "sources", 0, 1)
        flags = ["--negative"] if options.negative else []
        program.run(
            [
                *program.script("aegean"),
                path,
                *("--background", work / "map_bkg.fits", "--noise", work / "map_rms.fits"),
                *("--table", work / "table.fits", "--cores", cores),
                *("--seedclip", str(options.seedclip), "--floodclip", str(options.floodclip)),
                *(() if options.max_summits is None else ("--maxsummits", str(options.max_summits))),
                *flags,
            ],
            work,
        )
        found = foreign_catalogue(work / "table_comp.fits")
        write_tables(found, each, options, "aegean", out, options.formats)
        errand.say(f"{each.name}: {len(found.components)} components")


def _pair(size: int) -> tuple[str, str]:
    return str(size), str(size)
