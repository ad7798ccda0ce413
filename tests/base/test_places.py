"""Texts that people of a service read tell no folder of its machine."""

import pytest

from skysift.base.places import without_places


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("got '/tmp/a/b/map.fits'", "got 'map.fits'"),
        ("/tmp/x/y: broken", "y: broken"),
        ("cannot write to /tmp/jobs/7/work/", "cannot write to work"),
        ("got '/tmp/a...b/c.fits[1]'", "got 'c.fits[1]'"),
        ('File "/usr/lib/python3/x.py", line 3', 'File "x.py", line 3'),
        ("ask by /soda/async or /api/v1/jobs", "ask by /soda/async or /api/v1/jobs"),
        ("https://a.b/tmp/c/d.fits", "https://a.b/tmp/c/d.fits"),
        (
            "file:///tmp/c and 1/2 Jy/beam and upload:a/tmp/b",
            "file:///tmp/c and 1/2 Jy/beam and upload:a/tmp/b",
        ),
    ],
)
def test_paths_become_names(text, told):
    assert without_places(text) == told


def test_what_is_known_has_the_name_that_it_was_given():
    names = [("/srv/my data/uploads", "here"), ("/srv/my data/uploads/ab/x y.fits", "map.fits")]
    text = "no beam in /srv/my data/uploads/ab/x y.fits; look into /srv/my data/uploads"
    assert without_places(text, names) == "no beam in map.fits; look into here"
