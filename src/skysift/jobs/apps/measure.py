"""`MeasureApp`: fluxes at the places of a catalogue, on one map or on many."""

from __future__ import annotations

from pathlib import Path

from skysift.base.parallel import Crew
from skysift.flow.steps.measure import MeasureStep, read_known
from skysift.io.open import open_image
from skysift.jobs.apps.app import Errand, recorded
from skysift.jobs.options import MeasureAppOptions
from skysift.measure.options import MeasureOptions

__all__ = ["MeasureApp"]


class MeasureApp:
    """Fluxes at known places: inputs of the role ``map``, one ``catalogue``, and ``labels`` where footprints are summed.

    Parameters
    ----------
    options
        What is fitted, summed and written.
    """

    def __init__(self, options: MeasureAppOptions) -> None:
        self.options = options

    def run(self, errand: Errand) -> None:
        """Measure at the places of the catalogue on every map.

        Raises
        ------
        SkysiftError
            An input cannot be read, or no place lies on a map.
        """
        options = self.options
        menu = MeasureOptions(**{name: getattr(options, name) for name in MeasureOptions.model_fields})
        (catalogue,) = errand.needed("catalogue", at_most=1)
        labels = errand.of_role("labels")
        maps = [open_image(each.path) for each in errand.needed("map")]
        path = Path(catalogue.path)
        known = read_known(path, menu, options.table)
        measured, _ = MeasureStep(menu).run(
            maps,
            known,
            errand.out,
            inputs=recorded(catalogue),
            labels=labels[0].path if labels else None,
            formats=options.formats,
            report=options.report,
            overwrite=True,
            crew=Crew(workers=errand.cores, progress=errand.progress),
        )
        for note in measured.notes:
            errand.say(note)
