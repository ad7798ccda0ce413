"""What ``skysift classify explain`` does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skysift.base.parallel import Crew
from skysift.classify.options import ExplainOptions, LooksOptions
from skysift.cli.flags import gather
from skysift.cli.progress import Watch

if TYPE_CHECKING:
    from skysift.flow.steps.classify_explain import Explained

__all__ = ["explain"]


def explain(
    model: str,
    place: str,
    out: Path,
    chosen: list[str] | None,
    size: int | None,
    crew: Crew,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Write why a classifier tells what it tells, and print the features that count most."""
    from skysift.classify.classifier import open_model
    from skysift.classify.opening import open_given
    from skysift.flow.products import refuse_earlier
    from skysift.flow.steps.classify_explain import ClassifyExplainStep

    refuse_earlier(out, overwrite=overwrite)
    classifier: Any = open_model(model)
    pictures = classifier.reads == "pictures"
    options: Any = gather(LooksOptions if pictures else ExplainOptions, chosen)
    given = open_given(place, size=size)
    if pictures:
        from skysift.flow.steps.explain_pictures import PicturesExplainStep

        with Watch(Path(model).name, quiet=quiet) as watch:
            seen = PicturesExplainStep(options).run(
                classifier, given, out, model=model, overwrite=overwrite, crew=replace(crew, progress=watch)
            )
        if not quiet:
            print(f"{len(seen.names)} pictures\nlook at      {out / 'report.html'}")
        return
    with Watch(Path(model).name, quiet=quiet) as watch:
        made = ClassifyExplainStep(options).run(
            classifier, given, out, model=model, overwrite=overwrite, crew=replace(crew, progress=watch)
        )
    if not quiet:
        print(_text(made, out))


def _text(made: Explained, out: Path) -> str:
    table = made.reasons.summary(5)
    told = ", ".join(f"{name} {mean:.3g}" for name, mean in zip(table["feature"], table["mean"], strict=True))
    return f"counts most  {told} ({made.reasons.unit})\nlook at      {out / 'report.html'}"
