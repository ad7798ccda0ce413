"""`on_real_map`: a real map with made sources in it, so that networks see real noise, artefacts and diffuse emission."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skysift.find.noise import measure_noise
from skysift.find.run import find, make_finder
from skysift.flow.options import InjectMapOptions
from skysift.flow.steps.inject import InjectStep
from skysift.flow.training.labels import truth_of_catalogue
from skysift.measure.options import NoiseOptions
from skysift.sky.image import SkyImage
from skysift.sky.truth import Truth

__all__ = ["on_real_map"]

_SEED, _GROW = 4.0, 3.0  # sigma: what the classic finder is told when it looks for what is really there


def on_real_map(
    image: SkyImage, inject: Mapping[str, Any], reliability: float, noise: NoiseOptions
) -> tuple[SkyImage, Truth, Truth]:
    """
    The map with made sources in it, these sources, and the real ones of the map.

    The real ones are those of the classic finder above 4 sigma that are as reliable as wanted; what is less reliable
    (sidelobes, stripes) is no source, and a network that takes it for one is wrong. Real sources below 4 sigma count
    as background, too: of maps as deep as a survey they are few beside the made ones.

    Parameters
    ----------
    image
        The real map.
    inject
        Options of the step `inject`.
    reliability
        That a found source needs to be real.
    noise
        How noise is measured.

    Raises
    ------
    UsageError
        The map has no room for so many sources, or holds no data.
    """
    kept = {**noise.to_dict(), "seed": _SEED, "grow": _GROW, "reliability": reliability}
    found = find(image, make_finder("classic", **kept))
    real, _ = truth_of_catalogue(Truth(found), image, measure_noise(image, noise))
    full, made = InjectStep(InjectMapOptions.parse(dict(inject))).make(image)
    return full, made, real
