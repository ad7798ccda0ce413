import json
import pickle

import numpy as np
import pytest

from skysift.base.errors import OutputError, UsageError
from skysift.base.parallel import Crew
from skysift.flow.kept import RESULTS, RUN, FinishedMaps, KeptResults
from skysift.flow.products import MANIFEST, PART, ProductFolder

KEY = {"command": "test", "version": "1", "option": {"seed": 5.0, "grow": 3.0}}


def kept(folder, key=KEY, every=0, **more):
    return KeptResults(folder, folder.parent, key, every=every, **more)


def square(task):
    return np.array([float(task)]) ** 2


def test_what_was_written_is_read_by_the_next(tmp_path):
    first = kept(tmp_path)
    value = {"a": np.arange(5.0), "b": (1, "x", None, 2.5)}
    first.write("stage", "key", value)
    again = kept(tmp_path)
    assert again.has("stage", "key")
    assert not again.has("other", "key")
    assert not again.has("stage", "other")
    read = again.read("stage", "key")
    assert np.array_equal(read["a"], value["a"])
    assert read["b"] == value["b"]
    with pytest.raises(KeyError):
        again.read("stage", "other")


def test_nothing_is_written_before_its_time_and_a_file_holds_many_results(tmp_path):
    store = kept(tmp_path, every=3600)
    for number in range(100):
        store.write("stage", str(number), number)
    assert not list(tmp_path.iterdir())
    assert store.close() == ""
    assert [store.read("stage", str(number)) for number in (0, 99)] == [0, 99]
    store.flush()
    assert len(list((tmp_path / RESULTS).iterdir())) == 1
    assert len(kept(tmp_path)) == 100


def test_a_crew_does_what_is_kept_no_more_and_keeps_the_order(tmp_path):
    tasks = list(range(20))
    done, told = [], []

    for _ in range(2):
        store = kept(tmp_path)
        crew = Crew(2, progress=lambda *step: told.append(step), kept=store)
        stream = crew.map("squares", square, tasks)
        done.append([next(stream) for _ in range(7)])
        stream.close()
    made = list(Crew(3, kept=kept(tmp_path)).map("squares", square, tasks))
    assert np.array_equal(np.concatenate(made), np.arange(20.0) ** 2)
    assert len(kept(tmp_path)) == 20
    assert told[:7] == told[7:]
    assert told[6] == ("squares", 7, 20)


def test_kept_results_are_read_and_not_made(tmp_path, monkeypatch):
    list(Crew(kept=kept(tmp_path)).map("squares", square, [1, 2, 3]))
    counted = []
    monkeypatch.setattr(
        "skysift.base.parallel.map_tasks", lambda function, tasks, **_: counted.extend(tasks) or iter(())
    )
    assert np.concatenate(list(Crew(kept=kept(tmp_path)).map("squares", square, [3, 1]))).tolist() == [9, 1]
    assert counted == []


def test_other_work_on_the_same_tasks_is_done_anew(tmp_path):
    store = kept(tmp_path)
    crew = Crew(kept=store)
    list(crew.map("one", square, [1, 2]))
    assert list(crew.map("one", str, [1, 2])) == ["1", "2"]
    assert np.concatenate(list(crew.map("two", square, [1, 2]))).tolist() == [1.0, 4.0]
    assert len(store) == 6


def test_work_that_cannot_be_named_is_done_without_keeping(tmp_path):
    store = kept(tmp_path)
    assert list(Crew(kept=store).map("stage", lambda task: task + 1, [1, 2])) == [2, 3]
    assert len(store) == 0


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "other"])
def test_a_damaged_file_counts_as_not_there(tmp_path, damage, caplog):
    store = kept(tmp_path)
    for number in range(3):
        store.write("stage", str(number), np.full(10, number))
    path = sorted((tmp_path / RESULTS).iterdir())[1]
    whole = path.read_bytes()
    spoiled = {
        "cut": whole[:-5],
        "changed": whole[:-5] + b"x" + whole[-4:],
        "empty": b"",
        "other": b"skysift kept results 9\n" + whole[23:],
    }
    path.write_bytes(spoiled[damage])
    with caplog.at_level("WARNING", "skysift"):
        again = kept(tmp_path)
    assert [again.has("stage", str(number)) for number in range(3)] == [True, False, True]
    assert again.read("stage", "2")[0] == 2


def test_a_record_that_goes_bad_while_a_run_reads_is_made_again(tmp_path):
    list(Crew(kept=kept(tmp_path)).map("squares", square, [1, 2, 3]))
    store = kept(tmp_path)
    for path in (tmp_path / RESULTS).iterdir():
        path.write_bytes(b"gone")
    assert np.concatenate(list(Crew(kept=store).map("squares", square, [1, 2, 3]))).tolist() == [1, 4, 9]


def test_nothing_but_values_comes_from_a_record(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("ran",)

    store = kept(tmp_path)
    store.write("stage", "key", 1)
    store._waiting["stage\nevil"] = pickle.dumps(Evil())
    store.flush()
    with pytest.raises(KeyError):
        kept(tmp_path).read("stage", "evil")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"version": "2"}, "version: 1 there, 2 here"),
        ({"option": {"seed": 4.0, "grow": 3.0}}, "option seed: 5.0 there, 4.0 here"),
        ({"option": {"seed": 5.0}}, "option grow: 3.0 there, nothing here"),
    ],
)
def test_another_command_is_refused_and_told_what_differs(tmp_path, changed, told):
    kept(tmp_path).write("stage", "key", 1)
    with pytest.raises(OutputError, match="--fresh") as said:
        kept(tmp_path, KEY | changed)
    assert told in str(said.value)
    assert "\n" not in str(said.value)
    assert len(kept(tmp_path)) == 1
    assert len(kept(tmp_path, KEY | changed, fresh=True)) == 0
    assert list(tmp_path.iterdir()) == []


def test_another_map_is_told_by_its_name_and_one_that_was_moved_is_the_same(tmp_path):
    one, two = ({"map": {"name": name, "content": f"sha256:{name}"}} for name in ("A.fits", "B.fits"))
    kept(tmp_path, KEY | one).write("stage", "key", 1)
    with pytest.raises(OutputError, match=r"got 'map: A.fits there, B.fits here'"):
        kept(tmp_path, KEY | two)
    changed = {"map": {"name": "A.fits", "content": "sha256:other"}}
    with pytest.raises(OutputError, match=r"got 'another content of A.fits'"):
        kept(tmp_path, KEY | changed)
    moved = {"map": {"name": "moved.fits", "content": "sha256:A.fits"}}
    assert len(kept(tmp_path, KEY | moved)) == 1


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "skysift-kept-9", "key": {}}'])
def test_results_of_which_nothing_tells_are_discarded(tmp_path, text):
    kept(tmp_path).write("stage", "key", 1)
    (tmp_path / RUN).write_text(text)
    assert len(kept(tmp_path)) == 0


def test_a_full_disk_ends_the_keeping_and_not_the_run(tmp_path, monkeypatch, caplog):
    def full(path, parts):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skysift.flow.kept._put", full)
    store = kept(tmp_path)
    with caplog.at_level("WARNING", "skysift"):
        assert np.concatenate(list(Crew(kept=store).map("squares", square, [1, 2]))).tolist() == [1.0, 4.0]
    assert "cannot be kept" in caplog.text
    assert store.close() == ""


NAMES = ("a.fits", MANIFEST)


@pytest.fixture
def _at_once(monkeypatch):
    monkeypatch.setattr("skysift.flow.products.settings", lambda: type("Now", (), {"keep": 0})())


def begin(directory, key=KEY, **more):
    return ProductFolder(directory, names=NAMES, key=key, **more)


def break_off(directory, error, key=KEY, **more):
    with begin(directory, key, **more) as folder:
        folder.path("a.fits").write_text("half")
        folder.kept.watch(None)("fits", 63, 100)
        folder.kept.write("fits", "a", 1)
        raise error


def finish(directory, key=KEY, **more):
    with begin(directory, key, **more) as folder:
        found, there = folder.kept.found, folder.kept.has("fits", "a")
        folder.path("a.fits").write_text("whole")
        folder.path(MANIFEST).write_text(json.dumps({"outputs": [{"name": "a.fits"}]}))
        folder.commit()
    return found, there


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), OSError(5, "I/O error")])
def test_a_run_that_is_broken_off_is_continued(tmp_path, error):
    with pytest.raises(type(error)) as said:
        break_off(tmp_path / "out", error)
    assert "63 % of fits" in said.value.__notes__[0]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [PART]
    assert sorted(path.name for path in (tmp_path / "out" / PART).iterdir()) == [RESULTS, RUN]
    assert finish(tmp_path / "out") == ("63 % of fits", True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(NAMES)


@pytest.mark.usefixtures("_at_once")
def test_an_error_that_would_come_again_leaves_nothing(tmp_path):
    with pytest.raises(UsageError) as said:
        break_off(tmp_path / "out", UsageError("no"))
    assert not hasattr(said.value, "__notes__")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_at_once")
def test_earlier_products_stay_beside_what_is_kept(tmp_path):
    finish(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        break_off(tmp_path, KeyboardInterrupt(), overwrite=True)
    assert (tmp_path / "a.fits").read_text() == "whole"
    with pytest.raises(OutputError, match="--overwrite"), begin(tmp_path):
        pass
    assert finish(tmp_path, overwrite=True) == ("63 % of fits", True)


@pytest.mark.usefixtures("_at_once")
def test_another_command_keeps_its_hands_off_the_folder(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        break_off(tmp_path, KeyboardInterrupt())
    with pytest.raises(OutputError, match="version"), begin(tmp_path, KEY | {"version": "2"}):
        pass
    with pytest.raises(OutputError, match="skysift find"), ProductFolder(tmp_path, names=NAMES):
        pass
    assert finish(tmp_path, KEY | {"version": "2"}, fresh=True) == ("", False)


def test_finished_maps_are_known_until_the_call_ends(tmp_path):
    part = tmp_path / PART

    def stop():
        with FinishedMaps(part) as done:
            done.add("a", KEY)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    again = FinishedMaps(part)
    assert again.has("a", KEY)
    assert not again.has("a", KEY | {"version": "2"})
    assert not again.has("b", KEY)
    assert not FinishedMaps(part, fresh=True).has("a", KEY)
    with again:
        pass
    assert list(tmp_path.iterdir()) == []
