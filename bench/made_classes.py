"""python -m bench.made_classes: how well seven classes are parted by published colours, against their assumed scatter.

Made samples (`skysift simulate samples`), LightGBM on colours, limits and the spectral index, five folds, the classes
alike in number. Where SKYSIFT_DATA, or ../shared/data, holds the catalogues of HII regions and pulsars, what is declared
of these is put beside what they hold. Writes bench/made_classes.md.
"""

import csv
import os
import re
from pathlib import Path

import numpy as np

from bench.peers.tables import table
from skysift.classify.classifier import Labelled
from skysift.classify.folds import stratified
from skysift.classify.options import LightGBMOptions
from skysift.classify.tables import LightGBMClassifier
from skysift.sim.colours.options import SamplesOptions
from skysift.sim.colours.published import BANDS, KINDS
from skysift.sim.colours.sample import drawn, table_of

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("SKYSIFT_DATA", HERE.parents[1] / "shared" / "data")) / "labelled"
NUMBER, SEEDS, FOLDS = 200, (11, 12), 5
SCATTERS = (0.5, 1.0, 1.5, 2.0)
MENU = LightGBMOptions(trees=80, leaves=7, rate=0.1, calibration="none")
WITHOUT = {
    "all": (),
    "without far infrared": ("higal",),
    "without alpha": ("alpha",),
    "without both": ("higal", "alpha"),
}

TEXT = """
**All numbers of this page are of made sources.** They say what colours of such a scatter, and surveys of such a depth,
allow; they are no measurement of how well real sources are parted, for real classes have wrong labels, blends,
objects that no template describes, and other numbers. 200 sources of each class, two seeds; mean, and half the
difference of the seeds.
`sky=plane`: all sources in the Galactic plane, so that all surveys cover all classes alike; then a missing band
tells nothing of the class. The largest class alone: 14.3 right, mean F1 3.6.
"""

CONTEXT = """
Context: the published classifier of 20 000 real images (Riggi et al. 2024, PASA, arXiv:2402.15232) has F1, in per cent
and over its four sets of bands: Galactic or not 95.6-98.9, PN 58-77, HII 81-90, pulsar 69-79, YSO 18-32, star 30-46,
radio galaxy 82-88, QSO 84. It is not comparable with what stands above, and is quoted for the order of its classes alone.

What it shows: far-infrared bands part HII regions from planetary nebulae, the spectral index parts pulsars from
galaxies that the infrared misses; quasars and radio galaxies are the worst, for their colours overlap and most are below
the depth of the plane at 22 um and beyond. Where samples are taken from where the catalogues of each class are
(`sky=catalogues`), a model may learn from missing bands where a source is: the last table says what that is worth.
Young stars and stars are easier here than in the published table: their infrared over radio is assumed, and the made
samples have neither wrong labels nor few examples.
"""


def told(
    options: SamplesOptions, without: tuple[str, ...], *, coverage: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """(true class, told class) of the sources of a sample, left out in turn; of coverage alone where so wanted."""
    features = table_of(drawn(options), options)
    names = [each.name for each in features.columns if each.group in ("colour", "spectral")]
    names = [name for name in names if not any(word in name for word in without)]
    features = features.only(names)
    if coverage:
        ratio = features.only([name for name in names if name.startswith("ratio_") and "limit" not in name])
        limit = features.only([name for name in names if name.startswith("ratio_limit")])
        seen = np.isfinite(ratio.values) | np.isfinite(limit.values)
        features = type(ratio)(ratio.names, ratio.columns, seen.astype(float), ratio.facts)
    classes = options.classes
    targets = np.array([classes.index(label) for label in features.labels()])
    fold = stratified(targets, FOLDS, options.random_seed, "bench")
    out = np.empty(len(targets), np.int64)
    for k in range(FOLDS):
        model = LightGBMClassifier(MENU)
        mine = features.select(fold != k)
        model.fit(Labelled(mine.names, classes, targets[fold != k], features=mine))
        out[fold == k] = model.probabilities(features.select(fold == k)).argmax(axis=1)
    return targets, out


def f1(true: np.ndarray, said: np.ndarray, n: int) -> np.ndarray:
    """F1 of each class."""
    both = np.array([np.sum((true == k) & (said == k)) for k in range(n)])
    either = np.array([np.sum(true == k) + np.sum(said == k) for k in range(n)])
    return 2 * both / np.maximum(either, 1)


def row(name: str, chosen: dict, without: tuple[str, ...], *, coverage: bool = False) -> list[str]:
    """A row of a table: F1 of each class, their mean, accuracy, F1 of Galactic and extragalactic."""
    rows = []
    for seed in SEEDS:
        options = SamplesOptions(number=NUMBER, random_seed=seed, **chosen)
        true, said = told(options, without, coverage=coverage)
        far = np.array([not KINDS[name].galactic for name in options.classes])
        sides = f1(far[true].astype(int), far[said].astype(int), 2)
        each = f1(true, said, len(options.classes))
        rows.append([*each, each.mean(), np.mean(true == said), *sides])
    mean, spread = np.mean(rows, axis=0), np.ptp(rows, axis=0) / 2
    print(name, np.round(mean, 3), flush=True)
    return [name, *(f"{100 * m:.1f} +- {100 * s:.1f}" for m, s in zip(mean, spread, strict=True))]


def anchors() -> list[list[str]]:
    """What is declared beside what catalogues hold: log10 of infrared over radio of HII regions, indices of pulsars."""
    rows = []
    names = {
        "irac_8": "GLIMPSE",
        "wise_12": "WISE3",
        "wise_22": "WISE4",
        "mips_24": "MIPSGal",
        "higal_70": "HiGal70",
        "higal_160": "HiGal160",
    }
    path = DATA / "WISE_HII_V3.0.csv"
    if path.is_file():
        with path.open(newline="") as file:
            held = list(csv.DictReader(file))

        def numbers(column: str) -> np.ndarray:
            values = np.array([float(each[column]) if each[column] else np.nan for each in held])
            return np.where(values > 0, values, np.nan)

        radio = numbers("MAGPIS_Flux")
        for k, band in enumerate(BANDS):
            if band.name in names:
                log = np.log10(numbers(f"{names[band.name]}_Flux") / radio)
                log = log[np.isfinite(log)]
                width = np.diff(np.quantile(log, (0.16, 0.84)))[0] / 2
                told = f"{KINDS['hii'].ratios[k]:.2f}"
                what = f"log10 {band.name} / 20 cm"
                rows.append(
                    ["HII region", what, str(len(log)), f"{np.median(log):.2f}", f"{width:.2f}", told]
                )
    path = DATA / "ATNF_psrcat.db"
    if path.is_file():
        both = []
        for entry in path.read_text(errors="replace").split("@---"):
            found = {
                m[1]: float(m[2]) for m in re.finditer(r"^(S400|S1400) +([\d.eE+-]+)", entry, re.MULTILINE)
            }
            if len(found) == 2 and min(found.values()) > 0:
                both.append(np.log(found["S1400"] / found["S400"]) / np.log(3.5))
        width = np.diff(np.quantile(both, (0.16, 0.84)))[0] / 2
        what, told = "index, 0.4 to 1.4 GHz", f"{KINDS['pulsar'].alpha[0]:.2f}"
        rows.append(["pulsar", what, str(len(both)), f"{np.median(both):.2f}", f"{width:.2f}", told])
    return rows


def main() -> None:
    """Measure and write."""
    head = [
        "",
        *(KINDS[name].title for name in SamplesOptions().classes),
        "mean F1",
        "right",
        "Galactic",
        "extragalactic",
    ]
    scatter = [row(f"{each:g} x", {"scatter": each}, ()) for each in SCATTERS]
    bands = [row(name, {}, without) for name, without in WITHOUT.items()]
    wide = [row(f"{name}, 2 x", {"scatter": 2.0}, without) for name, without in WITHOUT.items() if without]
    lost = [row(f"{each:.0%} of the bands lost", {"missing": each}, ()) for each in (0.3, 0.6)]
    lost.append(row("spectral index alone", {}, ("ratio", "colour")))
    where = [
        row("all in the plane", {}, ()),
        row("where catalogues are", {"sky": "catalogues"}, ()),
        row("where catalogues are, coverage alone", {"sky": "catalogues"}, (), coverage=True),
        row("all in the plane, coverage alone", {}, (), coverage=True),
    ]
    text = ["## Made samples of seven classes\n", "Made by `python -m bench.made_classes`.", TEXT]
    text += [
        "F1 (per cent) against the scatter of the colours, in units of the declared:\n",
        table(head, scatter),
        "",
    ]
    text += [
        "F1 with and without bands, declared scatter and twice that:\n",
        table(head, [*bands, *wide]),
        "",
    ]
    text += ["F1 with bands lost by chance, beyond what surveys leave out:\n", table(head, lost), ""]
    text += ["F1 by where the sources are:\n", table(head, where), CONTEXT]
    held = anchors()
    if held:
        text += ["What real catalogues hold of two classes, beside what is declared for the samples:\n"]
        text += [table(["class", "number", "objects", "median", "half of 16-84 %", "declared"], held), ""]
    text += ["Where the numbers of each class are from:\n"]
    text += [table(["class", "sure", "source"], [[k.title, k.sure, k.source] for k in KINDS.values()])]
    (HERE / "made_classes.md").write_text("\n".join(text).rstrip() + "\n")


if __name__ == "__main__":
    main()
