"""`ClassifyApp`: the classes of sources, by a classifier that ships or one that is uploaded."""

from __future__ import annotations

import shutil
from pathlib import Path

from skysift.base.errors import UsageError
from skysift.classify.classifier import open_model
from skysift.classify.opening import open_given
from skysift.flow.steps.classify_predict import ClassifyPredictStep
from skysift.jobs.apps.app import Errand, recorded
from skysift.jobs.apps.packed import unpacked
from skysift.jobs.options import ClassifyAppOptions
from skysift.learn.hub import shipped

__all__ = ["ClassifyApp"]

_MODEL = ".safetensors"


class ClassifyApp:
    """Classes of sources: one input of the role ``sources`` (an npz with images, a tar of FITS, or a table of features).

    An input of the role ``model`` is a classifier of your own, a file that ``skysift classify train`` wrote.

    Parameters
    ----------
    options
        By which classifier they are told.
    """

    def __init__(self, options: ClassifyAppOptions) -> None:
        self.options = options

    def run(self, errand: Errand) -> None:
        """Write ``classes.csv``, and ``classes.csv.json`` that tells how it was made.

        Raises
        ------
        SkysiftError
            The classifier is not known, or not one source can be told.
        """
        (sources,) = errand.needed("sources", at_most=1)
        own = errand.needed("model", at_least=0, at_most=1)
        name = own[0].name if own else self.options.model
        if own:
            place = self._model(Path(own[0].path), errand.out)
        elif self.options.model in shipped():  # a path would name any file of the server
            place = Path(self.options.model)
        else:
            raise UsageError("no classifier of this name ships", got=self.options.model, allowed=shipped())
        errand.progress("model", 0, 1)
        try:
            classifier = open_model(place)
        finally:
            if own:
                place.unlink(missing_ok=True)
        given = open_given(unpacked(sources, errand.out / "unpacked"), size=self.options.size)
        errand.progress("sources", 0, len(given))
        told = ClassifyPredictStep().run(
            classifier,
            given,
            errand.out / "classes.csv",
            model=name,
            inputs=recorded(sources),
            overwrite=True,
        )
        shutil.rmtree(errand.out / "unpacked", ignore_errors=True)
        for note in told.notes:
            errand.say(note)
        wrong = sum(bool(each) for each in told.errors)
        if wrong:
            errand.say(f"{wrong} of {len(told)} sources cannot be told")
        errand.progress("sources", len(given), len(given))

    def _model(self, path: Path, out: Path) -> Path:
        """The classifier under a name that is known for one: uploads have names of their own."""
        copy = out / f"model{_MODEL}"
        shutil.copyfile(path, copy)
        return copy
