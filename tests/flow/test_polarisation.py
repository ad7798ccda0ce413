"""The part of a run's page about polarisation."""

import pytest
from tests import images, polarised

from skysift.find.run import make_finder, search
from skysift.find.stokes import StokesMaps
from skysift.flow.polarisation import polarisation_section


def section(letters, **options):
    shape, x, y = polarised.lattice(4)
    total = 0.02 * (1.0 + (x > 60) * 9.0)
    sky = polarised.sky(
        shape,
        x,
        y,
        total,
        fraction_p=0.2,
        angle=40.0,
        fraction_v=-0.3,
        v_alone=[(30.0, 30.0, 0.02)],
        letters="I" + letters,
    )
    maps = StokesMaps.of({letter: sky.maps[letter] for letter in letters}, sky.maps["I"])
    return polarisation_section(search(sky.maps["I"], make_finder("classic", **options), beside=[maps]))


def test_numbers_charts_and_the_strongest():
    part = section("QUV", leakage_v=0.01, leakage_p=0.01)
    numbers = {what: int(value) for value, what in part.numbers}
    assert numbers["sources with circular polarisation"] > 8
    assert numbers["of them on no component of Stokes I"] == 1
    assert numbers["negative ones"] >= 8
    assert len(part.charts) == 4
    assert all(chart.image.startswith("data:image/png") for chart in part.charts)
    assert [len(table.heads) == len(table.rows[0]) for _, table in part.listings] == [True] * 3
    v = part.listings[-1][1]
    assert (
        sum(row[-2].value == "\N{EN DASH}" for row in v.rows) == 1
    )  # the one without a component of Stokes I
    assert "upper limits" in part.charts[0].caption
    assert "leakage" in part.charts[2].caption


@pytest.mark.parametrize(("letters", "charts", "tables"), [("V", 2, 2), ("QU", 2, 1), ("Q", 0, 0)])
def test_only_what_was_measured_is_shown(letters, charts, tables):
    part = section(letters)
    assert len(part.charts) == charts
    assert len(part.listings) == tables


def test_a_run_without_stokes_maps_has_no_such_part():
    assert polarisation_section(images.finding(images.painted((60, 60)))) is None
