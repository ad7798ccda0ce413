"""`ExploreApp`: a sample of features on a map, in groups, its strange ones first; ranked by a person's scores."""

from __future__ import annotations

import shutil
from pathlib import Path

from skysift.explore.menus import menus_of
from skysift.explore.options import ActiveOptions, ExploreOptions
from skysift.flow.explored import joined
from skysift.flow.labelling import label
from skysift.flow.steps.explore import ExploreStep
from skysift.io.features import read_features
from skysift.jobs.apps.app import Errand, recorded
from skysift.jobs.apps.packed import unpacked
from skysift.jobs.options import ExploreAppOptions
from skysift.stamps.opening import open_pictures

__all__ = ["ExploreApp"]


class ExploreApp:
    """A sample explored: inputs of the role ``features``, tables of the same sources.

    An input of the role ``pictures`` (an npz, or a tar of FITS) is shown on the page; one of the role ``labels``
    (name,label,score) is a person's, and ranks the sample.

    Parameters
    ----------
    options
        How it is explored.
    """

    def __init__(self, options: ExploreAppOptions) -> None:
        self.options = options

    def run(self, errand: Errand) -> None:
        """Write what `skysift explore` writes, and with labels what `skysift explore label` does.

        Raises
        ------
        SkysiftError
            The tables do not go together, or nothing tells their sources apart.
        """
        tables = errand.needed("features")
        pictures = errand.needed("pictures", at_least=0, at_most=1)
        labels = errand.needed("labels", at_least=0, at_most=1)
        values = self.options.to_dict()
        options = ExploreOptions(**{name: values[name] for name in ExploreOptions.model_fields})
        held = errand.out / "unpacked"
        try:
            paths = [unpacked(each, held / str(k)) for k, each in enumerate(tables)]
            features, parts = joined(
                [read_features(path) for path in paths], [Path(each.name).stem for each in tables]
            )
            shown = open_pictures(unpacked(pictures[0], held / "pictures")) if pictures else None
            made = ExploreStep(options, menus_of(options, self.options.methods)).run(
                features, errand.out, parts=parts, pictures=shown,
                inputs=recorded(*tables, *pictures),
                overwrite=True, progress=errand.progress,
            )  # fmt: skip
        finally:
            shutil.rmtree(held, ignore_errors=True)
        if labels:
            path = Path(labels[0].path)
            made = label(errand.out, path, ActiveOptions.parse(self.options.scores), inputs=recorded(*labels))
        for note in made.manifest.warnings:
            errand.say(note)
        errand.say(f"{len(features)} sources, {made.manifest.counts['groups']} groups")
