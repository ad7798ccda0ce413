"""`StampsApp` and `StackApp`: stamps of the rows of a catalogue on maps, and what they are together."""

from __future__ import annotations

from pathlib import Path

from skysift.base.parallel import Crew
from skysift.flow.stamp_places import Places, read_places
from skysift.flow.steps.match import records
from skysift.flow.steps.stack import StackStep
from skysift.flow.steps.stamps import StampsStep
from skysift.jobs.apps.app import Errand
from skysift.jobs.job import Input
from skysift.stamps.options import StackOptions, StampsOptions
from skysift.stamps.surveys import Band, of_maps

__all__ = ["StackApp", "StampsApp"]


class StampsApp:
    """Stamps of sources: inputs of the role ``map``, one a band, and one ``catalogue`` (or list) of places.

    Parameters
    ----------
    options
        How they are made.
    """

    def __init__(self, options: StampsOptions) -> None:
        self.options = options

    def run(self, errand: Errand) -> None:
        """Make them; a run that was broken off goes on where it was.

        Raises
        ------
        SkysiftError
            There is no source, or no map covers any.
        """
        catalogue, bands = _inputs(errand)
        places = read_places(catalogue.path, radius_column=self.options.radius_column)
        made = StampsStep(self.options).run(
            places,
            bands,
            errand.out,
            inputs=records([Path(catalogue.path)]),
            overwrite=True,
            crew=_crew(errand),
        )
        _tell(errand, places, made.manifest.warnings)


class StackApp:
    """The mean image of sources: inputs as those of `StampsApp`.

    Parameters
    ----------
    options
        How it is made.
    """

    def __init__(self, options: StackOptions) -> None:
        self.options = options

    def run(self, errand: Errand) -> None:
        """Stack the stamps.

        Raises
        ------
        SkysiftError
            There is no source, or no map covers any.
        """
        catalogue, bands = _inputs(errand)
        columns = (self.options.bins,) if self.options.bins else ()
        places = read_places(catalogue.path, radius_column=self.options.radius_column, columns=columns)
        made = StackStep(self.options).run(
            places,
            bands,
            errand.out,
            inputs=records([Path(catalogue.path)]),
            overwrite=True,
            crew=_crew(errand),
        )
        _tell(errand, places, made.manifest.warnings)


def _inputs(errand: Errand) -> tuple[Input, tuple[Band, ...]]:
    """The catalogue, and the bands of the maps."""
    (catalogue,) = errand.needed("catalogue", at_most=1)
    return catalogue, of_maps([each.path for each in errand.needed("map")])


def _crew(errand: Errand) -> Crew:
    return Crew(workers=errand.cores, progress=errand.progress)


def _tell(errand: Errand, places: Places, notes: tuple[str, ...]) -> None:
    for note in notes:
        errand.say(note)
    errand.say(f"{len(places)} sources")
