"""Pages of documentation as programs: their blocks of code, and how to run them.

``console`` blocks hold commands behind ``$`` and the output that they give, with ``...`` for any text; a
command must end with 0, or with 2 where the output shown tells of an error. ``python`` blocks share one
namespace per page. A block with a caption is a file. Other blocks are not run.
"""

import doctest
import os
import re
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from tests.commands import called

RUN = {"console", "python"}
FIRST_RUN = re.compile(
    r"^.*first run: compiling kernels.*\n", re.M
)  # told or not as the machine's cache has it
FILES = {"yaml"}
SHOWN = {"text"}


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int
    caption: str = ""


def blocks(path: Path) -> list[Block]:
    return markdown_blocks(path) if path.suffix == ".md" else rst_blocks(path)


def rst_blocks(path: Path) -> list[Block]:
    """The blocks ``.. code-block:: LANGUAGE`` of a page."""
    lines, found = path.read_text().splitlines(), []
    for number, line in enumerate(lines):
        match = re.fullmatch(r"( *)\.\. code-block:: (\w+)", line)
        if not match:
            continue
        inside = []
        for each in lines[number + 1 :]:
            if each.strip() and not each.startswith(match[1] + "   "):
                break
            inside.append(each)
        body = textwrap.dedent("\n".join(inside)).split("\n")
        options = dict(
            re.fullmatch(r":(\w+): *(.*)", each).groups() for each in body if re.match(r":\w+:", each)
        )
        code = [each if not re.match(r":\w+:", each) else "" for each in body]
        found.append(Block(match[2], "\n".join(code), number + 1, options.get("caption", "")))
    return found


def markdown_blocks(path: Path) -> list[Block]:
    """The fenced blocks of a page; a fence ```` ```python title=NAME ```` names a file."""
    found, text = [], path.read_text()
    for match in re.finditer(r"^```(\w+)(?: title=(\S+))?\n(.*?)^```$", text, re.M | re.S):
        line = text[: match.start()].count("\n") + 1
        found.append(Block(match[1], match[3], line, match[2] or ""))
    return found


def wanted_maps(path: Path) -> list[str]:
    """The maps that a page says it runs with."""
    match = re.match(r"\.\. run with: (.*)\n", path.read_text())
    return match[1].split() if match else []


def run(path: Path, folder: Path, *, inside: bool = False) -> None:
    """Run a page in a folder, which is the current one; its commands `inside` of this process, where that may be."""
    names: dict[str, object] = {"__name__": "__page__"}
    for block in blocks(path):
        where = f"{path.name}:{block.line}"
        assert block.language in RUN | FILES | SHOWN, f"{where}: is {block.language} to be run?"
        if block.caption:
            (folder / block.caption).write_text(block.text.lstrip("\n"))
        elif block.language == "python":
            code = "\n" * block.line + block.text  # so that errors tell the page's lines
            exec(compile(code, str(path), "exec"), names)
        elif block.language == "console":
            for command, expected in commands(block.text):
                check(command, expected, folder, where, inside=inside)


def commands(text: str) -> list[tuple[str, str]]:
    """(command, output) pairs of a console block."""
    parts = re.split(r"^\$ (.*)\n?", text.strip() + "\n", flags=re.M)
    assert not parts[0].strip(), "a console block begins with a command"
    return list(zip(parts[1::2], parts[2::2], strict=True))


def check(command: str, expected: str, folder: Path, where: str, *, inside: bool = False) -> None:
    """Run a command and compare what it prints; `inside` of this process where it is skysift's alone."""
    plain = inside and re.fullmatch(r"skysift [^|;&><$`*\\]*", command)
    if plain:
        done = called(*shlex.split(command)[1:], together=True, COLUMNS="100")
        code, told = done.returncode, done.stdout
    else:
        code, told = spawned(command, folder)
    wanted = 2 if "skysift: error:" in expected else 0
    assert code == wanted, f"{where}: {command} ended with {code}:\n{told}"
    told = FIRST_RUN.sub("", told)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    same = doctest.OutputChecker().check_output(expected, told, flags)
    assert same, f"{where}: {command} printed\n{told}\ninstead of\n{expected}"


def spawned(command: str, folder: Path) -> tuple[int, str]:
    """Exit code and output of a command in a shell of its own."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment | {"COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout
