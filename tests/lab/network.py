"""The namespaces of the kernel tests with nothing served in them: a real server comes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.netns import topology


class Lab(topology.Lab):
    """`NAME-host`, `NAME-db` and `NAME-box`; the caller runs its own servers there."""

    def populate(self) -> None:
        """Nothing: a real server comes."""

    @contextlib.contextmanager
    def made(self) -> Iterator[Lab]:
        """The namespaces, made and removed."""
        self.remove()
        self.make()
        try:
            yield self
        finally:
            self.remove()
