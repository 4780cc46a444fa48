"""One lock for everything that loads hooks: they stand at the cgroup root, and that is the whole machine's."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

LOCK_FILE = Path("/run/lock/hostagent-kernel.lock")


@contextlib.contextmanager
def kernel_lock() -> Iterator[None]:
    """Held while hooks are loaded; waits for whoever has it."""
    LOCK_FILE.parent.mkdir(parents=True, exist_ok=True)
    with LOCK_FILE.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
