"""The key of `mask: hash`: one for the host, made once and kept. Each target's is derived of it, and only that leaves.

A worker gets the keys of the targets that a mask is for. Whoever loses the file loses nothing but that hashes of before
and after are no longer the same.
"""

from __future__ import annotations

import os
from pathlib import Path

from hostagent.errors import HostError
from hostagent.policy.fields import ANY
from hostagent.policy.model import Policy
from hostagent.private_file import make_private, read_private
from hostagent.sql.masking.expression import derive_key
from hostagent.sql.masking.values import KEY_BYTES


class MaskKeys:
    """The host's key, and what is derived from it."""

    def __init__(self, path: Path) -> None:
        """Read the key, or make it. Raises HostError: unreadable, of another length, readable by others."""
        self._path = path
        self._key = _read(path) if path.exists() else _make(path)

    def of(self, policy: Policy) -> dict[str, str]:
        """The keys, in hexadecimal digits, of the targets of this policy that a mask is for."""
        named = {name for mask in policy.masks for name in mask.targets}
        return {t.name: derive_key(self._key, t.name).hex() for t in policy.targets if ANY in named or t.name in named}


def _read(path: Path) -> bytes:
    try:
        key = read_private(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise HostError(f"{path}: {why}", f"it holds the key of masks: chown root {path}, chmod 600 {path}") from None
    if len(key) != KEY_BYTES:
        raise HostError(f"{path}: a masking key has {KEY_BYTES} bytes", "restore it, or remove it to have another made")
    return key


def _make(path: Path) -> bytes:
    key = os.urandom(KEY_BYTES)
    try:
        make_private(path, key)
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}", "the key of masks is kept there: check the directory") from None
    return key
