"""What is declared in one place is declared nowhere else."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from skysift.base.options import Options

ROOT = Path(__file__).resolve().parents[2] / "src" / "skysift"
FILES = sorted(ROOT.rglob("*.py"))
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def bases(path: Path) -> list[tuple[str, str]]:
    """(class, base) of every class of a file."""
    return [
        (node.name, ast.unparse(base).rpartition(".")[2])
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    ]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_exceptions_are_declared_in_one_file(path):
    made = [name for name, base in bases(path) if re.search(r"(Error|Exception|Warning)$", base)]
    assert not made or name_of(path) == "base/errors.py", made


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_options_are_declared_in_menus(path):
    made = [name for name, base in bases(path) if base.endswith("Options") and "[" not in base]
    assert not made or path.name == "options.py", made


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_environment_is_read_in_one_file(path):
    read = re.findall(r"os\.getenv|SKYSIFT_[A-Z]+", path.read_text())
    assert not read or name_of(path) == "base/settings.py", read


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_logging_is_configured_in_one_file(path):
    found = re.findall(r"basicConfig|addHandler|logging\.getLogger|setLevel", path.read_text())
    assert not found or name_of(path) == "base/log.py", found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_random_numbers_but_those_handed_in(path):
    found = re.findall(
        r"np\.random\.(?!Generator|SeedSequence)\w+|^import random|default_rng", path.read_text(), re.M
    )
    assert not found or name_of(path) == "base/random.py", found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_rooms_are_small_and_have_names(path):
    assert path.stem not in DRAWERS
    assert path.parent.name not in DRAWERS
    assert len(path.read_text().splitlines()) <= 500


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_error_is_swallowed(path):
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{name_of(path)}:{node.lineno}: a bare except"
            wide = ast.unparse(node.type) in ("Exception", "BaseException")
            assert not (wide and all(isinstance(step, ast.Pass | ast.Continue) for step in node.body)), (
                f"{name_of(path)}:{node.lineno}: an error is swallowed"
            )


def menus() -> list[type[Options]]:
    """Every class of options that the package declares."""
    for path in FILES:
        if path.name == "options.py":
            importlib.import_module("skysift." + name_of(path).removesuffix(".py").replace("/", "."))
    found, waiting = [], [Options]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += one.__subclasses__()
    return found


@pytest.mark.parametrize("menu", menus(), ids=lambda each: each.__name__)
def test_a_menu_gives_no_option_of_another_a_new_meaning(menu):
    """A menu may change the default of an option that it inherits, not its unit or what kind of value it is."""
    for name in vars(menu).get("__annotations__", {}):
        for base in menu.__mro__[1:]:
            before = getattr(base, "model_fields", {}).get(name)
            if before is not None:
                now = menu.model_fields[name]
                assert now.json_schema_extra == before.json_schema_extra, name
                assert now.annotation == before.annotation, name
