"""The pages are built without a warning, and tell of everything that can be chosen, read or met."""

import html
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import skysift
from skysift.base import errors
from skysift.base.registry import Registry
from skysift.cli.main import _load
from skysift.flow.steps.find import product_names
from skysift.plugins import PLUGINS
from skysift.serve.options import ServeOptions
from skysift.sky.flags import FLAGS
from skysift.sky.schema import COLUMNS, FURTHER

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the pages, built from nothing; a warning is an error."""
    out = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(out / "doctrees"), str(DOCS), str(out / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out / "html"


@pytest.fixture(scope="module")
def targets(built):
    """{role: names} of everything that a page can link to."""
    lines = zlib.decompress((built / "objects.inv").read_bytes().split(b"\n", 4)[4]).decode().splitlines()
    found = {}
    for line in lines:
        name, role = re.match(r"(.+?) (\S+:\S+) ", line).groups()
        found.setdefault(role, set()).add(name)
    return found


def text_of(page):
    body = page.read_text()
    return html.unescape(re.sub(r"<[^>]+>", "", body[body.index('class="body"') :]))


def text_alone(doc):
    return doc.replace("`", "")


def test_every_option(targets):
    for kind, names in PLUGINS.items():
        for name in filter(Registry(kind).has_options, names):
            assert {row.name for row in Registry(kind).options(name).rows()} <= targets["std:opt"]


def test_every_column_and_flag(targets):
    assert {each.name for each in (*COLUMNS, *FURTHER)} == targets["std:col"]
    assert {each.name for each in FLAGS} == targets["std:flag"]


@pytest.mark.parametrize("name", Registry("command").names())
def test_every_command_and_its_flags(targets, name):
    for each in _load(name).params:
        for flag in (*each.opts, *each.secondary_opts):
            if flag.startswith("-"):
                assert f"skysift-{name}.{flag}" in targets["std:cmdoption"]


def test_every_plug_in_stands_in_the_index(built):
    page = text_of(built / "reference" / "plugins.html")
    for names in PLUGINS.values():
        for name, (path, _) in names.items():
            assert re.search(rf"\b{name}\b", page)
            assert path in page


def test_every_format_and_its_suffixes(built):
    page = text_of(built / "reference" / "formats.html")
    for name in Registry("format").names():
        assert name in page
        assert all(suffix in page for suffix in Registry("format").load(name).suffixes)


def test_every_layout_and_its_columns(built):
    page = text_of(built / "reference" / "layouts.html")
    for name in Registry("layout").names():
        layout = Registry("layout").load(name)()
        assert f"{name}: {layout.title}" in page
        assert all(suffix in page for suffix in layout.suffixes)
        for places in getattr(layout, "places", {}).values():
            assert all(re.search(rf"\b{re.escape(place.theirs)}\b", page) for place in places if place.ours)


def test_every_product(built):
    page = text_of(built / "reference" / "products.html")
    maps = ("background", "rms", "model", "residual", "labels")
    for name in product_names(("fits",), maps, report=True, segments=True):
        stem = name.removesuffix(".fits")
        assert stem in page if stem in ("islands", "sources", "components", "spines") else name in page


def test_every_setting_and_error(built, targets):
    told = (DOCS.parent / "src" / "skysift" / "base" / "settings.py").read_text()
    page = text_of(built / "reference" / "settings.html")
    assert all(name in page for name in set(re.findall(r"\bSKYSIFT_[A-Z_]*[A-Z]\b", told)))
    assert all(
        row.name in page and text_alone(row.doc) in " ".join(page.split()) for row in ServeOptions.rows()
    )
    listed = {name.rpartition(".")[2] for name in targets["py:exception"]}
    assert {name for name in errors.__all__ if name.endswith(("Error", "Name", "Warning"))} <= listed


def test_every_public_name(targets):
    documented = {name for role, names in targets.items() if role.startswith("py:") for name in names}
    last = {name.rpartition(".")[2] for name in documented}
    assert set(skysift.__all__) - {"__version__"} <= last


def test_every_page_is_short():
    for path in set(DOCS.rglob("*.rst")) - {DOCS / "ideas" / "references.rst"}:  # a list, not a text to read
        assert len(path.read_text().split()) < 1200, path


def test_the_readme_knows_every_command():
    readme = (DOCS.parent / "README.md").read_text()
    for name in Registry("command").names():
        assert f"`skysift {name} " in readme


def test_the_picture_is_light():
    assert (DOCS / "_static" / "fornax_a.png").stat().st_size < 500_000
