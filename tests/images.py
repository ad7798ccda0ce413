"""Images in memory for tests: skies as `tests.skies` paints them, with the beam of their pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests import skies

from skysift.find.finding import Finding
from skysift.find.run import make_finder, search
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.sky.image import SkyImage
from skysift.sky.schema import TABLES

BEAM = (6.0, 3.5, 30.0)  # FWHM in pixels, degrees from +y towards -x
ROUND = (4.0, 4.0, 0.0)
RMS = 1e-3
MAPS = ("background", "rms", "model", "residual", "labels")


def frame(
    shape: tuple[int, int],
    *,
    projection: str = "SIN",
    centre: tuple[float, float] = (180.0, -30.0),
    scale: tuple[float, float] = (2.0, 2.0),
    axes: tuple[str, str] = ("RA", "DEC"),
    rotation: float = 0.0,
    mirrored: bool = False,
    **cards: Any,
) -> Frame:
    """A frame around its reference point; `scale` is (sy, sx) in arcsec, `rotation` in degrees."""
    header: dict[str, Any] = {
        "CTYPE1": f"{axes[0]:-<5}{projection}",
        "CTYPE2": f"{axes[1]:-<5}{projection}",
        "CRVAL1": centre[0],
        "CRVAL2": centre[1],
        "CRPIX1": shape[1] / 2 + 0.5,
        "CRPIX2": shape[0] / 2 + 0.5,
        "CDELT1": (1 if mirrored else -1) * scale[1] / 3600,
        "CDELT2": scale[0] / 3600,
        "CROTA2": rotation,
    }
    if axes == ("RA", "DEC"):
        header["RADESYS"] = "ICRS"
    return Frame.from_cards(header | cards, shape)


def image(
    data: np.ndarray,
    beam_px: tuple[float, float, float] = ROUND,
    *,
    scale: tuple[float, float] = (2.0, 2.0),
    **place: Any,
) -> SkyImage:
    """The image of an array with a beam in pixels; on the sky where `place` says where (see `frame`)."""
    at = frame(data.shape, scale=scale, **place) if place else Frame.pixels_only(data.shape, scale)
    arcsec = np.diag([scale[1], scale[0]])
    beam = skies.ellipse(arcsec @ skies.covariance(*beam_px) @ arcsec)
    return SkyImage.from_array(data, beam=Beam(*(float(each) for each in beam)), frame=at)


def source(
    x: float, y: float, total: float, major: float = 0.0, minor: float | None = None, pa: float = 0.0
) -> np.ndarray:
    """One source as `skies.paint` takes them; axes are deconvolved FWHM in pixels."""
    one = np.zeros(1, skies.SOURCE)
    one["kind"] = "gaussian" if major else "point"
    one["x"], one["y"], one["total"] = x, y, total
    one["dmaj"], one["dmin"], one["dpa"] = major, major if minor is None else minor, pa
    return one


def painted(
    shape: tuple[int, int],
    *sources: np.ndarray,
    beam_px: tuple[float, float, float] = ROUND,
    rms: float = RMS,
    noise: str | None = "convolved",
    seed: int = 0,
    **place: Any,
) -> SkyImage:
    """The image of some sources on noise."""
    every = np.concatenate(sources) if sources else None
    data, _ = skies.paint(shape, beam_px, rms=rms, noise=noise, sources=every, seed=seed)
    return image(data, beam_px, **place)


def finding(
    what: SkyImage, *, tile: int = 1024, workers: int = 1, region: Any = None, **options: Any
) -> Finding:
    """All that the classic finder finds."""
    return search(what, make_finder("classic", **options), tile=tile, workers=workers, region=region)


def well_formed(finding: Finding) -> Finding:
    """The finding, once its tables and maps hold no nonsense."""
    whole = Box.of(finding.image.shape)
    data = np.isfinite(finding.image.read()) & ~finding.noise.mesh.padded(whole)
    for name in MAPS if len(finding.catalogue) else ():
        assert np.isfinite(finding.read(name, whole)[data]).all(), name
    if len(finding.catalogue):
        assert (finding.read("rms", whole)[data] > 0).all()
    for table in TABLES:
        rows = finding.catalogue.table(table)
        for name in (
            "x",
            "y",
            "flux",
            "flux_peak",
            "flux_int",
            "major",
            "minor",
            "rms",
            "snr",
            "residual_rms",
        ):
            if name in rows:
                assert np.isfinite(rows[name]).all(), (table, name)
        for name in rows.columns:
            if name.endswith("_err"):
                assert not (rows[name] < 0).any(), (table, name)
    return finding
