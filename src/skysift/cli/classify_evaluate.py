"""What ``skysift classify evaluate`` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skysift.base.errors import OptionError
from skysift.base.options import Options
from skysift.base.parallel import Crew
from skysift.base.registry import Registry
from skysift.cli.learning import warn
from skysift.cli.progress import Watch

if TYPE_CHECKING:
    from skysift.flow.steps.classify_evaluate import Judged

__all__ = ["evaluate"]


def evaluate(
    place: str,
    out: Path,
    values: Mapping[str, Any],
    menu: Options,
    features: Any,
    labels: Path | None,
    size: int | None,
    crew: Crew,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Judge a classifier on sources that are left out, and print how it did beside what is simpler.

    Raises
    ------
    OptionError
        Folds are both drawn and fixed.
    """
    if "folds" in values and "fixed" in values:
        raise OptionError("folds are drawn or fixed", got="--folds and --fixed", allowed="one of the two")
    from skysift.classify.opening import open_given
    from skysift.classify.options import JudgeOptions
    from skysift.cli.classify_explain import records_of
    from skysift.flow.products import refuse_earlier
    from skysift.flow.steps.classify_evaluate import ClassifyEvaluateStep

    options = JudgeOptions.parse(values)
    refuse_earlier(out, overwrite=overwrite)
    given = open_given(place, labels=labels, size=size)
    made = Registry[Any]("classifier").load(options.model)
    with Watch(options.model, quiet=quiet) as watch:
        judged = ClassifyEvaluateStep(options, lambda: made(menu)).run(
            given,
            out,
            features=features,
            inputs=records_of(None, place, given, labels),
            overwrite=overwrite,
            crew=replace(crew, progress=watch),
        )
    warn(judged.manifest.warnings)
    if not quiet:
        print(_text(judged, out))


def _text(judged: Judged, out: Path) -> str:
    from skysift.flow.steps.classify import LOST, lost_text

    found = judged.evaluation
    counts = ", ".join(f"{n} {name}" for name, n in zip(found.data.classes, found.data.counts, strict=True))
    lost = lost_text(found.data)
    wide = max(len(each.name) for each in found.contenders)
    lines = [
        f"sources  {len(found.data)}: {counts}",
        *([f"without  {lost} ({LOST})"] if lost else []),
        f"folds    {int(found.folds.max()) + 1}, {len(found.folds)} times; mean and standard deviation",
        f"{'':{wide}}  {'accuracy':>15}  {'macro F1':>15}  {'ECE':>15}",
    ]
    for each in found.contenders:
        told = [each.mean(name) for name in ("accuracy", "macro_f1", "ece")]
        numbers = "  ".join(f"{mean:.3f} +- {sd:.3f}" for mean, sd in told)
        some, all_of = int(each.known.sum()), int(found.judged.known.sum())
        lines.append(
            f"{each.name:{wide}}  {numbers}" + (f"  of {some} that it tells" if some < all_of else "")
        )
    return "\n".join([*lines, f"look at  {out / 'report.html'}"])
