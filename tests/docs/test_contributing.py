"""Following CONTRIBUTING.md adds a finder: in the package by a line of the index, outside by entry points."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests import skies
from tests.docs.pages import markdown_blocks

import skysift
import skysift.find
from skysift.base.registry import Registry
from skysift.cli.options import menu_text
from skysift.find.run import make_finder
from skysift.flow.steps.find import find_products
from skysift.plugins import PLUGINS

PAGE = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"
FILES = {block.caption: block.text for block in markdown_blocks(PAGE) if block.caption}
BEAM = (4.0, 4.0, 0.0)


def paint(path):
    sources = skies.population((300, 300), BEAM, n_points=20, n_extended=3, snr=(10, 500), seed=3)
    image, truth = skies.paint((300, 300), BEAM, sources=sources, seed=3)
    skies.write(path, image, BEAM)
    return truth


@pytest.fixture
def flat(tmp_path, monkeypatch):
    """The folder skysift/find/flat as the page says, and its line in the index."""
    folder = tmp_path / "rooms" / "flat"
    folder.mkdir(parents=True)
    for name in ("__init__.py", "options.py", "finder.py"):
        (folder / name).write_text(FILES[name])
    monkeypatch.setattr(skysift.find, "__path__", [*skysift.find.__path__, str(folder.parent)])
    for name, paths in ast.literal_eval("{" + FILES["index"] + "}").items():
        monkeypatch.setitem(PLUGINS["finder"], name, paths)
    yield
    for name in [name for name in sys.modules if name.startswith("skysift.find.flat")]:
        del sys.modules[name]
    skysift.find.__dict__.pop("flat", None)


@pytest.mark.usefixtures("flat")
def test_a_line_of_the_index_is_all(tmp_path):
    truth = paint(tmp_path / "map.fits")
    image = skysift.open(tmp_path / "map.fits")
    catalogue = skysift.find(image, "flat", level=6)
    bright = truth[truth["snr"] > 20]
    near = (catalogue.components["x"][:, None] - bright["x"]) ** 2
    near += (catalogue.components["y"][:, None] - bright["y"]) ** 2
    assert (near.min(axis=0) < 9).all()
    menu = Registry("finder").options("flat")
    assert "Pixels this bright belong to an object." in menu_text("flat", menu)
    assert [row.name for row in menu.rows()][-1] == "level"
    finder = make_finder("flat", level=6)
    find_products(image, finder, tmp_path / "out", name="flat", maps=(), report=False)
    found = skysift.open(tmp_path / "out")
    assert found.sources == catalogue.sources
    assert found.provenance.finder == "flat"


@pytest.mark.usefixtures("flat")
def test_the_test_on_the_page_passes():
    names = {}
    exec(compile(FILES["test_flat.py"], str(PAGE), "exec"), names)
    names["test_an_object_that_tiles_cut_is_one"]()


def test_a_guest_comes_by_entry_points(tmp_path):
    paint(tmp_path / "map.fits")
    package, told = tmp_path / "site" / "flatfinder", tmp_path / "site" / "flatfinder-1.0.dist-info"
    package.mkdir(parents=True)
    told.mkdir()
    for name in ("__init__.py", "options.py", "finder.py"):
        (package / name).write_text(FILES[name].replace("skysift.find.flat", "flatfinder"))
    groups = tomllib.loads(FILES["pyproject.toml"])["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in each.items()) for group, each in groups.items()
    ]
    (told / "entry_points.txt").write_text("\n".join(lines))
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: flatfinder\nVersion: 1.0\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "skysift.cli.main",
            "find",
            "map.fits",
            "--out",
            "out",
            "--finder",
            "flat",
            "--no-report",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(skysift.open(tmp_path / "out").sources) > 5
