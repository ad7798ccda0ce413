"""What a person sees of extended sources: outlines over the map, their part of the page, the summary."""

import json
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from tests.flow.test_extended import picture
from tests.flow.test_page import Tags, images

from skysift.cli.progress import kinds, summary
from skysift.find.run import make_finder, search
from skysift.flow import gallery
from skysift.flow.extended import drawn_sources
from skysift.flow.extended_section import extended_section, flux_share
from skysift.flow.gallery import extended_exhibit, extended_facts
from skysift.flow.layers import outline_groups, telling_spines
from skysift.flow.steps.find import find_products
from skysift.sky.flags import doubtful
from skysift.sky.image import SkyImage


def crowded() -> SkyImage:
    """A ring, an arc and points, one of them on the ring."""
    image = picture()
    data = image.read()
    y, x = np.mgrid[: data.shape[0], : data.shape[1]]
    data += 0.06 * np.exp(-((x - 86) ** 2 + (y - 70) ** 2) / (2 * 1.7**2)).astype(np.float32)
    return SkyImage.from_array(data, frame=image.frame, beam=image.beam, name="rings")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "out"
    made = find_products(crowded(), make_finder("full", join=False), out, name="full", maps=())
    return made, out, (out / "report.html").read_text()


@pytest.fixture(scope="module")
def finding():
    return search(crowded(), make_finder("full", join=False), name="full")


def extended_rows(sources):
    return sources["structure"] == "E"


def test_the_page_has_the_extended_sources(run):
    made, _, text = run
    words = " ".join(Tags(text).text)
    sources = made.catalogue.sources
    extended = sources.select(extended_rows(sources))
    assert len(extended) >= 2
    assert '<section id="extended">' in text
    assert f"<b>{len(extended)}</b><span>extended sources" in text
    part = text[text.index('<section id="extended">') :].split("</section>")[0]
    assert all(name in part for name in extended["name"])
    assert all(f"{each} (" in part for each in extended["morphology"])
    assert len(list(images(part))) == 3 + len(extended)
    assert "the sum of all" in words
    assert "stay in the residual" in words
    assert not re.search(r"\bnan\b", words)


def test_outlines_have_a_switch_of_their_own(run):
    made, _, text = run
    sources = made.catalogue.sources
    assert "show extended sources" in text
    assert "show sources" in text
    seen = list(images(text))[:3]
    assert len({each.size for each in seen}) == 1
    on_top = int(((sources["parent_id"] > 0) & ~doubtful(sources["flags"])).sum())
    assert (f"on top of an extended source ({on_top})" in text) == (on_top > 0)
    clear = [np.asarray(each.convert("RGBA"))[..., 3] == 0 for each in seen[1:]]
    assert all(0.9 < each.mean() < 1 for each in clear)
    for number in (1, 2):
        assert f'class="switch-{number}"' in text
        assert f"over-{number}" in text


def test_a_page_without_extended_sources_does_not_speak_of_them(tmp_path):
    data = np.random.default_rng(1).normal(size=(90, 90)).astype(np.float32) * 1e-3
    image = SkyImage.from_array(data, frame=None, beam=picture().beam, pixel_scale=2.0)
    made = find_products(image, make_finder("full", seed=20, segment_seed=20), tmp_path, name="full", maps=())
    text = (tmp_path / "report.html").read_text()
    assert len(made.catalogue.sources) == 0
    assert 'id="extended"' not in text
    assert "show extended sources" not in text
    assert "Nothing was found" in text


def test_every_source_is_in_one_group_or_drawn(finding):
    sources, drawn = finding.catalogue.sources, drawn_sources(finding)
    groups = outline_groups(sources, drawn)
    times = np.sum([rows for _, rows in groups.values()], axis=0)
    assert np.array_equal(times == 0, extended_rows(sources))
    assert times.max() == 1
    on_top = sources["parent_id"] > 0
    assert on_top.any()
    assert np.array_equal(groups["on top of an extended source"][1], on_top & ~doubtful(sources["flags"]))


def test_spines_are_drawn_of_what_is_long_or_hollow(finding):
    drawn = drawn_sources(finding)
    sources = drawn.table
    shown = np.isin(sources.ids, telling_spines(drawn).owner)
    long = sources["largest_angular_size"] > 2.5 * sources["width_mean"]
    assert np.array_equal(shown, extended_rows(sources) & (long | (sources["ringness"] > 0.5)))


def test_an_extended_source_is_told_with_its_shape_and_without_nan(finding):
    sources = finding.catalogue.sources
    row = int(np.argmax(np.where(extended_rows(sources), sources["n_children"], -1)))
    read = {name: partial(finding.read, name) for name in ("background", "model", "residual", "labels")}
    read["data"] = finding.data
    shown = extended_exhibit(read, finding.image, finding.catalogue, drawn_sources(finding), row)
    assert shown.name == sources["name"][row]
    assert shown.number == f"source {sources['source_id'][row]}"
    assert f"{sources['morphology'][row]} ({sources['morphology_score'][row]:.2f})" in shown.facts
    assert f"{sources['n_children'][row]} compact on top" in shown.facts
    assert "nan" not in shown.facts
    joined = sources.select(np.array([row])).with_columns(
        {"morphology": [""], "largest_angular_size": [np.nan], "surface_snr": [np.nan], "n_children": [0]}
    )
    assert re.fullmatch(r"[\d.]+ \u00b1 [\d.]+ m?Jy", extended_facts(joined))


def test_the_picture_of_a_joined_source_holds_all_of_its_parts(finding, monkeypatch):
    """A compact part far from the pixels of the extended one lies in the window too."""
    catalogue, drawn = finding.catalogue, drawn_sources(finding)
    sources, components = catalogue.sources, catalogue.components
    row = int(np.flatnonzero(extended_rows(sources))[0])
    number = sources["source_id"][row]
    lines = drawn.outlines.select(drawn.outlines.owner == number)
    away = np.hypot(components["x"] - lines.x.mean(), components["y"] - lines.y.mean())
    owner = np.where(away == away.max(), number, components["source_id"])
    joined = replace(catalogue, components=components.with_columns({"source_id": owner}))
    seen = []
    monkeypatch.setattr(gallery, "_draw", lambda scene: seen.append(scene) or "")
    read = {name: partial(finding.read, name) for name in ("background", "model", "residual", "labels")}
    read["data"] = finding.data
    for each in (catalogue, joined):
        extended_exhibit(read, finding.image, each, drawn, row)
    far = components.select(away == away.max())
    inside = []
    for left, right, bottom, top in (scene.extent for scene in seen):
        inside.append(bool(left < far["x"][0] < right and bottom < far["y"][0] < top))
    assert inside == [False, True]


def test_the_share_of_flux_counts_each_source_once(finding):
    sources = finding.catalogue.sources
    rows = extended_rows(sources)
    share = flux_share(sources, rows)
    assert 0 < share < 1
    assert share + flux_share(sources, ~rows) == pytest.approx(1)
    assert flux_share(sources, np.zeros(len(sources), bool)) == 0
    assert np.isnan(flux_share(sources[:0], rows[:0]))
    section = extended_section(sources, rows)
    assert (f"{share:.0%}", "of the flux of all sources") in section.numbers
    assert extended_section(sources, np.zeros(len(sources), bool)) is None


def test_an_island_holds_the_flux_of_the_extended_source_and_of_those_on_top(finding):
    """What the page says of islands: their pixels are those of the extended source and of what lies on it."""
    sources, islands = finding.catalogue.sources, finding.catalogue.islands
    parents = sources.select(extended_rows(sources) & (sources["n_children"] > 0))
    for row in range(len(parents)):
        children = sources["flux_int"][sources["parent_id"] == parents["source_id"][row]].sum()
        whole = islands["flux_int"][islands["island_id"] == parents["island_id"][row]][0]
        assert whole == pytest.approx(parents["flux_int"][row] + children, rel=0.02)


def test_the_summary_and_the_manifest_count_extended_sources(run):
    made, out, _ = run
    counts = json.loads((out / "manifest.json").read_text())["counts"]
    sources = made.catalogue.sources
    assert counts["structure_E"] == extended_rows(sources).sum()
    assert counts["with_children"] == (sources["n_children"] > 0).sum() > 0
    assert counts["on_extended"] == (sources["parent_id"] > 0).sum() > 0
    assert counts["sources"] == sum(counts[f"structure_{letter}"] for letter in "SCME")
    assert f"{counts['structure_E']} extended (1 with compact sources on top), " in summary(made)


def test_kinds_of_sources_are_told_in_a_line():
    counts = {"sources": 46, "structure_S": 21, "structure_C": 2, "structure_M": 1, "structure_E": 22}
    told = kinds({**counts, "with_children": 3})
    assert told == "22 extended (3 with compact sources on top), 24 compact (S 21, C 2, M 1)"
    assert kinds({**counts, "with_children": 0}) == "22 extended, 24 compact (S 21, C 2, M 1)"
    none = {**counts, "sources": 24, "structure_E": 0, "with_children": 0}
    assert kinds(none) == "S 21, C 2, M 1"
    assert kinds(none, sought=True) == "0 extended, 24 compact (S 21, C 2, M 1)"
