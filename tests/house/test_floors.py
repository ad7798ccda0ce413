"""The house stands on floors: imports go to the own folder and to lower floors; nothing goes in circles."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "src" / "skysift"

FLOORS = [
    {"plugins", "data"},
    {"base"},
    {"sky"},
    {"io", "measure", "match"},
    {"stamps", "archive", "learn", "score"},
    {"explore", "sim", "find"},
    {"classify", "stars"},
    {"flow"},
    {"jobs", "client"},
    {"serve"},
    {"cli"},
    {"__main__"},
]  # a file may import from its own folder and from any floor below it; never sideways, never up
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

FILES = [
    path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"
]  # the face names every room


def module_of(path: Path) -> str:
    parts = ("skysift", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> list[tuple[str, str, int]]:
    """(module, name or '', line) of every import of skysift in a file, those inside functions too."""
    found = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [(alias.name, "", node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            found += [(node.module or "", alias.name, node.lineno) for alias in node.names]
    return [each for each in found if each[0].partition(".")[0] == "skysift"]


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_go_only_down(path):
    room = module_of(path).split(".")[1]
    assert room in FLOOR, f"the room {room} stands on no floor"
    for module, name, line in imports(path):
        target = module.split(".")[1] if "." in module else name
        if target in ("", "__version__"):
            continue
        allowed = target == room or FLOOR[target] < FLOOR[room]
        assert allowed, f"{path.relative_to(ROOT)}:{line} ({room}) imports {target}"


def test_nothing_goes_round_in_circles():
    modules = {module_of(path): path for path in FILES}
    edges = {
        name: {
            target
            for module, attribute, _ in imports(path)
            for target in (f"{module}.{attribute}", module)
            if target in modules and target != name
        }
        for name, path in modules.items()
    }
    done: set[str] = set()

    def follow(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name in done:
            return
        for target in sorted(edges[name]):
            follow(target, (*way, name))
        done.add(name)

    for name in modules:
        follow(name, ())


def test_every_room_has_a_sentence():
    for folder in {path.parent for path in FILES}:
        init = folder / "__init__.py"
        assert init.is_file(), f"{folder.relative_to(ROOT)} has no __init__.py"
        assert ast.get_docstring(ast.parse(init.read_bytes())), f"{init.relative_to(ROOT)} has no sentence"
