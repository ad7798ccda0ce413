import errno
import os
import signal
import subprocess
import sys
import textwrap

import pytest

import skysift
from skysift.base.errors import DataError, FatalError, SkysiftWarning
from skysift.base.settings import settings
from skysift.cli.main import main
from skysift.plugins import PLUGINS


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch):
    """`main` is the whole process: what it sets there is put back."""
    import logging
    import warnings

    root = logging.getLogger("skysift")
    before = (root.handlers[:], root.level, root.propagate, warnings.showwarning, sys.stdout)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "")
    settings.cache_clear()
    yield
    root.handlers[:], root.level, root.propagate, warnings.showwarning, sys.stdout = before
    settings.cache_clear()


@pytest.fixture
def verb(monkeypatch):
    """verb(function): makes `skysift act` call the function."""

    def put(function):
        monkeypatch.setattr(sys.modules[__name__], "act", function, raising=False)
        monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
        monkeypatch.setitem(PLUGINS["command"], "act", (f"{__name__}:act", ""))

    return put


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "skysift.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"skysift {skysift.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_teaches_and_lists_every_verb(arguments, capsys):
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "skysift find map.fits --out field" in out
    for name in PLUGINS["command"]:
        assert f"\n  {name} " in out
    assert "not installed" not in out
    assert "..." not in out.partition("Commands:")[2]


def test_help_loads_no_verb_and_nothing_heavy():
    code = (
        "import sys; from skysift.cli.main import main; main(['--help']); "
        "heavy = {'numpy', 'numba', 'astropy', 'matplotlib', 'skysift.cli.find'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("words", [["--debug", "act"], ["act", "--debug"]])
def test_debug_is_taken_before_and_behind_the_verb(verb, capsys, words):
    def broken() -> None:
        raise DataError("broken")

    verb(broken)
    assert main(words) == 2
    assert "Traceback" in capsys.readouterr().err


def test_blas_threads_are_pinned_before_numpy_loads(verb, capsys):
    def act() -> None:
        """Act."""
        print(
            os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]
        )

    verb(act)
    assert main(["act"]) == 0
    assert capsys.readouterr().out == "1 1 1\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fnd"], "No such command 'fnd'. Did you mean 'find'?; see: skysift --help"),
        (["--loud"], "No such option: --loud; see: skysift --help"),
        (
            ["options", "--jsn"],
            "No such option: --jsn (Possible options: --json); see: skysift options --help",
        ),
        (
            ["options", "--kind", "finder", "clasic"],
            (
                "no finder has this name: got 'clasic'; allowed: classic, extended, full, detr, rcnn, unet, yolo, "
                "ensemble; did you mean 'classic'?"
            ),
        ),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_2(arguments, message, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"skysift: error: {message}\n"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            DataError("the file is cut short", todo="get it again"),
            2,
            "skysift: error: the file is cut short: get it again\n",
        ),
        (FatalError("impossible"), 1, "skysift: error: impossible\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out.fits"),
            2,
            "skysift: error: the disk is full (out.fits): make room and run again\n",
        ),
        (KeyboardInterrupt(), 130, "skysift: interrupted\n"),
    ],
)
def test_errors_end_as_a_line_and_a_code(verb, error, code, line, capsys):
    def act() -> None:
        """Act."""
        raise error

    verb(act)
    assert main(["act"]) == code
    assert capsys.readouterr() == ("", line)


def test_anything_else_is_our_fault(verb, capsys):
    def act() -> None:
        """Act."""
        raise ZeroDivisionError("division\nby zero")

    verb(act)
    assert main(["act"]) == 1
    err = capsys.readouterr().err
    assert err.startswith(
        "skysift: our fault: ZeroDivisionError: division by zero; run it again as `skysift --debug"
    )
    assert err.count("\n") == 1


@pytest.mark.parametrize("how", ["flag", "setting"])
def test_a_traceback_is_shown_on_request(verb, how, capsys, monkeypatch):
    def act() -> None:
        """Act."""
        raise ZeroDivisionError("by zero")

    verb(act)
    if how == "setting":
        monkeypatch.setenv("SKYSIFT_LOG_LEVEL", "debug")
    assert main([*(["--debug"] if how == "flag" else []), "act"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_wrong_setting_is_told(capsys, monkeypatch):
    monkeypatch.setenv("SKYSIFT_LOG_LEVEL", "loud")
    assert main(["--version"]) == 2
    assert "SKYSIFT_LOG_LEVEL is not a level: got 'loud'" in capsys.readouterr().err


def test_our_warnings_are_lines_and_those_of_libraries_are_quiet(verb, capsys):
    import warnings

    def act() -> None:
        """Act."""
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("the beam is narrow", SkysiftWarning, stacklevel=1)
            warnings.warn("chatter", UserWarning, stacklevel=1)

    verb(act)
    assert main(["act"]) == 0
    assert capsys.readouterr().err == "skysift: warning: the beam is narrow\n"


def test_raw_docstrings_keep_their_lines(verb, capsys):
    def act() -> None:
        r"""Act at once.

        \b
        One line:
          another line
        """

    verb(act)
    assert main(["act", "--help"]) == 0
    out = capsys.readouterr().out
    assert "  One line:\n    another line\n" in out
    assert "\\b" not in out


def test_a_reader_that_goes_away_is_no_error():
    code = textwrap.dedent(
        """
        import sys
        import skysift.cli.options as module
        def noise(finder=None, as_json=False):
            for _ in range(100_000):
                print("x" * 100)
        module.options = noise
        from skysift.cli.main import main
        sys.exit(main(["options"]))
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


def test_an_interrupted_process_ends_with_130():
    code = textwrap.dedent(
        """
        import signal, sys, time
        import skysift.cli.options as module
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what is behind & without it
        def wait():
            print("begun", flush=True)
            time.sleep(60)
        module.options = wait
        from skysift.cli.main import main
        sys.exit(main(["options"]))
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[1] == "skysift: interrupted\n"
    assert process.returncode == 130


def test_it_runs_as_a_module():
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"skysift {skysift.__version__}\n", "")
