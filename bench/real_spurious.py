"""python -m bench.real_spurious: how well a small network tells real detections from artefacts.

Held-out made maps (seeds that were not learnt from), and real maps as they are and upside down: what is found upside
down cannot be real, what is found bright is. Needs the real maps: the folder SKYSIFT_DATA, or ../shared/data.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

import skysift
from bench.peers.tables import table
from skysift.classify.classifier import Labelled, open_model
from skysift.classify.detections import MadeDetections, cut, made_detections
from skysift.classify.options import DetectionsOptions
from skysift.find.run import make_finder, search
from skysift.sky.image import SkyImage
from skysift.stamps.opening import open_pictures

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("SKYSIFT_DATA", HERE.parents[1] / "shared" / "data")) / "continuum"
MAPS = ("AMI-LA_GRB120422A", "LOFAR_GRB201006A_144MHz", "SUMSS_J0318M36", "ATCA_ScorpioS17Field")
FIELDS, SEED, SNR = 16, 1001, 4.5

TEXT = """
The classifier that ships learnt from 48 made maps (`recipes/classify/real-spurious.yaml`); the sixteen of this page are
made with other seeds. Spurious is what is false by the truth of a made map: sidelobes, wrong gains, stripes, noise. The
area under the curve (AUC) is of telling spurious from real; S/N alone is what a cut gives.
"""
NOTES = """
Real maps: nobody knows all that is real in them. What is found upside down is spurious; what has 20 sigma or more is
taken for real, though a bright artefact may be among it. Holes look unlike bright artefacts: the row of a map upside
down says how much of what is surely spurious is told so, not how much of the artefacts of the map itself.
"""


def auc(spurious: np.ndarray, told: np.ndarray) -> float:
    """The probability that a spurious one has more than a real one."""
    order = np.argsort(np.argsort(told, kind="stable"), kind="stable") + 1.0
    n, m = spurious.sum(), (~spurious).sum()
    return float((order[spurious].sum() - n * (n + 1) / 2) / max(n * m, 1))


def pictures_of(pixels: np.ndarray, folder: Path) -> object:
    """Stamps as pictures."""
    np.savez(folder / "stamps.npz", images=pixels[:, None], bands=np.array(["radio"]))
    return open_pictures(folder / "stamps.npz")


def features_told(learnt: tuple[np.ndarray, np.ndarray], asked: np.ndarray, folder: Path) -> np.ndarray:
    """What LightGBM on plain features tells."""
    from skysift.base.parallel import ALONE
    from skysift.classify.features.options import FeaturesOptions
    from skysift.classify.features.table import features_of
    from skysift.classify.options import LightGBMOptions
    from skysift.classify.tables import LightGBMClassifier

    menu = FeaturesOptions(scale=1.0, beam=4.0)
    first, second = (features_of(pictures_of(each, folder), menu, ALONE) for each in (learnt[0], asked))
    model = LightGBMClassifier(LightGBMOptions(balance="weights"))
    model.fit(Labelled(first.names, ("real", "spurious"), learnt[1].astype(np.int64), features=first))
    return model.probabilities(second)[:, 1]


def random_told(learnt: tuple[np.ndarray, np.ndarray], asked: np.ndarray, classifier: object) -> np.ndarray:
    """What logistic regression on features of the same network with random weights tells."""
    import torch

    from skysift.learn.embed import vectors
    from skysift.learn.layers.resnet import ResNet
    from skysift.learn.probe import Probe
    from skysift.learn.scale import prepare

    torch.manual_seed(1)
    how = classifier.preparation
    net = ResNet(8, (1, 1, 1), how.channels(1)).eval()
    first, second = (vectors(net, prepare(each[:, None], how)) for each in (learnt[0], asked))
    return Probe("linear", balanced=True).fit(first, learnt[1]).probabilities(second)[:, 1]


def read(path: str | None) -> MadeDetections | None:
    """What `skysift simulate detections` wrote."""
    if path is None:
        return None
    with np.load(path) as held:
        real = held["label"] == "real"
        return MadeDetections(
            held["images"][:, 0], real, held["field"], held["snr"], held["inverted"], held["beam_pixels"]
        )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--held", help="stamps.npz of the sixteen maps, where they were made before")
    parser.add_argument("--learnt", help="stamps.npz of the 48 maps, likewise")
    arguments = parser.parse_args()
    classifier = open_model("real-spurious")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        held = read(arguments.held) or made_detections(DetectionsOptions(fields=FIELDS, random_seed=SEED))
        learnt = read(arguments.learnt) or made_detections(DetectionsOptions(fields=48, random_seed=1))
        spurious = ~held.real
        given = (learnt.pixels, ~learnt.real)
        told = {
            "S/N alone": 1.0 / held.snr,
            "network with random weights, logistic regression": random_told(given, held.pixels, classifier),
            "plain features, LightGBM": features_told(given, held.pixels, folder),
            "real-spurious": classifier.probabilities(pictures_of(held.pixels, folder))[:, 1],
        }
        rows = [["majority", "0.500", f"{max(spurious.mean(), 1 - spurious.mean()):.3f}", "1.000", "0.000"]]
        for title, values in told.items():
            values = np.nan_to_num(values, nan=0.5)
            if title == "S/N alone":
                rows.append([title, f"{auc(spurious, values):.3f}", "", "", ""])
                continue
            says = values > 0.5
            rows.append([title, f"{auc(spurious, values):.3f}", f"{np.mean(says == spurious):.3f}"])
            rows[-1] += [f"{np.mean(~says[~spurious]):.3f}", f"{np.mean(says[spurious]):.3f}"]
        print(rows, flush=True)
        real = []
        for each in MAPS:
            image = skysift.open(str(DATA / f"{each}.fits"))
            data = np.asarray(image.read(), np.float32)
            for side, sign in (("as it is", 1.0), ("upside down", -1.0)):
                map_of = SkyImage.from_array(sign * data, beam=image.beam, frame=image.frame, name=each)
                found = search(map_of, make_finder("classic", seed=SNR)).catalogue.sources
                if not len(found):
                    real.append([each, side, "0", "", "", ""])
                    continue
                y, x = (
                    np.clip(np.round(np.asarray(found[c])).astype(int), 0, n - 1)
                    for c, n in zip("yx", data.shape, strict=True)
                )
                p = classifier.probabilities(pictures_of(cut(sign * data, y, x, 48), folder))[:, 1]
                bright = np.asarray(found["snr"]) >= 20
                share = f"{np.mean(p[bright] > 0.5):.2f} of {bright.sum()}" if bright.any() else ""
                real.append([each, side, str(len(p)), f"{np.mean(p > 0.5):.2f}", share])
                print(real[-1], flush=True)
    text = ["## Real or spurious\n", "Made by `python -m bench.real_spurious`.", TEXT]
    text += [f"{len(spurious)} detections, {spurious.sum()} spurious:\n"]
    text += [table(["", "AUC", "right", "real ones kept", "spurious ones told"], rows), ""]
    text += [table(["map", "side", "found", "told spurious", "at 20 sigma and more"], real), NOTES]
    (HERE / "real_spurious.md").write_text("\n".join(text).rstrip() + "\n")


if __name__ == "__main__":
    main()
