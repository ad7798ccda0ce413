"""Every example of the README, the start and the how-to pages runs, in the order in which it stands there."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests import skies
from tests.docs import pages

from skysift.data import demo_map

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [
    CHECKOUT / "README.md",
    *sorted((CHECKOUT / "docs" / "start").glob("*.rst")),
    *sorted(path for path in (CHECKOUT / "docs" / "how-to").glob("*.rst") if path.stem != "index"),
]
BEAM = (4.0, 4.0, 0.0)
NO_BEAM = dict.fromkeys(("BMAJ", "BMIN", "BPA"))
NO_SKY = dict.fromkeys(("CTYPE1", "CTYPE2"))
NOTHING = {
    **NO_BEAM,
    **NO_SKY,
    **dict.fromkeys(f"{key}{axis}" for key in ("CDELT", "CRVAL", "CRPIX", "CUNIT") for axis in (1, 2)),
    **dict.fromkeys(("RADESYS", "BUNIT")),
}
MAPS = {
    "map.fits": {},
    "deep.fits": {"seed": 4},
    "faint.fits": {"size": 600, "n_points": 4, "n_extended": 0, "n_doubles": 0, "seed": 5},
    "nobeam.fits": {"cards": NO_BEAM},
    "plain.fits": {"cards": NO_SKY},
    **{f"{letter}.fits": {"stokes": letter} for letter in "quv"},
    "bare.fits": {"cards": NOTHING},
}


def paint(path, *, size=300, n_points=40, n_extended=6, n_doubles=4, seed=3, stokes="", cards=None):
    counts = {"n_points": n_points, "n_extended": n_extended, "n_doubles": n_doubles}
    sources = skies.population((size, size), BEAM, **counts, snr=(5, 500), seed=seed)
    if stokes:  # of map.fits: 10 % linear, every fourth source circular, and one source in V alone
        number = " iquv".index(stokes)
        shares = (np.cos(1.0) / 10, np.sin(1.0) / 10, np.where(np.arange(len(sources)) % 4, 0.0, -0.3))
        sources["total"] *= shares[number - 2]
        alone = np.zeros(1, skies.SOURCE)
        alone["kind"], alone["x"], alone["y"], alone["total"] = "point", 20, 280, 2e-4 * (stokes == "v")
        sources, seed = np.concatenate([sources, alone]), seed + 100 * number
        axis = {"CTYPE3": "STOKES", "CRVAL3": float(number), "CRPIX3": 1.0, "CDELT3": 1.0, "WCSAXES": 3}
        cards = axis | (cards or {})
    image, _ = skies.paint((size, size), BEAM, sources=sources, seed=seed)
    skies.write(path, image, BEAM, **(cards or {}))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    for name in pages.wanted_maps(path):
        if name in MAPS:
            paint(tmp_path / name, **MAPS[name])
        else:
            assert name == demo_map().name
            shutil.copy(demo_map(), tmp_path)
    pages.run(path, tmp_path, inside=path.name != "README.md")  # what a reader meets first runs as he runs it


def test_every_how_to_page_shows_something_to_do():
    for path in PAGES:
        assert any(block.language in pages.RUN for block in pages.blocks(path)), path
