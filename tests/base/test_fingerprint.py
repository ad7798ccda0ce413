import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import partial

import numpy as np
from tests import skies
from tests.servers import serving

from skysift.base import fingerprint as module
from skysift.base.fingerprint import by_content, code_hash, fingerprint
from skysift.base.options import Options, option
from skysift.io.open import open_image
from skysift.sky.box import Box


class Menu(Options):
    """A menu."""

    one: float = option(1.0, doc="A number.")
    two: str = option("b", doc="A text.")


def test_equal_values_have_one_fingerprint_and_others_have_others():
    a = (Box(0, 4, 0, 9), np.arange(3.0), Menu(one=2.0))
    b = (Box(0, 4, 0, 9), np.arange(3.0), Menu(one=2.0))
    assert fingerprint(a) == fingerprint(b)
    others = [
        (Box(0, 4, 0, 8), *a[1:]),
        (a[0], np.arange(3), a[2]),
        (a[0], np.array([0.0, 1.0, np.nextafter(2.0, 3.0)]), a[2]),
        (*a[:2], Menu(one=2.5)),
        (*a[:2], Menu(two="c")),
        partial(print, a),
    ]
    assert len({fingerprint(each) for each in [a, *others]}) == len(others) + 1


def test_who_else_holds_an_object_does_not_matter():
    values = np.arange(4)
    assert fingerprint((values, values)) == fingerprint((values, values.copy()))


def test_options_have_one_fingerprint_in_every_process():
    code = (
        "from skysift.base.fingerprint import fingerprint; from skysift.find.classic.options import ClassicOptions; "
        "print(fingerprint(ClassicOptions(seed=4.5, grow=2.5, prominence=2.0)))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(told) == 1


@dataclass(frozen=True)
class Held:
    path: str
    start: int = 0


def test_a_file_counts_by_its_content(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"same")
    other.write_bytes(b"same")
    assert fingerprint(Held(str(one))) == fingerprint(Held(str(other)))
    assert fingerprint(Held(str(one))) != fingerprint(Held(str(one), 1))
    before = fingerprint(Held(str(one)))
    one.write_bytes(b"else")
    os.utime(one, ns=(1, 1))
    assert fingerprint(Held(str(one))) != before


def test_a_map_is_the_same_wherever_it_lies(tmp_path):
    image, _ = skies.paint((64, 64), (4.0, 4.0, 0.0), seed=1)
    for name in ("a.fits", "b.fits"):
        skies.write(tmp_path / name, image, (4.0, 4.0, 0.0))
    a, b = open_image(tmp_path / "a.fits").pixels, open_image(tmp_path / "b.fits").pixels
    assert fingerprint(a) == fingerprint(b)


def test_every_file_counts_by_its_content_whatever_names_it(tmp_path):
    place = tmp_path / "a.txt"

    def told():
        values = {
            "option": Menu(two=str(place)),
            "list": (1, str(place)),
            "hdu": f"{place}[2]",
            "held": Held(f"{place}[2]"),
        }
        return {name: (fingerprint(value), json.dumps(by_content(value))) for name, value in values.items()}

    place.write_bytes(b"one")
    before = told()
    assert told() == before
    assert by_content(f"{place}[2]")[::2] == ["a.txt", "2"]
    assert by_content(Menu()) == {"one": 1.0, "two": "b"}
    place.write_bytes(b"other")
    after = told()
    for name in before:
        assert before[name][1] != after[name][1], name
    assert before["option"][0] != after["option"][0]
    assert before["held"][0] != after["held"][0]


def test_what_lies_behind_a_url_counts_by_its_content(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one")
    with serving(tmp_path) as server:
        url = f"{server.url}/a.txt"
        before = by_content([url]), fingerprint(Held(url))
        assert before == (by_content([url]), fingerprint(Held(url)))
        assert before[1] == fingerprint(Held(str(tmp_path / "a.txt")))
        (tmp_path / "a.txt").write_bytes(b"other")
        assert by_content([url]) != before[0]
        assert fingerprint(Held(url)) != before[1]


def test_the_code_counts_by_all_its_files_and_not_by_its_place(tmp_path, monkeypatch):
    def of(place):
        monkeypatch.setattr(module, "_PACKAGE", place)
        return code_hash.__wrapped__()

    one, other = tmp_path / "one", tmp_path / "other"
    for place in (one, other):
        (place / "room").mkdir(parents=True)
        (place / "room" / "a.py").write_text("a = 1\n")
        (place / "b.py").write_text("")
    assert of(one) == of(other)
    (other / "room" / "a.py").write_text("a = 2\n")
    assert of(one) != of(other)
    assert len(of(one)) == 16
