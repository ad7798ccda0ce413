"""``skysift classify``: learn classes of sources, tell them, say how good that is and why."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skysift.base.errors import OptionError, OutputError
from skysift.base.options import Options
from skysift.base.parallel import Crew
from skysift.base.registry import Registry
from skysift.base.settings import settings
from skysift.cli.flags import (
    OptionsFlag,
    OverwriteFlag,
    QuietFlag,
    WorkersFlag,
    at_least,
    folder_of,
    gather,
    read_pairs,
)
from skysift.cli.learning import needs_learn, warn
from skysift.cli.progress import Watch

if TYPE_CHECKING:
    from skysift.classify.classifier import Classifier, Given, Prediction
    from skysift.flow.steps.classify import Trained

__all__ = ["classify"]

_WORDS = {"train": 1, "predict": 2, "evaluate": 1, "explain": 2}
_ONLY = {
    "model": ("train", "evaluate"),
    "task": ("train", "evaluate"),
    "column": ("train", "evaluate"),
    "class": ("train", "evaluate"),
    "labels": ("train", "evaluate"),
    "features": ("train", "evaluate"),
    "set": ("train", "evaluate", "explain"),
    "options": ("train", "evaluate"),
    "folds": ("evaluate",),
    "repeats": ("evaluate",),
    "fixed": ("evaluate",),
    "seed": ("evaluate",),
    "alone": ("evaluate",),
}


def classify(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="train, predict, evaluate or explain.")],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL] INPUT",
            help="What is learnt from or told (stamps, a folder of FITS, an .npz, a table of features); before it, for "
            "predict and explain, a file or folder of a classifier, or a name that `skysift models` lists.",
        ),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="PLACE", help="A folder; OUT.csv for predict.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="The classifier that learns (train, evaluate).")
    ] = "lightgbm",
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="NAME",
            help="What labels mean; as they stand by default. fr: FRI and FRII, or MiraBest's certain codes (100, 102, "
            "104; 200, 201), the others left out; fr-all: its uncertain ones too (110, 112; 210); first4, rgz, galactic, "
            "seven, real, snr.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels", metavar="CSV", help="A table name,label[,...]; several tags with | between."
        ),
    ] = None,
    column: Annotated[
        str | None, typer.Option("--column", metavar="NAME", help="The column that holds the labels.")
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME", help="Learn this class only; may be given again."),
    ] = None,
    measured: Annotated[
        list[str] | None,
        typer.Option(
            "--features",
            metavar="KEY=VALUE",
            help="How features are measured on pictures; may be given again. `skysift options features` lists them.",
        ),
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", metavar="N", help="Pixels along the side of pictures.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option("--folds", metavar="N", help="Parts of which each is left out (evaluate).")
    ] = None,
    repeats: Annotated[
        int | None, typer.Option("--repeats", metavar="N", help="How often these are drawn (evaluate).")
    ] = None,
    fixed: Annotated[
        str | None,
        typer.Option("--fixed", metavar="NAME", help="Folds that ship: mirabest or first (evaluate)."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Decides the folds (evaluate).")
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Nothing beside the classifier (evaluate): quicker.")
    ] = False,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Choose an option of the classifier, such as --set trees=300; may be given again. `skysift options "
            "lightgbm` lists them.",
        ),
    ] = None,
    options_file: OptionsFlag = None,
    workers: WorkersFlag = None,
    overwrite: OverwriteFlag = False,
    quiet: QuietFlag = False,
) -> None:
    r"""Tell the classes of sources: train a classifier, predict with it, evaluate it, explain it.

    \b
    Examples:
      skysift classify train cutouts.npz --task fr --out fr
      skysift classify train stamps --labels labels.csv --model forest --set search=20 --out mine
      skysift classify predict fr stamps --out classes.csv
      skysift classify evaluate cutouts.npz --task fr --fixed mirabest --repeats 2 --out judged
      skysift classify explain fr stamps --out reasons

    \b
    train     DIR gets model.safetensors (one file, no pickle), what it told of sources that were left out, a page
    predict   CSV: name label probability p_CLASS... ood; ood is the part of the sources learnt from that are less
              strange, from 0 to 1: look at rows above 0.99. A row that cannot be told has a name only
    evaluate  DIR gets a page and tables: per-class numbers, confusion, reliability, doubtful labels, beside the
              majority class, a random network and plain features
    explain   DIR gets the features that count most, and the reasons for each source
    """
    given: dict[str, Any] = {
        "model": model if model != "lightgbm" else None, "task": task, "labels": labels, "column": column,
        "class": classes, "features": measured, "folds": folds, "repeats": repeats, "fixed": fixed, "seed": seed,
        "alone": alone or None, "set": chosen, "options": options_file,
    }  # fmt: skip
    call = _checked(action, words or [], out, given)
    needs_learn("skysift classify")
    workers = at_least("--workers", workers, 1) or settings().workers
    call = replace(call, size=at_least("--size", size, 8), workers=workers, overwrite=overwrite, quiet=quiet)
    if action == "predict":
        _predict(call)
    elif action == "explain":
        from skysift.cli.classify_explain import explain

        explain(call.words[0], call.words[1], call.out, chosen, call.size, call.crew, overwrite, quiet)
    else:
        values: dict[str, Any] = {
            "model": model,
            "task": task,
            "column": column,
            "classes": tuple(classes or ()),
        }
        menu: Any = gather(
            Registry[Any]("classifier").options(model), chosen, options_file, kind="classifier"
        )
        shown = _feature_options(measured)
        if action == "train":
            _train(call, values, menu, shown, labels)
        else:
            more = {"folds": folds, "repeats": repeats, "fixed": fixed, "random_seed": seed}
            values |= {name: value for name, value in more.items() if value is not None} | {
                "beside": not alone
            }
            from skysift.cli.classify_evaluate import evaluate

            evaluate(
                call.words[0], call.out, values, menu, shown, labels, call.size, call.crew, overwrite, quiet
            )


@dataclass(frozen=True)
class _Call:
    """What was asked for."""

    words: tuple[str, ...]
    out: Path
    size: int | None = None
    workers: int = 1
    overwrite: bool = False
    quiet: bool = False

    @property
    def crew(self) -> Crew:
        """Who does the work."""
        return Crew(self.workers)


def _checked(action: str, words: Sequence[str], out: str | None, given: dict[str, Any]) -> _Call:
    """Refuse what does not go together, before anything is loaded."""
    if action not in _WORDS:
        raise OptionError("no such action of classify", got=action, allowed=_WORDS)
    if len(words) != _WORDS[action]:
        wanted = "MODEL INPUT" if _WORDS[action] == 2 else "INPUT"
        raise OptionError(f"classify {action} takes {wanted}", got=" ".join(words) or "nothing")
    for name, value in given.items():
        if value is not None and action not in _ONLY[name]:
            raise OptionError(f"--{name} is not of classify {action}", got=value, allowed=_ONLY[name])
    if out is None:
        raise OptionError("--out is missing", allowed="OUT.csv" if action == "predict" else "a folder")
    place = folder_of(out)
    if action == "predict" and place.suffix.lower() != ".csv":
        raise OptionError("--out is no CSV", got=out, allowed="OUT.csv")
    return _Call(tuple(words), place)


def _feature_options(pairs: list[str] | None) -> Any:
    from skysift.classify.features.options import FeaturesOptions

    return FeaturesOptions.parse(read_pairs(pairs or (), "--features"))


def _train(call: _Call, values: dict[str, Any], menu: Options, features: Any, labels: Path | None) -> None:
    from skysift.classify.opening import open_given
    from skysift.classify.options import TrainOptions
    from skysift.cli.classify_explain import records_of
    from skysift.flow.products import refuse_earlier
    from skysift.flow.steps.classify import ClassifyTrainStep

    options = TrainOptions.parse(values)
    refuse_earlier(call.out, overwrite=call.overwrite)
    given = open_given(call.words[0], labels=labels, size=call.size)
    classifier = Registry[Any]("classifier").load(options.model)(menu)
    with Watch(options.model, quiet=call.quiet) as watch:
        made = ClassifyTrainStep(options, classifier).run(
            given,
            call.out,
            features=features,
            inputs=records_of(None, call.words[0], given, labels),
            overwrite=call.overwrite,
            crew=replace(call.crew, progress=watch),
        )
    warn(made.manifest.warnings)
    if not call.quiet:
        print(_trained(made, call.out))


def _trained(made: Trained, out: Path) -> str:
    from skysift.flow.steps.classify import LOST, lost_text

    counts = ", ".join(f"{n} {name}" for name, n in zip(made.data.classes, made.data.counts, strict=True))
    lines = [f"sources  {len(made.data)}: {counts}"]
    lost = lost_text(made.data)
    if lost:
        lines.append(f"without  {lost} ({LOST})")
    if made.report is None:
        lines.append("left out nothing was, for there is no calibration: see skysift classify evaluate")
    else:
        told = made.report.numbers
        lines.append(
            f"left out accuracy {told['accuracy']:.3f} ({told['accuracy_low']:.3f} to {told['accuracy_high']:.3f}) of "
            f"{told['n']}, majority class {told['majority']:.3f}, macro F1 {told['macro_f1']:.3f}, "
            f"calibration error {told['ece']:.3f}"
        )
    lines += [
        f"time     {sum(made.manifest.seconds.values()):.1f} s",
        f"look at  {out / 'report.html'}; predict with  skysift classify predict {out} INPUT --out OUT.csv",
    ]
    return "\n".join(lines)


def _predict(call: _Call) -> None:
    from skysift.classify.classifier import open_model
    from skysift.classify.opening import open_given
    from skysift.cli.classify_explain import records_of
    from skysift.flow.steps.classify_predict import ClassifyPredictStep

    if call.out.exists() and not call.overwrite:
        raise OutputError(
            "the file exists", got=str(call.out), todo="choose another name, or give --overwrite"
        )
    classifier: Classifier[Any] = open_model(call.words[0])
    given: Given = open_given(call.words[1], size=call.size)
    with Watch(Path(call.words[0]).name, quiet=call.quiet) as watch:
        told = ClassifyPredictStep().run(
            classifier,
            given,
            call.out,
            model=call.words[0],
            inputs=records_of(call.words[0], call.words[1], given),
            overwrite=call.overwrite,
            crew=replace(call.crew, progress=watch),
        )
    warn(told.notes)
    wrong = [(name, why) for name, why in zip(told.names, told.errors, strict=True) if why]
    if wrong:
        name, why = wrong[0]
        print(
            f"skysift: warning: {len(wrong)} of {len(told)} sources cannot be told, such as {name}: {why}",
            file=sys.stderr,
        )
    if not call.quiet:
        print(_told(told, call.out))


def _told(told: Prediction, out: Path) -> str:
    labels = [each for each, known in zip(told.labels, told.known, strict=True) if known]
    counts = {name: sum(name in each.split("|") for each in labels) for name in told.classes}
    strange = int((told.ood > 0.99).sum())
    text = ", ".join(f"{n} {name}" for name, n in counts.items())
    lines = [f"sources  {len(told)}: {text}"]
    lines.append(f"strange  {strange} lie farther out than 99 % of the sources learnt from")
    return "\n".join([*lines, f"written  {out}"])
