"""No tiling and no number of workers can show: every product is the same, byte for byte."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests import images, skies
from tests.images import MAPS, RMS

from skysift.find.finding import Finding
from skysift.sky.box import Box, PixelRegion
from skysift.sky.catalogue import Catalogue
from skysift.sky.flags import has
from skysift.sky.image import SkyImage
from skysift.sky.schema import TABLES
from skysift.sky.tiling import Tiling

BEAMS = (images.ROUND, images.BEAM, (3.0, 2.5, 100.0), (8.0, 7.0, 60.0))
# a failing map is shown as it is: making it smaller takes longer than finding it
slow = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@st.composite
def maps(draw: st.DrawFn) -> SkyImage:
    """Noise with points, doubles, extended sources and holes, and an island larger than any small tile."""
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    shape = (draw(st.integers(150, 330)), draw(st.integers(150, 330)))
    beam = draw(st.sampled_from(BEAMS))
    kinds = {
        "n_points": draw(st.integers(0, 30)),
        "n_extended": draw(st.integers(0, 3)),
        "n_doubles": draw(st.integers(0, 3)),
    }
    sources = skies.population(shape, beam, **kinds, snr=(4, 2000), rms=RMS, seed=seed)
    noise = draw(st.sampled_from(["convolved", "beam", "white"]))
    data, _ = skies.paint(shape, beam, rms=RMS, noise=noise, sources=sources, seed=seed)
    y, x = np.indices(shape)
    slope, sign = rng.uniform(-1, 1), draw(st.sampled_from([1, -1]))
    line = abs(y - shape[0] / 2 - slope * (x - shape[1] / 2)) < 1.5 * np.hypot(1, slope)
    data += np.float32(sign * 12 * RMS) * (line & (x > 20) & (x < 110))
    data += np.float32(draw(st.sampled_from([0.0, 2 * RMS])))
    for _ in range(draw(st.integers(0, 3))):
        top, left, height, width = (*rng.integers(0, shape), *rng.integers(1, 40, 2))
        data[top : top + height, left : left + width] = np.nan
    return images.image(data, beam, centre=(200.0, 10.0))


options = st.fixed_dictionaries(
    {
        "negative": st.just(True),
        "connectivity": st.sampled_from([8, 4]),
        "background": st.sampled_from(["mesh", "zero"]),
        "fdr": st.sampled_from([None, None, 0.05]),
    }
)
machines = st.tuples(st.one_of(st.just(64), st.integers(64, 400)), st.integers(1, 3))


def products(finding: Finding) -> dict[str, bytes]:
    """The bytes of all tables, as FITS and as CSV, and of all maps."""
    made = {}
    with tempfile.TemporaryDirectory() as folder:
        for form, suffix in (("fits", "fits"), ("csv", "csv")):
            place = Path(folder) / form
            finding.catalogue.write(place, form, None)
            made |= {f"{name}.{suffix}": (place / f"{name}.{suffix}").read_bytes() for name in TABLES}
    whole = Box.of(finding.image.shape)
    return made | {name: finding.read(name, whole).tobytes() for name in MAPS}


def compare(image: SkyImage, options: dict[str, object], *machines: tuple[int, int]) -> None:
    """Check that all products are those of one worker on the whole map."""
    expected = products(images.finding(image, tile=1024, workers=1, **options))
    for tile, workers in machines:
        got = products(images.finding(image, tile=tile, workers=workers, **options))
        assert [name for name in expected if got[name] != expected[name]] == []


@settings(slow, max_examples=12, derandomize=True)
@given(image=maps(), options=options, one=machines, other=machines)
def test_every_product_is_the_same_for_any_tiles_and_workers(image, options, one, other):
    compare(image, options, one, other)


@pytest.mark.full
@settings(slow, max_examples=30)
@given(image=maps(), options=options, one=machines, other=machines)
def test_every_product_is_the_same_for_many_tiles_and_workers(image, options, one, other):
    compare(image, options, one, other, (64, 2))


def rows(catalogue: Catalogue, table: str) -> dict[tuple[float, ...], dict[str, object]]:
    """Rows by their position, without what counts rows."""
    values = catalogue.table(table)
    kept = [name for name in values.columns if not name.endswith("_id") and name != "name"]
    keys = zip(values.x, values.y, values.flux_int, strict=True)
    return {key: {name: values[name][i] for name in kept} for i, key in enumerate(keys)}


@settings(slow, max_examples=8, derandomize=True)
@given(image=maps(), options=options, machine=machines, data=st.data())
def test_the_rows_of_a_region_are_those_of_the_map_but_for_islands_that_are_cut(
    image, options, machine, data
):
    ny, nx = image.shape
    y0, x0 = data.draw(st.integers(0, ny - 10)), data.draw(st.integers(0, nx - 10))
    box = Box(y0, data.draw(st.integers(y0 + 5, ny)), x0, data.draw(st.integers(x0 + 5, nx)))
    whole = images.finding(image, **options)
    tile, workers = machine
    part = images.finding(image, region=PixelRegion(box), tile=tile, workers=workers, **options)
    touched = np.unique(whole.read("labels", box))
    assert len(part.catalogue.islands) == (touched > 0).sum()
    for table in ("islands", "components"):
        all_rows = rows(whole.catalogue, table)
        cut = has(part.catalogue.table(table).flags, "region_cut")
        for (key, row), is_cut in zip(rows(part.catalogue, table).items(), cut, strict=True):
            if not is_cut:
                assert key in all_rows
                np.testing.assert_equal(row, all_rows[key])
    islands = whole.catalogue.islands
    inside = (
        (islands.x_min >= box.x0)
        & (islands.x_max < box.x1)
        & (islands.y_min >= box.y0)
        & (islands.y_max < box.y1)
    )
    assert (~has(part.catalogue.islands.flags, "region_cut")).sum() == inside.sum()
    for name in ("background", "rms"):
        np.testing.assert_array_equal(part.read(name, box), whole.read(name, box))


@given(st.lists(st.integers(-200, 900), min_size=4, max_size=4), st.integers(64, 700), st.integers(1, 90))
def test_tiles_cover_their_area_once_and_begin_at_multiples_of_the_anchor(edges, tile, anchor):
    area = Box(*sorted(edges[:2]), *sorted(edges[2:]))
    tiling = Tiling(area, tile, anchor)
    seen = np.zeros(area.shape, int)
    boxes = list(tiling)
    for box in boxes:
        assert area.holds(box)
        assert box.size <= (tile + 2 * anchor) ** 2
        assert box.y0 % anchor == 0 or box.y0 == area.y0
        assert box.x0 % anchor == 0 or box.x0 == area.x0
        seen[box.slices(area)] += 1
    assert (seen == 1).all()
    assert len(tiling) == len(boxes)
    assert boxes == sorted(boxes, key=lambda box: (box.y0, box.x0))
