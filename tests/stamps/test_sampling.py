"""Which pictures hold too few pixels, or a beam of too few or too many, is told by row and in one line."""

import numpy as np
from tests.classify.pictures import pictures_of

from skysift.stamps.sampling import sampling_note, sampling_of, sampling_words


def test_each_fault_is_told_by_row_and_counted_in_one_line():
    side, across = np.array([64, 20, 64, 11, 64, 0]), np.array([4.0, 4.0, 1.5, 20.0, np.nan, 1.0])
    words = sampling_words(side, across)
    assert words.tolist() == ["", "small", "coarse", "small+fine", "", ""]
    note = sampling_note(words, "stamps")
    assert note.startswith(
        "of 6 stamps 2 have under 32 pixels along the side, 1 have under 2 pixels across the beam, 1 have over 12"
    )
    assert "\n" not in note
    assert note.endswith("; make stamps larger (radius=) and choose the size of pixels (scale=)")
    assert sampling_note(words[2:3]).endswith("; choose the size of pixels (scale=)")
    assert sampling_note(sampling_words(side[:1], across[:1])) == ""


def test_pictures_say_it_themselves_or_options_do():
    pictures = pictures_of(np.zeros((2, 64, 64)))
    assert sampling_of(pictures).tolist() == ["", ""]
    assert sampling_of(pictures, scale=10.0, beam=5.0).tolist() == ["coarse", "coarse"]
    told = pictures.with_facts(
        pixels=np.array([64, 11]), beam_major=np.array([5.4, np.nan]), beam_minor=np.ones(2)
    )
    assert sampling_of(told, scale=1.0, beam=30.0).tolist() == ["", "small+fine"]
