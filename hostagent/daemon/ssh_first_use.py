"""Host keys that were taken at their first use, where a target says `first_use: true`; a line each, like known_hosts.

    orders [db1.example]:22 ssh-ed25519 AAAA…

The first two words are the target and the host. A key stays until an operator removes its line; the file is read each
time, so that this takes effect at once.
"""

from __future__ import annotations

import os
from pathlib import Path

from hostagent.errors import HostError

MAX_KEY = 16 << 10  # characters


class FirstUse:
    """The file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def known(self, target: str, host: str) -> str:
        """The key that is kept for that host of a target, or nothing. Raises HostError."""
        for line in self._lines():
            words = line.split(" ", 2)
            if words[:2] == [target, host] and len(words) == 3:
                return words[2]
        return ""

    def keep(self, target: str, host: str, key: str) -> str:
        """Keep this key unless another is kept; the one that is. Raises HostError, ValueError."""
        if any(not word.isprintable() or " " in word for word in (target, host)) or len(key.split(" ")) != 2:
            raise ValueError("no such host key can be kept")
        if not key.isascii() or not key.isprintable() or len(key) > MAX_KEY:
            raise ValueError("no such host key can be kept")
        if known := self.known(target, host):
            return known
        try:
            with open(self._file, "a", opener=_private) as file:
                file.write(f"{target} {host} {key}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise HostError(
                f"{self._file}: {error.strerror}", "the daemon needs to write to its state directory"
            ) from None
        return key

    def _lines(self) -> list[str]:
        try:
            return self._file.read_text().splitlines()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise HostError(f"{self._file}: it cannot be read: {error}") from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
