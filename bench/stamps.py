"""What stamps cost: cut-outs of many positions, three-band stamps of one beam, and what flux they keep.

    python -m bench.stamps [--cutouts 10000] [--stamps 300] [--out FOLDER]

Prints CPU seconds and the largest memory of the process; the maps are made.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits

from skysift.sky.beam import Beam
from skysift.sky.frame import Frame
from skysift.stamps.batch import Item, cut_all
from skysift.stamps.making import Place, make_stamp
from skysift.stamps.options import StampsOptions
from skysift.stamps.surveys import of_maps
from skysift.stamps.written import stamp_bytes

SIDE = 4000  # pixels of a made map
BEAMS = ((5.4, 5.4, 0.0), (9.8, 5.8, 20.0), (6.1, 6.1, 0.0))
CENTRE = (180.0, -30.0)


def make_map(path: Path, beam: tuple[float, float, float], scale: float) -> Frame:
    """A map of noise with one source of 1 Jy in its middle, in a file."""
    cards: dict[str, str | float | int] = {"RADESYS": "ICRS"}
    for axis, (name, value, sign) in enumerate(
        (("RA---SIN", CENTRE[0], -1), ("DEC--SIN", CENTRE[1], 1)), start=1
    ):
        cards |= {f"CTYPE{axis}": name, f"CRVAL{axis}": value, f"CRPIX{axis}": SIDE / 2 + 0.5}
        cards[f"CDELT{axis}"] = sign * scale / 3600.0
    frame = Frame.from_cards(cards, (SIDE, SIDE))
    data = np.random.default_rng(1).normal(0.0, 1e-6, (SIDE, SIDE)).astype(np.float32)
    half, covariance = 60, np.linalg.inv(Beam(*beam).to_covariance())
    y, x = np.mgrid[SIDE // 2 - half : SIDE // 2 + half, SIDE // 2 - half : SIDE // 2 + half]
    east, north = -(x - SIDE / 2 + 0.5) * scale, (y - SIDE / 2 + 0.5) * scale
    power = covariance[0, 0] * east**2 + 2 * covariance[0, 1] * east * north + covariance[1, 1] * north**2
    data[y, x] += np.exp(-0.5 * power)
    header = fits.Header(list(frame.cards))
    header["BUNIT"], header["BMAJ"], header["BMIN"], header["BPA"] = (
        "Jy/beam",
        beam[0] / 3600,
        beam[1] / 3600,
        beam[2],
    )
    fits.writeto(path, data, header, overwrite=True)
    return frame


def cutouts(path: Path, frame: Frame, n: int, folder: Path) -> None:
    """Time `n` cut-outs of 300 x 300 pixels into one archive."""
    rng = np.random.default_rng(2)
    ra, dec = frame.to_sky(rng.uniform(200, SIDE - 200, n), rng.uniform(200, SIDE - 200, n))
    radius = 149.4 * frame.scale[0] / 3600.0
    items = [
        Item(str(k), (str(path),), f"CIRCLE {a:.7f} {d:.7f} {radius:.7f}")
        for k, (a, d) in enumerate(zip(ra, dec, strict=True))
    ]
    begun = time.process_time()
    outcomes = cut_all(items, folder / "cutouts.tar", folder / "work")
    spent = time.process_time() - begun
    size = (folder / "cutouts.tar").stat().st_size / 1e9
    (folder / "cutouts.tar").unlink()
    told = f"{sum(each.ok for each in outcomes)} of {n} cut-outs of {outcomes[0].shape}, one archive of {size:.2f} GB"
    print(f"{told}: {spent:.1f} CPU s, {1e3 * spent / n:.2f} ms each")


def stamps(paths: list[Path], frame: Frame, n: int) -> None:
    """Time `n` stamps of three bands, 300 x 300 pixels, smallest common beam, with the bytes of their files."""
    bands = of_maps([str(path) for path in paths])
    options = StampsOptions(pixels=300, scale=1.8)
    rng = np.random.default_rng(3)
    ra, dec = frame.to_sky(rng.uniform(600, SIDE - 600, n), rng.uniform(600, SIDE - 600, n))
    places = [Place(str(k), float(a), float(d)) for k, (a, d) in enumerate(zip(ra, dec, strict=True))]
    make_stamp(places[0], bands, options, 1.8)
    begun = time.process_time()
    for place in places:
        stamp_bytes(make_stamp(place, bands, options, 1.8), (), aligned=True)
    spent = time.process_time() - begun
    told = f"{n} stamps of {len(bands)} bands, 300 x 300 px, common beam"
    print(
        f"{told}: {spent:.1f} CPU s, {1e3 * spent / n:.1f} ms each, {1e3 * spent / n / len(bands):.1f} ms a band"
    )


def fluxes(paths: list[Path]) -> None:
    """Print the flux of the source of 1 Jy in each band at 15 x 12 arcsec."""
    options = StampsOptions(pixels=120, scale=1.8, beam=(15.0, 12.0, 30.0))
    made = make_stamp(Place("one", *CENTRE), of_maps([str(path) for path in paths]), options, 1.8)
    for path, layer in zip(paths, made.layers, strict=True):
        assert layer.beam is not None
        flux = float(np.nansum(layer.data, dtype=np.float64)) * layer.frame.pixel_area / layer.beam.area
        print(f"{path.name}: 1 Jy is {flux:.4f} Jy in the beam {layer.beam}")


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cutouts", type=int, default=10_000)
    parser.add_argument("--stamps", type=int, default=300)
    parser.add_argument("--out", type=Path, default=None, help="a folder with room for 4 GB")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.out) as name:
        folder = Path(name)
        paths = [folder / f"band{k}.fits" for k in range(3)]
        frames = [
            make_map(path, beam, scale)
            for path, beam, scale in zip(paths, BEAMS, (1.8, 1.5, 1.4), strict=True)
        ]
        fluxes(paths)
        stamps(paths, frames[1], asked.stamps)
        cutouts(paths[0], frames[0], asked.cutouts, folder)
    print(f"largest memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


if __name__ == "__main__":
    main()
