"""The menu of made samples of classes; light: no arrays are loaded by it."""

from __future__ import annotations

from typing import Literal

from skysift.base.options import Options, option

__all__ = ["SamplesOptions"]


class SamplesOptions(Options):
    """How many sources of which classes, how wide their colours scatter, and what the surveys see of them."""

    classes: tuple[str, ...] = option(
        ("galaxy", "qso", "pn", "hii", "pulsar", "yso", "star"), doc="Which classes are drawn."
    )
    number: int = option(300, at_least=1, at_most=1_000_000, doc="Sources of each class.")
    scatter: float = option(
        1.0,
        at_least=0.0,
        at_most=10.0,
        doc="Scatter of the colours of each class, in units of the declared one.",
    )
    alpha_scatter: float = option(
        1.0, at_least=0.0, at_most=10.0, doc="Scatter of the spectral indices, in units of the declared one."
    )
    sky: Literal["plane", "catalogues"] = option(
        "plane",
        doc="Where sources are: all of them in the Galactic plane, so that all bands cover all classes alike; or where "
        "the catalogues of each class are, so that most extragalactic ones lack the bands of the plane.",
    )
    far_infrared: bool = option(True, doc="Whether there are bands from 70 to 500 um.")
    confusion: float = option(
        1.0,
        at_least=0.0,
        at_most=10.0,
        doc="Unrelated stars and clouds in the beam, in units of the declared numbers.",
    )
    missing: float = option(
        0.0,
        at_least=0.0,
        at_most=1.0,
        doc="Part of the infrared bands that are lost beyond what surveys leave out.",
    )
    rms: float = option(
        0.03, unit="mJy/beam", above=0.0, doc="Noise of the radio map at 1.4 GHz; sources are above 5 of it."
    )
    threshold: float = option(
        3.0, unit="sigma", above=0.0, doc="What is fainter in a band is an upper limit of so many sigma."
    )
    stamps: int = option(
        0, at_least=0, at_most=512, doc="Side of small images of all bands (pixel); 0 makes the table alone."
    )
    pixel: float = option(2.0, unit="arcsec", above=0.0, doc="Size of their pixels.")
    random_seed: int = option(1, at_least=0, doc="The same number gives the same sample.")
