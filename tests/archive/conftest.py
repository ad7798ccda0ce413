"""A shelf with something on it."""

import pytest
from tests.archive.shelves import LINKS, stock

from skysift.archive.shelf import Shelf
from skysift.io.sql import connect, database_url


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A shelf on SQLite with catalogues and maps of ada."""
    folder = tmp_path_factory.mktemp("shelf")
    engine = connect(database_url(folder))
    shelf = Shelf(engine, folder / "shelf", links=LINKS)
    stock(shelf, folder)
    yield shelf
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_shelf(postgres, tmp_path_factory):
    """The same shelf on PostgreSQL."""
    folder = tmp_path_factory.mktemp("shelf")
    engine = connect(postgres)
    shelf = Shelf(engine, folder / "shelf", links=LINKS)
    stock(shelf, folder)
    yield shelf
    engine.dispose()
