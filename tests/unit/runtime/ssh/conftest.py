"""An sshd for the tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.sshd import Sshd, free_port


@pytest.fixture(scope="session")
def sshd() -> Iterator[Sshd]:
    server = Sshd((free_port(),), listen=("127.0.0.1",)).prepare()
    try:
        yield server.start()
    finally:
        server.stop()
