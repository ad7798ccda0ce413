"""What ``skysift classify explain`` does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skysift.base.parallel import Crew
from skysift.base.provenance import InputRecord
from skysift.classify.options import ExplainOptions, LooksOptions
from skysift.cli.flags import gather
from skysift.cli.progress import Watch

if TYPE_CHECKING:
    from skysift.classify.classifier import Given
    from skysift.flow.steps.classify_explain import Explained

__all__ = ["explain", "records_of"]


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
    inputs = records_of(model, place, given)
    if pictures:
        from skysift.flow.steps.explain_pictures import PicturesExplainStep

        with Watch(Path(model).name, quiet=quiet) as watch:
            seen = PicturesExplainStep(options).run(
                classifier,
                given,
                out,
                model=model,
                inputs=inputs,
                overwrite=overwrite,
                crew=replace(crew, progress=watch),
            )
        if not quiet:
            print(f"{len(seen.names)} pictures\nlook at      {out / 'report.html'}")
        return
    with Watch(Path(model).name, quiet=quiet) as watch:
        made = ClassifyExplainStep(options).run(
            classifier,
            given,
            out,
            model=model,
            inputs=inputs,
            overwrite=overwrite,
            crew=replace(crew, progress=watch),
        )
    if not quiet:
        print(_text(made, out))


def records_of(
    model: str | None, place: str, given: Given, labels: Path | None = None
) -> tuple[InputRecord, ...]:
    """What is read, with checksums: the classifier, the sources, the table of labels."""
    from skysift.base.store import checksum
    from skysift.classify.classifier import FILE
    from skysift.classify.opening import FEATURES
    from skysift.learn.hub import weights_of
    from skysift.stamps.pictures import Pictures

    found = []
    if model is not None:
        folder = Path(model) / FILE
        weights = weights_of(str(folder if folder.is_file() else model))
        found.append(InputRecord(weights.path.name, weights.checksum, size=weights.path.stat().st_size))
    if isinstance(given, Pictures):
        found += [] if given.origin is None else [given.origin]
    else:
        file = Path(place) / FEATURES if Path(place).is_dir() else Path(place)
        told, size = checksum(str(file))
        found.append(InputRecord(file.name, told, size=size))
    if labels is not None:
        told, size = checksum(str(labels))
        found.append(InputRecord(labels.name, told, size=size))
    return tuple(found)


def _text(made: Explained, out: Path) -> str:
    table = made.reasons.summary(5)
    told = ", ".join(f"{name} {mean:.3g}" for name, mean in zip(table["feature"], table["mean"], strict=True))
    return f"counts most  {told} ({made.reasons.unit})\nlook at      {out / 'report.html'}"
