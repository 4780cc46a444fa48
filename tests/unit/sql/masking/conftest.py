"""One server for these tests, with database `one`, and `other` that differs from it in masked values only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.postgres import Postgres
from tests.unit.sql.masking.world import Session, serving


@pytest.fixture(scope="session")
def masking_server() -> Iterator[Postgres]:
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def one(masking_server: Postgres) -> Iterator[Session]:
    session = Session(masking_server, "one")
    yield session
    session.close()


@pytest.fixture(scope="session")
def other(masking_server: Postgres) -> Iterator[Session]:
    session = Session(masking_server, "other")
    yield session
    session.close()
