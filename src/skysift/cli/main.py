"""The command line: the verbs of the index, each loaded when it is called, behind one door for errors.

Exit codes: 0 done; 2 the request or the data cannot be used; 1 our fault; 130 interrupted.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperCommand, TyperGroup

import skysift
from skysift.base import log
from skysift.base.errors import SkysiftError, SkysiftWarning, StorageError, exit_code
from skysift.base.registry import Registry
from skysift.base.settings import settings
from skysift.io.output import FULL

__all__ = ["main"]

_BLAS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_INTERRUPTED = 130
_PIPE_CLOSED = 141  # what a shell sees of any program whose reader went away

_HELP = """Find the sources in radio maps: a map in, a science-ready catalogue out.

\b
Begin with:
  skysift info map.fits                     what the map is: size, beam, unit, frame
  skysift find map.fits --out field         find its sources; then open field/report.html
  skysift options classic                   what can be chosen, with defaults and bounds
  skysift find map.fits --out deep --set seed=4.5 --set grow=2.5
  skysift convert field field.parquet       the sources in another format

Each command tells more with --help. Exit codes: 0 done, 2 the request or the data cannot be used (one line
says why), 1 our fault, 130 interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of ``skysift`` run with these arguments (those of the process, if None).

    Every error ends here, as one line on stderr.
    """
    for name in _BLAS_THREADS:  # before numpy loads: parallel work is ours alone, and sums keep their order
        os.environ[name] = "1"
    debug = False
    try:
        debug = settings().log_level == "debug"
        log.configure(settings().log_level)
        warnings.showwarning = _show_warning
        if threading.current_thread() is threading.main_thread():
            signal.signal(
                signal.SIGTERM, signal.default_int_handler
            )  # whoever ends a run leaves no half of it
        words = list(sys.argv[1:] if arguments is None else arguments)
        words.sort(key=lambda word: word != "--debug")  # taken before the verb and behind it
        with _app().make_context("skysift", words) as context:
            debug = debug or bool(context.params.get("debug"))
            context.command.invoke(context)
            sys.stdout.flush()
    except typer.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, typer.Abort) as error:
        print(f"skysift: interrupted{_notes(error)}", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 -- the interpreter flushes it when it ends
        return _PIPE_CLOSED
    except Exception as error:  # noqa: BLE001 -- the one door: whatever comes ends as a line and a code
        return _tell(error, debug)
    return 0


_PARSERS_WORDS = re.compile(  # in which the library that reads flags tells of numbers
    r"Input should be a valid (number|integer), (?:unable to parse string as an? \w+|got a number with .*)$"
)


def _tell(error: Exception, debug: bool) -> int:
    """The exit code for an error, after it was told to stderr."""
    if debug:
        traceback.print_exception(error)
    if isinstance(error, OSError) and error.errno in FULL:
        noted = getattr(error, "__notes__", ())
        error = StorageError(
            f"the disk is full ({error.filename or 'while writing'})", todo="make room and run again"
        )
        for note in noted:
            error.add_note(note)
    if isinstance(error, SkysiftError):
        print(f"skysift: error: {error}{_notes(error)}", file=sys.stderr)
        return exit_code(error.kind)
    if isinstance(error, typer.TyperException):  # a flag or argument that the parser does not take
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "skysift"
        message = " ".join(error.format_message().split()).rstrip(".")
        message = _PARSERS_WORDS.sub("a plain \\1 is wanted, without a unit", message)
        print(f"skysift: error: {message}; see: {path} --help", file=sys.stderr)
        return 2
    hint = _notes(error)
    hint += "" if debug else "; run it again as `skysift --debug ...` and report what that prints"
    print(
        f"skysift: our fault: {type(error).__name__}: {' '.join(str(error).split())}{hint}", file=sys.stderr
    )
    return 1


def _notes(error: BaseException) -> str:
    """What was noted on an error on its way, such as that a run can be continued."""
    return "".join(f"; {note}" for note in getattr(error, "__notes__", ()))


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Our own warnings as one line on stderr, those of libraries into the log."""
    if issubclass(category, SkysiftWarning):
        print(f"skysift: warning: {' '.join(str(message).split())}", file=sys.stderr)
    else:
        log.get_logger(__name__).info("%s: %s", category.__name__, message)


# -- the verbs


class _Verbs(TyperGroup):
    """The verbs of the index; listing them reads their first lines only, calling one loads it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name in Registry[object]("command").names():
            line = _first_line(name)
            self.add_command(TyperCommand(name, help=line, short_help=line, rich_markup_mode=None))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed if name is None else _load(name), rest


def _app() -> Any:
    app = _bare_app(cls=_Verbs, invoke_without_command=True, help=_HELP)
    app.callback()(_skysift)
    return typer.main.get_command(app)


def _bare_app(**how: Any) -> typer.Typer:
    """An app that formats as plain text, and leaves errors to `main`."""
    return typer.Typer(
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"max_content_width": 110},
        **how,
    )


def _skysift(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Log everything; show tracebacks.")] = False,
) -> None:
    if version:
        print(f"skysift {skysift.__version__}")
        raise typer.Exit
    if debug:
        log.configure("debug")
    if context.invoked_subcommand is None:
        print(context.get_help())


def _load(name: str) -> Any:
    """The command called `name`, its module imported now."""
    verb = Registry[Any]("command").load(name)
    app = _bare_app()
    # the mark of lines to keep is \b, which raw docstrings hold as two characters
    told = (inspect.getdoc(verb) or "").replace("\\b\n", "\b\n")
    app.command(name, help=told)(verb)
    return typer.main.get_command(app)


def _first_line(name: str) -> str:
    """The first line of a verb's docstring, read from its source without running it."""
    module, _, function = Registry[object]("command").path(name).partition(":")
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:  # a guest that is half uninstalled must not take the list of verbs with it
        spec = None
    if spec is None or spec.origin is None:
        return "(not installed)"
    for node in ast.parse(Path(spec.origin).read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


if __name__ == "__main__":
    sys.exit(main())
