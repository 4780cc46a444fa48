"""The cancel keys that workers gave to clients: one table for all workers, each key scoped to where it was issued.

A cancel request comes on a flow of its own and may reach another worker than its session. A key is worth nothing at
another destination or from another cgroup, and it goes with its session or with its worker.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_KEYS = 65536  # one a session; more sessions than ports of a host are a fault


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a key is good: the session's destination, and the cgroup of who made it."""

    destination: str
    cgroup: str


@dataclass(frozen=True, slots=True)
class _Kept:
    worker: str
    scope: Scope
    upstream: bytes


class CancelKeys:
    """issued key (ours, the client has it) → upstream key (the server's)."""

    def __init__(self) -> None:
        self._kept: dict[bytes, _Kept] = {}

    def keep(self, worker: str, scope: Scope, issued: bytes, upstream: bytes) -> None:
        """Remember a key until it is dropped. Raises ValueError when it is taken, or the table is full."""
        if issued in self._kept:
            raise ValueError("this cancel key is taken")
        if len(self._kept) >= MAX_KEYS:
            raise ValueError("the table of cancel keys is full")
        self._kept[issued] = _Kept(worker, scope, upstream)

    def find(self, scope: Scope, issued: bytes) -> bytes | None:
        """The upstream key, or None for a key that nobody issued in this scope."""
        kept = self._kept.get(issued)
        return kept.upstream if kept is not None and kept.scope == scope else None

    def drop(self, worker: str, issued: bytes) -> None:
        """Forget a key of that worker; nothing when there is none."""
        kept = self._kept.get(issued)
        if kept is not None and kept.worker == worker:
            del self._kept[issued]

    def drop_worker(self, worker: str) -> None:
        """Forget all keys of a worker that ended."""
        self._kept = {issued: kept for issued, kept in self._kept.items() if kept.worker != worker}

    def __len__(self) -> int:
        return len(self._kept)
