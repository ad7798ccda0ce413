"""The page about scores, of catalogues with something in them and of empty ones."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from tests.score import worlds

import skysift
from skysift.base.provenance import Provenance
from skysift.flow.report_page import Figure, figures_of_runs, page_of, page_of_runs, plan_of
from skysift.flow.report_text import (
    common_rule,
    comparison_text,
    reports_text,
    shared_numbers,
    table_rows,
    value_text,
)
from skysift.score.scorer import Report

KINDS = ("counts", "fluxes", "classes", "coco")


@pytest.fixture(scope="module")
def reports():
    place, truth = worlds.sky(60, side=400, low=6, classes=("compact", "extended"))
    found = worlds.found_in(truth, place, n_false=3, score="score", classes=("compact", "extended"))
    return [skysift.score(found, truth, kind) for kind in KINDS]


def nothing():
    truth = worlds.sky(1, side=400, classes=("compact",))[1]
    none = truth.select(np.zeros(1, dtype=bool))
    return [skysift.score(none.catalogue, none, kind) for kind in KINDS]


def page(reports):
    figures = {each.kind: [Figure(n, draw()) for n, draw in plan_of(each).items()] for each in reports}
    return page_of(reports, figures, Provenance("0.1.0", ""), "2026-01-01T00:00:00Z")


def test_it_is_one_file_with_every_figure_and_number(reports):
    text = page(reports)
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert len(pictures) == sum(len(plan_of(each)) for each in reports) >= 15
    for each in pictures:
        assert Image.open(io.BytesIO(base64.b64decode(each))).size == (720, 492)
    for word in ("completeness_bright", "flux_pull_width", "macro_f1", "ap_mask", "never matches"):
        assert word in text
    assert text.count("never matches") == 1


def test_nothing_found_of_nothing_is_a_page_too():
    text = page(nothing())
    assert "Nothing to count" in text
    assert reports_text(nothing())


def test_runs_side_by_side_are_drawn_together(reports):
    runs = {
        name: {each.kind: each for each in reports if each.kind != "fluxes"} for name in ("first", "second")
    }
    drawn = figures_of_runs("coco", {name: of["coco"] for name, of in runs.items()})
    assert [each.name for each in drawn] == ["precision_recall", "iou"]
    text = page_of_runs({"first": {"classes": reports[2]}, "second": {"classes": reports[2]}}, "now")
    assert "first" in text
    assert "second" in text
    lines = comparison_text(runs).splitlines()
    assert lines[0].split() == ["counts", "first", "second"]


def test_what_all_kinds_say_is_said_once(reports):
    text = reports_text(reports)
    assert text.count("never matches") == 1
    assert "n_found" in shared_numbers(reports)
    assert not shared_numbers(reports[:1])
    rule = common_rule(reports)
    assert rule.endswith("Intervals are of 95 %.")
    assert all(each.rule.startswith(rule) for each in reports)


def test_values_are_shown_as_people_read_them():
    shown = [value_text(value) for value in (0.123456, 12345, float("nan"), "word", 1e-9, True)]
    assert shown == ["0.1235", "12,345", "-", "word", "1e-09", "True"]


def test_empty_bins_are_not_listed():
    assert table_rows({"snr": [1.0, 2.0, 3.0], "n": [4, 0, 1]})[1] == [("1", "4"), ("3", "1")]
    assert len(table_rows({"class": ["a", "b"], "n": [0, 0], "n_found": [2, 0]})[1]) == 1
    assert len(table_rows({"class": ["a", "b"]})[1]) == 2


def test_a_kind_of_another_rule_leaves_the_common_one_said_once(reports):
    sdc = Report("sdc1", {"M_s": 3.0, "n_found": 5}, rule="SDC1 has a rule of its own.")
    mixed = [*reports, sdc]
    assert common_rule(mixed) == common_rule(reports)
    assert shared_numbers(mixed) == shared_numbers(reports)
    for text in (reports_text(mixed), page(mixed)):
        assert text.count("never matches") == 1
        assert "SDC1 has a rule of its own." in text
    assert common_rule([reports[0], sdc]) == ""


def test_runs_tell_their_rule_and_what_kinds_share_once(reports):
    one = {each.kind: each for each in reports if each.kind in ("counts", "classes")}
    text = page_of_runs({"first": one, "second": one}, "now")
    assert text.count("never matches") == 1
    assert text.count(">n_found<") == 1
    told = comparison_text({"first": one, "second": one})
    assert told.count("n_found ") == 1
    assert "numbers as above" in told


def test_notes_of_runs_stand_beside_each_other():
    noted = Report("counts", {"completeness": 1.0}, rule="A rule.", notes=("nothing is known",))
    plain = Report("counts", {"completeness": 1.0}, rule="A rule.")
    text = page_of_runs({"first": {"counts": noted}, "second": {"counts": plain}}, "now")
    assert "<li>first: nothing is known</li>" in text
    assert "second: " not in text
