"""What the project says of itself agrees with what it is."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import skysift
from skysift.data import demo_map

CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
LOCK = (CHECKOUT / "requirements.lock").read_text()

# import name -> distribution, where they differ; pydantic_core comes with pydantic, whose versions it follows
DISTRIBUTIONS = {
    "yaml": "pyyaml",
    "pydantic_core": "pydantic",
    "dateutil": "python-dateutil",
    "distributed": "dask",
    "faster_coco_eval": "faster-coco-eval",
    "PIL": "pillow",
    "prometheus_client": "prometheus-client",
    "radio_beam": "radio-beam",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
    "python_multipart": "python-multipart",
    "starlette": "fastapi",  # comes with it, and is its lower floor
}


def plain(requirement: str) -> str:
    """The name in a requirement, in its normal form."""
    return re.split(r"[\s<>=!~\[;@]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def third_party(folder: Path) -> set[str]:
    names = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    return {DISTRIBUTIONS.get(name, name) for name in names - sys.stdlib_module_names - {"skysift"}}


def tracked() -> list[Path]:
    """The files of the project, or none outside a git checkout."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    return [CHECKOUT / name for name in done.stdout.split("\0") if name and (CHECKOUT / name).is_file()]


def test_dependencies_are_what_is_imported():
    base = {plain(each) for each in PROJECT["dependencies"]}
    optional = PROJECT["optional-dependencies"]
    extras = {plain(each) for name in ("learn", "serve") for each in optional[name]}
    imported = third_party(CHECKOUT / "src")
    assert base <= imported <= base | extras
    assert not base & extras


def test_the_lock_holds_every_dependency_and_nothing_but_exact_versions():
    pins = [line for line in LOCK.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", pin) for pin in pins)
    held = {plain(pin) for pin in pins}
    asked = [
        *PROJECT["dependencies"],
        *(each for extra in PROJECT["optional-dependencies"].values() for each in extra),
    ]
    assert {plain(each) for each in asked} - {"skysift"} <= held


def test_the_version_is_the_one_installed():
    from importlib.metadata import version

    assert version("skysift") == skysift.__version__


def test_the_changelog_knows_the_version():
    assert skysift.__version__ in (CHECKOUT / "CHANGELOG.md").read_text()


def test_the_bundled_map_is_there_with_its_acknowledgement():
    assert demo_map().is_file()
    assert demo_map().stat().st_size < 700_000
    words = (demo_map().parent / "README.md").read_text()
    assert "Bock" in words
    assert "Mauch" in words


def test_no_path_of_one_machine_is_written_down():
    files = tracked()
    if not files:
        pytest.skip("not a git checkout")
    of_a_home = re.compile(r"(?<![\w.*])/(?:home|Users|root)/\w")
    for path in files:
        data = path.read_bytes()
        if b"\0" in data:
            continue
        text = data.decode(errors="replace")
        assert str(CHECKOUT) not in text, path
        assert not of_a_home.search(text), path
        assert not re.search(r"index-url|find-links", text) or path == Path(__file__), path
