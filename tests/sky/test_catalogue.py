import pickle

import numpy as np
import pytest
from tests import catalogues

from skysift.base.errors import OutputError, UnknownName, UsageError
from skysift.io.tables import read_table
from skysift.sky.catalogue import Catalogue, Table


def links(catalogue):
    """Which component belongs to which source and island, told by what concat and select must not change."""
    x = {
        kind: dict(zip(catalogue.table(kind).ids, catalogue.table(kind).x, strict=True))
        for kind in ("islands", "sources")
    }
    components = catalogue.components
    return {
        (at, x["sources"][source], x["islands"][island])
        for at, source, island in zip(components.x, components.source_id, components.island_id, strict=True)
    }


def test_an_empty_catalogue_is_a_value():
    empty = Catalogue.empty()
    assert len(empty) == 0
    assert not empty
    assert empty == pickle.loads(pickle.dumps(empty))
    assert Catalogue.concat([]) == empty
    assert Catalogue.concat([empty, empty]) == empty
    assert empty.select(np.zeros(0, dtype=bool)) == empty
    left, right = empty.join("islands", "sources")
    assert left.size == right.size == 0


def test_length_is_the_number_of_sources():
    catalogue = catalogues.catalogue(12)
    assert len(catalogue) == 12
    assert repr(catalogue).startswith("Catalogue(12 sources, ")
    assert repr(catalogue).endswith("by classic of skysift 0.1.0)")
    assert pickle.loads(pickle.dumps(catalogue)) == catalogue
    assert catalogue != catalogues.catalogue(12, seed=2)


def test_select_keeps_what_is_linked():
    catalogue = catalogues.catalogue(12)
    kept = np.zeros(12, dtype=bool)
    kept[[2, 7]] = True
    part = catalogue.select(kept)
    assert part.sources.source_id.tolist() == [3, 8]
    assert set(part.components.source_id) == {3, 8}
    assert set(part.islands.island_id) == set(part.components.island_id)
    assert links(part) <= links(catalogue)
    assert part.provenance == catalogue.provenance
    assert catalogue.select(np.ones(12, dtype=bool)) == catalogue


def test_concat_numbers_anew_and_keeps_links():
    first, second = catalogues.catalogue(12, seed=1), catalogues.catalogue(5, seed=2)
    both = Catalogue.concat([first, second.select(np.array([4, 1]))])
    assert both.sources.source_id.tolist() == list(range(1, 15))
    assert both.components.component_id.tolist() == list(range(1, len(both.components) + 1))
    assert both.islands.island_id.tolist() == list(range(1, len(both.islands) + 1))
    assert links(both) == links(first) | links(second.select(np.array([4, 1])))
    assert both.provenance == first.provenance
    other = Catalogue(second.islands, second.sources, second.components, None)
    assert Catalogue.concat([first, other]).provenance is None


def test_concat_refuses_broken_links():
    catalogue = catalogues.catalogue(5)
    broken = Catalogue(catalogue.islands, catalogue.sources.select(np.array([0])), catalogue.components)
    with pytest.raises(UsageError, match="a row of the components belongs to none of the sources"):
        Catalogue.concat([broken])


def test_join_links_rows():
    catalogue = catalogues.catalogue(12)
    rows, sources = catalogue.join("components", "sources")
    assert rows.tolist() == list(range(len(catalogue.components)))
    assert np.array_equal(catalogue.sources.source_id[sources], catalogue.components.source_id)
    pairs = set(zip(*(side.tolist() for side in catalogue.join("islands", "sources")), strict=True))
    truth = zip(catalogue.components.island_id - 1, catalogue.components.source_id - 1, strict=True)
    assert pairs == {(int(island), int(source)) for island, source in truth}
    assert {(b, a) for a, b in pairs} == set(
        zip(*(side.tolist() for side in catalogue.join("sources", "islands")), strict=True)
    )
    with pytest.raises(UnknownName, match="no such table"):
        catalogue.join("islands", "stars")


def test_tables_must_stand_in_their_places():
    empty = Catalogue.empty()
    with pytest.raises(UsageError, match="must be a table of islands: got 'sources'"):
        Catalogue(empty.sources, empty.sources, empty.components)


@pytest.mark.parametrize("name", ["out.vot", "out.xml", "out.fits", "OUT.FITS", "out.parquet", "out.csv"])
def test_write_tells_the_format_by_the_suffix(tmp_path, name):
    catalogue = catalogues.catalogue()
    assert catalogue.write(tmp_path / name) == (tmp_path / name,)
    assert read_table(tmp_path / name) == catalogue.sources
    assert catalogue.write(tmp_path / name, table="islands", overwrite=True)
    assert read_table(tmp_path / name) == catalogue.islands


def test_write_all_three_tables_into_a_folder(tmp_path):
    catalogue = catalogues.catalogue()
    written = catalogue.write(tmp_path / "new", "csv", table=None)
    assert [path.name for path in written] == ["islands.csv", "sources.csv", "components.csv"]
    for path in written:
        assert read_table(path) == catalogue.table(path.stem)


def test_write_refuses(tmp_path):
    catalogue = catalogues.catalogue(2)
    catalogue.write(tmp_path / "out.fits")
    before = (tmp_path / "out.fits").read_bytes()
    with pytest.raises(OutputError, match="the file exists"):
        catalogue.write(tmp_path / "out.fits")
    assert (tmp_path / "out.fits").read_bytes() == before
    with pytest.raises(UnknownName, match="no table format has files that end so: got 'out"):
        catalogue.write(tmp_path / "out.doc")
    with pytest.raises(UnknownName, match="no such format: got 'doc'"):
        catalogue.write(tmp_path / "out.doc", "doc")
    with pytest.raises(UnknownName, match="no such table: got 'stars'"):
        catalogue.write(tmp_path / "stars.fits", table="stars")
    assert [each.name for each in tmp_path.iterdir()] == ["out.fits"]


def test_table_is_part_of_this_module():
    assert Table is type(Catalogue.empty().sources)
