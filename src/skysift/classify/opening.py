"""`open_given`: what a classifier looks at, pictures or features, told by what is there; with a table of labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from skysift.base.errors import UsageError
from skysift.classify.classifier import Given
from skysift.io.features import read_features
from skysift.stamps.opening import columns_by_name, open_pictures
from skysift.stamps.pictures import Pictures

__all__ = ["FEATURES", "open_given", "with_labels"]

FEATURES = "features.parquet"  # in a folder of `skysift features`
_ALLOWED = "a folder of stamps or features, a folder of FITS files, an .npz with images or pixels, or a table of features"


def open_given(path: str | Path, *, labels: str | Path | None = None, size: int | None = None) -> Given:
    """
    Pictures or features.

    Parameters
    ----------
    path
        A folder of ``skysift stamps`` or ``skysift features``, a folder of FITS images, an npz with images, or a table
        of features.
    labels
        A CSV with columns ``name`` and ``label``, and perhaps more; of several tags with ``|`` between.
    size
        Pixels along the side of pictures; the largest side by default.

    Raises
    ------
    UsageError
        There is nothing at this place, or the labels name none of the sources.
    FormatError
        It is none of these.
    """
    place = Path(path)
    if not place.exists():
        raise UsageError("there is nothing at this place", got=str(path), allowed=_ALLOWED)
    given: Given
    if place.is_dir() and (place / FEATURES).is_file():
        given = read_features(place / FEATURES)
    elif place.is_dir() or place.suffix == ".npz":
        given = open_pictures(place, size=size)
    else:
        given = read_features(place)
    return given if labels is None else with_labels(given, labels)


def with_labels(given: Given, path: str | Path) -> Given:
    """The same with the columns of a table of labels, whose rows are found by the column ``name``.

    Raises
    ------
    UsageError
        There is no such table, it names none of the sources, or one twice.
    FormatError
        It has no column ``name``.
    """
    facts = columns_by_name(path, given.names, "sources")
    if isinstance(given, Pictures):
        return given.with_facts(**facts)
    return replace(given, facts={**given.facts, **facts})
