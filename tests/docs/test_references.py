"""Who is named with a year in a docstring stands in the list of references."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(
    r"([A-Z][\w'-]+(?:(?: &| and|,) [A-Z][\w'-]+)*(?:,? et al\.?)?),? \(?((?:18|19|20)\d\d)\b(?!-)"
)


def listed():
    """(surname, year) of the references."""
    text = (ROOT / "docs" / "ideas" / "references.rst").read_text()
    found = set()
    for entry in re.split(r"^(?:\.\. \[\w+\]|-) ", text, flags=re.M)[1:]:
        year = re.search(r"\b(?:18|19|20)\d\d\b", entry)[0]
        found |= {(name, year) for name in re.findall(r"[A-Z][\w'-]+", entry.split(year)[0])}
    return found


def test_every_paper_that_a_docstring_names_is_listed():
    known, missing = listed(), set()
    assert ("Condon", "1997") in known
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                continue
            for who, year in NAMED.findall(" ".join((ast.get_docstring(node) or "").split())):
                names = re.findall(r"[A-Z][\w'-]+", who)
                if not any((name, year) in known for name in names):
                    missing.add(f"{path.name}: {who} {year}")
    assert not missing
