"""`StampsApp` and `StackApp`: stamps of the rows of a catalogue on maps, and what they are together."""

from __future__ import annotations

from skysift.base.parallel import Crew
from skysift.flow.stamp_places import read_places
from skysift.flow.steps.stack import StackStep
from skysift.flow.steps.stamps import StampsStep
from skysift.jobs.apps.app import Errand, going_on, recorded
from skysift.stamps.options import MakingOptions, StackOptions, StampsOptions
from skysift.stamps.surveys import of_maps

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
        _run(errand, StampsStep(self.options), self.options)


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
        columns = (self.options.bins,) if self.options.bins else ()
        _run(errand, StackStep(self.options), self.options, columns)


def _run(
    errand: Errand, step: StampsStep | StackStep, options: MakingOptions, columns: tuple[str, ...] = ()
) -> None:
    """Let a step make what it makes of the places of the catalogue, with these columns of theirs, and the maps."""
    (catalogue,) = errand.needed("catalogue", at_most=1)
    bands = of_maps([each.path for each in errand.needed("map")])
    places = read_places(catalogue.path, radius_column=options.radius_column, columns=columns)
    made = going_on(
        errand,
        lambda fresh: step.run(
            places,
            bands,
            errand.out,
            inputs=recorded(catalogue),
            overwrite=True,
            fresh=fresh,
            crew=Crew(workers=errand.cores, progress=errand.progress),
        ),
    )
    for note in made.manifest.warnings:
        errand.say(note)
    errand.say(f"{len(places)} sources")
