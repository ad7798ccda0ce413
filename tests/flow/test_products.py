import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from skysift.base.errors import BusyError, OutputError, StorageError
from skysift.flow import products
from skysift.flow.products import MANIFEST, ProductFolder, folder_names, locked, writing

NAMES = ("a.fits", "b.csv", MANIFEST)


def fill(folder, text, names=NAMES):
    """Write products as a run does, the manifest last."""
    for name in names:
        if name != MANIFEST:
            folder.path(name).write_text(f"{text} {name}")
    outputs = [{"name": name} for name in names if name != MANIFEST]
    folder.path(MANIFEST).write_text(json.dumps({"outputs": outputs, "text": text}))


def make(directory, text="first", names=NAMES, overwrite=False):
    with ProductFolder(directory, names=names, overwrite=overwrite) as folder:
        fill(folder, text, names)
        folder.commit()


def fail(directory, error):
    """A run that writes everything and then comes to grief."""
    with ProductFolder(directory, names=NAMES, overwrite=True) as folder:
        fill(folder, "half")
        raise error


def content(directory):
    """Every file of a folder, hidden ones included: name -> text."""
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_nothing_shows_before_the_commit_and_only_products_after_it(tmp_path):
    out = tmp_path / "deep" / "out"
    with ProductFolder(out, names=NAMES) as folder:
        fill(folder, "first")
        assert not [path for path in out.iterdir() if not path.name.startswith(".")]
        folder.commit()
    assert set(content(out)) == set(NAMES)
    assert (out / "a.fits").read_text() == "first a.fits"


def test_a_failed_run_leaves_no_folder_behind(tmp_path):
    with pytest.raises(ValueError, match="boom"):
        fail(tmp_path / "x" / "y", ValueError("boom"))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_run_leaves_earlier_products_as_they_were(tmp_path):
    make(tmp_path)
    before = content(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path, KeyboardInterrupt())
    assert content(tmp_path) == before


def test_earlier_products_are_refused_without_overwrite(tmp_path):
    make(tmp_path)
    with pytest.raises(OutputError, match="--overwrite") as told, ProductFolder(tmp_path, names=NAMES):
        pass
    assert "\n" not in str(told.value)
    assert set(content(tmp_path)) == set(NAMES)


def test_overwrite_replaces_and_removes_what_the_earlier_run_made_and_nothing_else(tmp_path):
    make(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    make(tmp_path, "second", ("a.fits", "c.vot", MANIFEST), overwrite=True)
    assert set(content(tmp_path)) == {"a.fits", "c.vot", MANIFEST, "mine.txt"}
    assert (tmp_path / "a.fits").read_text() == "second a.fits"


def test_an_earlier_product_that_somebody_removed_does_not_matter(tmp_path):
    make(tmp_path)
    (tmp_path / "b.csv").unlink()
    make(tmp_path, "second", overwrite=True)
    assert (tmp_path / "b.csv").read_text() == "second b.csv"


def test_a_file_that_no_run_made_is_never_replaced(tmp_path):
    (tmp_path / "b.csv").write_text("mine")
    with (
        pytest.raises(OutputError, match=r"b\.csv"),
        ProductFolder(tmp_path, names=NAMES, overwrite=True),
    ):
        pass
    assert content(tmp_path) == {"b.csv": "mine"}


@pytest.mark.parametrize("text", ["{}", "not json", '{"outputs": 3}', "[]"])
def test_a_manifest_of_something_else_is_refused(tmp_path, text):
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(OutputError, match="manifest"), ProductFolder(tmp_path, names=NAMES, overwrite=True):
        pass
    assert content(tmp_path) == {MANIFEST: text}


def test_a_manifest_cannot_make_a_run_remove_files_elsewhere(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "precious").write_text("mine")
    names = ["../precious", str(tmp_path / "precious"), ".", "..", "", ".hidden"]
    (out / ".hidden").write_text("mine")
    (out / MANIFEST).write_text(json.dumps({"outputs": [{"name": name} for name in names]}))
    make(out, overwrite=True)
    assert (tmp_path / "precious").read_text() == "mine"
    assert (out / ".hidden").read_text() == "mine"


def test_the_second_of_two_runs_at_once_is_told_to_wait(tmp_path):
    with ProductFolder(tmp_path, names=NAMES) as folder:
        with pytest.raises(BusyError, match="another run"), ProductFolder(tmp_path, names=NAMES):
            pass
        fill(folder, "first")
        folder.commit()
    assert set(content(tmp_path)) == set(NAMES)
    with locked(tmp_path), pytest.raises(BusyError), locked(tmp_path):
        pass


def test_what_a_killed_run_left_is_removed(tmp_path):
    (tmp_path / products.PART / "new").mkdir(parents=True)
    (tmp_path / products.PART / "new" / "a.fits").write_text("half")
    (tmp_path / products.LOCK).touch()
    make(tmp_path)
    assert set(content(tmp_path)) == set(NAMES)


KILLED = """
    import os, pathlib, sys
    from skysift.flow.products import ProductFolder
    sys.path.insert(0, {here!r})
    from test_products import NAMES, fill
    count, rename = [0], pathlib.Path.rename
    def counted(self, target):
        if count[0] == {die}:
            os._exit(9)
        count[0] += 1
        return rename(self, target)
    pathlib.Path.rename = counted
    with ProductFolder(pathlib.Path({out!r}), names=(*NAMES, "new.txt"), overwrite=True) as folder:
        fill(folder, "second", (*NAMES, "new.txt"))
        folder.commit()
"""


@pytest.mark.parametrize("die", range(9))
def test_a_run_killed_between_renames_is_undone_by_the_next(tmp_path, die):
    make(tmp_path)
    before = content(tmp_path)
    here = str(Path(__file__).parent)
    script = textwrap.dedent(KILLED).format(here=here, out=str(tmp_path), die=die)
    done = subprocess.run([sys.executable, "-c", script], check=False, env=os.environ)
    if done.returncode == 0:
        assert (tmp_path / "new.txt").read_text() == "second new.txt"
        return
    assert done.returncode == 9
    with pytest.raises(OutputError, match="--overwrite"), ProductFolder(tmp_path, names=NAMES):
        pass
    assert content(tmp_path) == before


def test_an_interrupt_waits_until_the_renames_are_done():
    done = []

    def commit():
        with products._uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        commit()
    assert done


def test_a_failed_rename_brings_the_earlier_products_back(tmp_path):
    make(tmp_path)
    before = content(tmp_path)
    with ProductFolder(tmp_path, names=(*NAMES, "c.vot"), overwrite=True) as folder:
        fill(folder, "second", (*NAMES, "c.vot"))
        (tmp_path / "c.vot").mkdir()  # comes into being while the run works
        (tmp_path / "c.vot" / "inside").touch()
        with pytest.raises(OutputError):
            folder.commit()
    (tmp_path / "c.vot" / "inside").unlink()
    (tmp_path / "c.vot").rmdir()
    assert content(tmp_path) == before


def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="cannot write") as told, ProductFolder(place, names=NAMES):
            pass
        assert "\n" not in str(told.value)
    assert content(tmp_path) == {"file": "mine"}


def test_a_full_disk_is_told_as_such_also_through_other_errors():
    def on_a_full_disk():
        with writing(Path("out")):
            Path("/dev/full").write_text("x")

    def told_by_a_library():
        with writing(Path("out")):
            try:
                raise OSError(errno.ENOSPC, "full")
            except OSError as error:
                raise OSError("a library says something else") from error

    for write in (on_a_full_disk, told_by_a_library):
        with pytest.raises(StorageError, match="no room"):
            write()


@pytest.mark.parametrize(
    ("maps", "names"),
    [
        (["a.fits", "b.fits"], ["a", "b"]),
        (["x/a.fits", "y/a.fits", "z/A.FITS"], ["a", "a-2", "A-3"]),
        (["a.fits", "b/a.fits", "a-2.fits"], ["a", "a-3", "a-2"]),
        (["m.fits[SCI]", "m.fits[1]", "m.fits.fz", "m.fits.gz"], ["m-SCI", "m-1", "m", "m-2"]),
        (["some/.fits", "field.7.fits"], ["map", "field.7"]),
        (["s3:///", "s3://../", "/", "..", "s3://\\..\\x.fits"], ["map", "map-2", "map-3", "map-4", "x"]),
    ],
)
def test_each_map_gets_a_folder_named_for_its_file(maps, names):
    assert folder_names(maps) == names


def test_products_must_be_announced(tmp_path):
    with ProductFolder(tmp_path, names=NAMES) as folder, pytest.raises(ValueError, match="announced"):
        folder.path("surprise.txt")
