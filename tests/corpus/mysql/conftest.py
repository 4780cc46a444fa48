"""One throw-away MariaDB for all modules of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.mariadb import MariaDB


@pytest.fixture(scope="session")
def server() -> Iterator[MariaDB]:
    """A server that is reached by its unix socket alone."""
    running = MariaDB(tls=False, settings=("--skip-networking",)).start()
    try:
        yield running
    finally:
        running.stop()
