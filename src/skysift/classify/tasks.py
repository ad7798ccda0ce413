"""Tasks: which labels of a table mean which class, declared once; and labelled sources by them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UnknownName, UsageError
from skysift.classify.classifier import SEPARATOR, Given, Labelled, Lost
from skysift.sky.features import Features
from skysift.stamps.pictures import Pictures

__all__ = ["TASKS", "Task", "components_peaks", "labelled_by", "task_named", "task_of_codes", "texts_of"]

_COLUMNS = ("label", "class", "code", "type", "object_type", "morphology")


@dataclass(frozen=True)
class Task:
    """
    What labels mean.

    Attributes
    ----------
    name, doc
        By which it is asked for, and what it tells apart.
    classes
        In the order of the columns of a prediction.
    means
        Class -> a pattern that a whole label has, upper and lower case alike; the first that fits counts.
    left_out
        A pattern of labels that are of no class and are left out.
    other
        The class of every other label; empty where another label is an error.
    made_of
        Names of two columns of numbers that the label is made of, where it is no text: components, and peaks.
    codes
        Numbers that a well-known set has in place of labels: by these the task is known where nobody asks for it.
    """

    name: str
    doc: str
    classes: tuple[str, ...]
    means: Mapping[str, str] = field(default_factory=dict)
    left_out: str = ""
    other: str = ""
    made_of: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    codes: tuple[str, ...] = ()

    def class_of(self, label: str) -> str | None:
        """The class of a label; None where it is left out.

        Raises
        ------
        UsageError
            The task does not know the label.
        """
        text = label.strip()
        if not text:
            return None
        for name, pattern in self.means.items():
            if re.fullmatch(pattern, text, re.IGNORECASE):
                return name
        if self.left_out and re.fullmatch(self.left_out, text, re.IGNORECASE):
            return None
        if self.other:
            return self.other
        raise UsageError(
            f"the task {self.name} does not know a label",
            got=text,
            allowed=self.classes,
            todo="write one of these, leave it empty to leave the row out, or leave --task out",
        )

    def knows_some(self, labels: Iterable[str]) -> bool:
        """Whether any of the labels is of one of the classes."""
        patterns = list(self.means.values())
        return any(
            re.fullmatch(each, label.strip(), re.IGNORECASE) for label in set(labels) for each in patterns
        )


_STARS = {
    "PN": r"PN|planetary nebula|3",
    "HII": r"H ?II( region)?|6",
    "pulsar": r"pulsar|PSR|23",
    "YSO": r"YSO|young stellar object|24",
    "star": r"star|1",
}
_FAR = {
    "RG": r"RG|radio[ _-]?galaxy|galaxy|2",
    "QSO": r"QSO|quasar|6000",
}
_UNKNOWN = r"unknown|none|0|-1"

TASKS: Mapping[str, Task] = {
    each.name: each
    for each in (
        Task(
            "fr",
            "FR I against FR II radio galaxies, those of MiraBest that are certain (FR I 100, 102, 104; FR II 200, 201)",
            ("FRI", "FRII"),
            {"FRI": r"10\d|FR[ -]?(I|1)", "FRII": r"20\d|FR[ -]?(II|2)"},
            left_out=r"[12]1\d|3\d\d|hybrid|compact|bent",
            codes=("100", "102", "104", "110", "112", "200", "201", "210", "300", "310"),
        ),
        Task(
            "fr-all",
            "FR I against FR II radio galaxies, uncertain ones of MiraBest too (110, 112; 210)",
            ("FRI", "FRII"),
            {"FRI": r"1\d\d|FR[ -]?(I|1)", "FRII": r"2\d\d|FR[ -]?(II|2)"},
            left_out=r"3\d\d|hybrid|compact|bent",
        ),
        Task(
            "first4",
            "FR I, FR II, compact and bent radio galaxies, as in FIRST",
            ("FRI", "FRII", "Compact", "Bent"),
            {
                "FRI": r"FR[ -]?(I|1)",
                "FRII": r"FR[ -]?(II|2)",
                "Compact": r"compact|FR[ -]?0",
                "Bent": r"bent( ?tail)?|WAT|NAT",
            },
        ),
        Task(
            "rgz",
            "Radio Galaxy Zoo's classes: how many components a source has and how many peaks, 1C-1P to 3C-3P",
            ("1C-1P", "1C-2P", "1C-3P", "2C-2P", "2C-3P", "3C-3P"),
            {f"{c}C-{p}P": rf"{c}C[-_ ]?{p}P" for c, p in ((1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3))},
            left_out=r"\d+C[-_ ]?\d+P",
            made_of=(("n_islands", "n_components", "components"), ("n_peaks", "peaks")),
        ),
        Task(
            "galactic",
            "Galactic against extragalactic compact sources",
            ("galactic", "extragalactic"),
            {
                "galactic": "|".join([r"gal|galactic", *_STARS.values()]),
                "extragalactic": "|".join([r"egal|extragalactic", *_FAR.values()]),
            },
            left_out=_UNKNOWN,
        ),
        Task(
            "seven",
            "radio galaxy, QSO, planetary nebula, HII region, pulsar, young stellar object, star",
            ("RG", "QSO", "PN", "HII", "pulsar", "YSO", "star"),
            {**_FAR, **_STARS},
            left_out=_UNKNOWN,
            codes=("0", "-1", "1", "2", "3", "6", "23", "24", "6000"),
        ),
        Task(
            "real",
            "real sources against sidelobes and other artefacts",
            ("real", "spurious"),
            {"real": r"real|true|source|1", "spurious": r"spurious|false|artefact|artifact|sidelobe|0"},
        ),
        Task(
            "snr",
            "candidates of supernova remnants against all else that is extended",
            ("SNR", "other"),
            {"SNR": r"SNR|supernova remnant"},
            other="other",
        ),
    )
}


def task_named(name: str) -> Task:
    """The task of this name.

    Raises
    ------
    UnknownName
        There is none.
    """
    if name not in TASKS:
        raise UnknownName("no such task", got=name, allowed=TASKS)
    return TASKS[name]


def task_of_codes(labels: Iterable[str]) -> Task | None:
    """The task whose codes these labels are, all of them, with one of two digits or more; None where there is none."""
    told = {each for each in labels if each}
    if len(told) < 2 or not any(len(each) > 1 and each.isdigit() for each in told):
        return None
    return next((task for task in TASKS.values() if told <= set(task.codes)), None)


def components_peaks(components: NDArray[Any], peaks: NDArray[Any]) -> NDArray[np.str_]:
    """The class of Radio Galaxy Zoo of each source, such as 2C-3P; empty where a number is missing.

    A component is a piece of emission apart from the others, such as an island of the source; a peak is one of its
    brightness. A component has at least one peak.
    """
    c, p = (np.asarray(each, np.float64) for each in (components, peaks))
    known = np.isfinite(c) & np.isfinite(p) & (c >= 1)
    return np.array(
        [f"{int(n)}C-{max(int(m), int(n))}P" if good else "" for n, m, good in zip(c, p, known, strict=True)]
    )


def texts_of(given: Given, column: str | None, task: Task | None = None) -> tuple[str, ...]:
    """The label of each row as it stands in the table, or is made of its numbers.

    Raises
    ------
    UnknownName
        There is no such column, or none that is known to hold labels.
    """
    names = (column,) if column else _COLUMNS
    found = next((each for each in names if each in given.facts), None)
    told = None if found is None else tuple(_text(each) for each in given.facts[found])
    if task is not None and column is None and not (told and task.knows_some(told)):
        made = _made(given, task)
        if made is not None:
            return made
    if told is not None:
        return told
    wanted = list(names)
    if task is not None and task.made_of is not None:
        wanted += [" or ".join(each) for each in task.made_of]
    raise UnknownName(
        "no label is known of the rows",
        got=f"no column {', '.join(wanted)}",
        allowed=sorted(given.facts),
        todo="name the column by --column, or give --labels FILE (name,label)",
    )


def _made(given: Given, task: Task) -> tuple[str, ...] | None:
    """The label of each row out of two numbers; None where the task or the rows have none."""
    if task.made_of is None:
        return None
    components, peaks = (_numbers(given, each) for each in task.made_of)
    if components is None or peaks is None:
        return None
    return tuple(str(each) for each in components_peaks(components, peaks))


def _replaced(given: Given, texts: Sequence[str], task: Task) -> list[str]:
    """A line where a column of labels is of another question than the task, and its classes were made of numbers."""
    found = next((each for each in _COLUMNS if each in given.facts), None)
    if found is None or task.made_of is None:
        return []
    own = [_text(each) for each in given.facts[found]]
    some = sorted({each for each in own if each})
    if not some or tuple(own) == tuple(texts):
        return []
    shown = ", ".join(some[:3]) + (", ..." if len(some) > 3 else "")
    told = f"the column {found} ({shown}) holds no class of the task {task.name}"
    return [f"{told}: classes are made of components and peaks; --column {found} takes that column"]


def _text(value: object) -> str:
    """A label as text: 3.0 of a table is 3."""
    if isinstance(value, bytes):
        return value.decode(errors="replace").strip()
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else (str(int(value)) if float(value).is_integer() else str(value))
    return str(value).strip()


def _numbers(given: Given, names: Sequence[str]) -> NDArray[np.float64] | None:
    for name in names:
        if name in given.facts:
            return np.asarray(given.facts[name], np.float64)
        if isinstance(given, Features) and name in given.titles:
            return given[name]
    return None


def labelled_by(
    given: Given,
    task: Task | None = None,
    *,
    column: str | None = None,
    classes: Sequence[str] = (),
) -> tuple[Labelled, tuple[str, ...]]:
    """
    The sources whose class is known, and what one should know about the others.

    Without a task the labels are the classes, as they stand there; where one holds ``|`` all are tags.

    Parameters
    ----------
    given
        Pictures or features, with their facts.
    task
        What labels mean.
    column
        That holds the labels; where none is named the first of label, class, code, type, object_type, morphology.
    classes
        The only ones that are taken; all by default.

    Raises
    ------
    UnknownName
        There is no such column, or no such class.
    UsageError
        The task does not know a label, or no row has one.
    """
    texts = texts_of(given, column, task)
    notes: list[str] = []
    if task is not None:
        notes += _replaced(given, texts, task) if column is None else []
        known = {text: task.class_of(text) or "" for text in dict.fromkeys(texts)}
        told = [known[text] for text in texts]
        order: tuple[str, ...] = task.classes
    else:
        told = list(texts)
        order = tuple(sorted({tag for text in told for tag in _tags(text)}))
        seems = task_of_codes(texts)
        if seems is not None:
            notes.append(f"the labels look like codes: --task {seems.name} tells {seems.doc}")
    unknown = [name for name in classes if name not in order]
    if unknown:
        raise UnknownName("no row is of this class", got=unknown[0], allowed=order)
    many = any(SEPARATOR in text for text in told)
    order = tuple(name for name in order if not classes or name in classes)
    wanted = order
    good = given.good if isinstance(given, Pictures) else np.ones(len(given), np.bool_)
    if not many:
        counts = Counter(text for text, usable in zip(told, good, strict=True) if usable)
        empty = [name for name in order if not counts[name]]
        if empty and len(empty) < len(order):
            notes.append(f"no source of {', '.join(empty)}: these classes are left out")
            order = tuple(name for name in order if name not in empty)
    rows = np.array([bool(text) and (many or text in wanted) for text in told], np.bool_)
    if not rows.any():
        raise UsageError(
            "no row has a label that is learnt",
            got=", ".join(dict.fromkeys(texts)) or "no row",
            allowed=order,
            todo="name the column of the labels by --column, or another --task",
        )
    if isinstance(given, Pictures):
        broken = int((rows & ~good).sum())
        if broken:
            why = next(each for each, row in zip(given.errors, rows, strict=True) if row and each)
            notes.append(f"{broken} labelled pictures cannot be read and are left out, the first: {why}")
        rows &= good
    lost = tuple(
        Lost(given.names[k], texts[k], _why(texts[k], told[k], given, k, task))
        for k in np.flatnonzero(~rows).tolist()
    )
    at = np.flatnonzero(rows)
    place = {name: k for k, name in enumerate(order)}
    targets: NDArray[Any]
    if many:
        targets = np.zeros((len(at), len(order)), np.bool_)
        for k, row in enumerate(at):
            for tag in _tags(told[row]):
                if tag in place:
                    targets[k, place[tag]] = True
    else:
        targets = np.array([place[told[row]] for row in at], np.int64)
    chosen = given.select(at)
    pictures = chosen if isinstance(chosen, Pictures) else None
    features = chosen if isinstance(chosen, Features) else None
    return Labelled(chosen.names, order, targets, pictures, features, lost), tuple(notes)


def _why(text: str, told: str, given: Given, row: int, task: Task | None) -> str:
    """Why a row is not learnt from."""
    if not text:
        return "it has no label"
    if not told:
        return f"its label is of no class of the task {'' if task is None else task.name}"
    if isinstance(given, Pictures) and given.errors[row]:
        return "its picture cannot be read"
    return "its class is not asked for"


def _tags(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(SEPARATOR) if each.strip())
