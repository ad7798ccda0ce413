"""A service with catalogues and maps, one for all tests of a file."""

import pytest
from tests.postgres import database
from tests.serve.vo.knowledge import open_service, running_service


@pytest.fixture(scope="module")
def vo(tmp_path_factory):
    """A client of a service that knows people by tokens: who asks here is nobody."""
    with open_service(tmp_path_factory.mktemp("vo"), sign_in="tokens") as client:
        yield client


@pytest.fixture(scope="module")
def ada(vo):
    """The headers of ada, whose catalogues and maps they are."""
    people = vo.app.state.people
    people.add("ada", groups=("survey",), admin=False)
    return {"Authorization": f"Bearer {people.make_token('ada')[1]}"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(request, tmp_path_factory):
    """The address of a service on each database, and its shelf."""
    more = (
        {"database": database(request.getfixturevalue("postgres"))} if request.param == "postgresql" else {}
    )
    with running_service(tmp_path_factory.mktemp("served"), **more) as (url, app):
        yield url, app.state.shelf
