"""The namespaces of the kernel tests with nothing served in them, and the lock that all runs on a machine share."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from tests.netns import topology

LOCK_FILE = Path("/run/lock/hostagent-kernel.lock")


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


@contextlib.contextmanager
def kernel_lock() -> Iterator[None]:
    """Hooks at the cgroup root are the whole machine's: one run at a time."""
    LOCK_FILE.parent.mkdir(parents=True, exist_ok=True)
    with LOCK_FILE.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
