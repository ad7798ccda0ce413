"""Write the fixed folds of the labelled sets into the package: names of sources, five folds, two repeats.

Classes are spread evenly; sources nearer than 6 arcsec to each other (of one set) share a fold, so that no copy of a
source stands on both sides of a test. ``python -m bench.make_folds`` with SKYSIFT_DATA set.
"""

import csv
from collections import Counter
from pathlib import Path

import numpy as np

from skysift import data
from skysift.classify.folds import deduplicated, groups_of, shared, stratified
from skysift.stamps.opening import open_pictures

SETS = {"mirabest": "MiraBest_FIRST_train.npz", "first": "FIRST_radio_galaxies_train_valid.npz"}
REPEATS, FOLDS, SEED = 2, 5, 1


def main() -> None:
    import os

    labelled = Path(os.environ["SKYSIFT_DATA"]) / "labelled"
    out = Path(data.__file__).parent / "folds"
    out.mkdir(exist_ok=True)
    places = {}
    for name, file in SETS.items():
        pictures = open_pictures(labelled / file)
        ra, dec = (np.asarray(pictures.facts[key], float) for key in ("ra", "dec"))
        places[name] = (ra, dec)
        labels = pictures.labels("code" if name == "mirabest" else "label")
        group = groups_of(ra, dec)
        first = np.flatnonzero(group == np.arange(len(group)))
        classes = {label: k for k, label in enumerate(sorted(set(labels)))}
        targets = np.array([classes[labels[k]] for k in first])
        columns = []
        for repeat in range(REPEATS):
            fold = np.full(len(group), -1)
            fold[first] = stratified(targets, FOLDS, SEED, "fixed", name, str(repeat))
            columns.append(fold[group])
        twice = [each for each, n in Counter(pictures.names).items() if n > 1]
        assert not twice, twice[:3]
        with (out / f"{name}.csv").open("w", newline="", encoding="utf-8") as held:
            writer = csv.writer(held, lineterminator="\n")
            writer.writerow(["name", *(f"fold_{k + 1}" for k in range(REPEATS))])
            writer.writerows(zip(pictures.names, *columns, strict=True))
        print(
            name,
            len(pictures),
            "sources,",
            len(pictures) - len(first),
            "nearer than 6 arcsec to another of the set",
        )
    both = shared(*places["mirabest"], *places["first"])
    print(int(both.sum()), "of", len(both), "of mirabest within 6 arcsec of first")
    for radius in (2.0, 10.0, 20.0, 60.0):
        print(radius, "arcsec:", int(shared(*places["mirabest"], *places["first"], radius).sum()))
    ra, dec = (np.concatenate([places["first"][k], places["mirabest"][k]]) for k in (0, 1))
    print("kept of both:", int(deduplicated(ra, dec).sum()), "of", len(ra))


if __name__ == "__main__":
    main()
