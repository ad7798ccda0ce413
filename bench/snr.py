"""python -m bench.snr: how well shapes in one band tell supernova remnants from all else that is extended.

Made fields of the Galactic plane (`skysift simulate galactic`), some to learn from and others to test: no labelled
images of remnants are at hand. With ``--made FOLDER`` the stamps are written there, as the recipe
`recipes/classify/snr-candidate.yaml` reads them, and read again in a later run.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates

import skysift
from bench.peers.tables import table
from skysift.base.random import generator
from skysift.classify.classifier import Labelled
from skysift.classify.evaluation import majority, random_probe
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.table import features_of
from skysift.classify.options import LightGBMOptions
from skysift.classify.scores import class_table, numbers_of
from skysift.classify.tables import LightGBMClassifier
from skysift.classify.tasks import labelled_by, task_named
from skysift.stamps.opening import open_pictures

HERE = Path(__file__).resolve().parent
PARTS = {"learnt": range(1, 5), "tested": range(101, 104)}  # seeds of the fields
SIDE, WIDE = 64, 1.6  # pixels of a stamp, and its side over the size of the source
LEAST, FAINTEST = (
    3.0,
    2.0,
)  # beams along a source, and times the noise that its mean brightness has, to be taken
FIELD = {
    "n_pixels": 1024, "pixel": 4.0, "beam": 10.0, "size_scale": 0.5, "supernova_remnants": 20.0, "hii_regions": 40.0,
    "bubbles": 20.0, "filaments": 10.0, "planetary_nebulae": 5.0, "flux_min": 1e-3,
}  # fmt: skip

HEAD = """Made by `python -m bench.snr`. All of it is made: fields of `skysift simulate galactic`, one band, labelled by
their truth. Of the real maps at hand only those of the Galactic centre hold remnants of a catalogue (three), and these
show dust and stars; the radio maps of the plane (ATCA, Scorpio) have no right positions. So nothing real is tested.
"""
NOTES = """
One division into fields to learn from and to test, chosen beforehand; no setting was tried on the tested ones, and no
scatter was measured. The numbers say how far shapes part kinds that were drawn as we believe them to look, no more. Half
of the made remnants are missed, and six of twelve filaments are taken for one: no weights ship.
"""


def stamps_of(seed: int) -> dict[str, np.ndarray]:
    """Stamps of what is extended in one made field, as wide as the source, with its kind.

    Middles and sizes are not those of the truth: a finder errs by a tenth of the size, and by 0.8 to 1.3 times in it.
    """
    ((image, truth),) = skysift.simulate("galactic", random_seed=seed, **FIELD)
    data = np.asarray(image.read(), np.float64)
    sources, rng = truth.catalogue.sources, generator(seed, "bench", "snr")
    scale, beam = image.frame.scale[0], image.beam.major
    across = np.asarray(sources["angular_size"], float)
    discs = np.pi / 4 * (across / beam) ** 2 / (np.pi / (4 * np.log(2)))  # in areas of the beam
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.asarray(sources["flux_int"]) / discs / np.asarray(sources["rms"])
    made: dict[str, list] = {name: [] for name in ("images", "label", "kind", "name")}
    for k in np.flatnonzero((across >= LEAST * beam) & (mean >= FAINTEST)):
        size = across[k] / scale * rng.uniform(0.8, 1.3)
        y, x = (float(sources[c][k]) + 0.1 * across[k] / scale * rng.normal() for c in "yx")
        if not (0 <= y < len(data) and 0 <= x < len(data)):
            continue
        at = (np.arange(SIDE) - (SIDE - 1) / 2) * WIDE * size / SIDE
        grid = np.meshgrid(y + at, x + at, indexing="ij")
        made["images"].append(map_coordinates(data, grid, order=1, cval=np.nan).astype(np.float32))
        kind = str(sources["object_type"][k])
        made["label"].append("SNR" if kind == "SNR" else "other")
        made["kind"].append(kind if kind in ("SNR", "HII", "bubble", "filament", "PN") else "galaxy")
        made["name"].append(f"made-{seed}-{k}")
    print(seed, len(made["name"]), flush=True)
    return {name: np.array(values) for name, values in made.items()}


def part(name: str, folder: Path) -> Labelled:
    """Stamps of a part with their labels and features; made where they are not there."""
    path = folder / f"{name}.npz"
    if not path.is_file():
        fields = [stamps_of(seed) for seed in PARTS[name]]
        np.savez(path, **{key: np.concatenate([each[key] for each in fields]) for key in fields[0]})
    given = open_pictures(path)
    data, _ = labelled_by(given, task_named("snr"), column="label")
    features = features_of(data.pictures, FeaturesOptions(scale=1.0, beam=4.0))
    return Labelled(data.names, data.classes, data.targets, data.pictures, features)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--made", type=Path, help="the folder of the stamps")
    parser.add_argument("--out", type=Path, default=HERE / "snr.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.made or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        learnt, tested = (part(each, folder) for each in PARTS)
        classifier = LightGBMClassifier(LightGBMOptions(balance="weights"))
        classifier.fit(learnt)
        told = {
            "majority class": majority(learnt, tested),
            "network with random weights, logistic regression": random_probe(learnt)(learnt, tested),
            "features, LightGBM": classifier.probabilities(tested.features),
        }
        rows = []
        for title, values in told.items():
            values = np.where(np.isfinite(values), values, majority(learnt, tested))
            numbers, each = (
                numbers_of(values, tested.targets),
                class_table(tested.classes, values, tested.targets),
            )
            shown = [
                numbers["accuracy"],
                numbers["macro_f1"],
                *(each[key][0] for key in ("precision", "recall", "f1")),
            ]
            rows.append([title, *(f"{np.nan_to_num(value):.3f}" for value in shown)])
        kinds = np.asarray(tested.pictures.facts["kind"])
        p = np.nan_to_num(told["features, LightGBM"][:, 0])
        counted = [
            [kind, str(int((kinds == kind).sum())), f"{np.mean(p[kinds == kind] >= 0.5):.2f}"]
            for kind in ("SNR", "HII", "bubble", "filament", "PN", "galaxy")
            if (kinds == kind).any()
        ]
    heads = ["", "right", "macro-F1", "precision of SNR", "recall of SNR", "F1 of SNR"]
    fields = [len(seeds) for seeds in PARTS.values()]
    parts = (
        f"{len(learnt)} stamps of {fields[0]} fields to learn from ({learnt.counts[0]} remnants), {len(tested)} of "
        f"{fields[1]} other fields to test ({tested.counts[0]}). A stamp is {WIDE:g} times as wide as the source, so "
        "that its size tells nothing.\n"
    )
    text = ["## Candidates of supernova remnants\n", HEAD, parts, table(heads, rows), ""]
    text += [table(["kind", "tested", "told SNR"], counted), NOTES]
    arguments.out.write_text("\n".join(text).rstrip() + "\n")
    print("\n".join(text))


if __name__ == "__main__":
    main()
