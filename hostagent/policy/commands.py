"""Patterns of commands: `systemctl status *`, `journalctl -u * --since=*`, `tail /var/log/**`, `make **`.

A pattern is read into words as a command is, by the same parser; then words are compared, never text.

- A word without an unquoted `*` is itself. The program is written out: `ls` is not `/bin/ls`.
- `*` is exactly one argument that does not begin with `-`. `**` as the last word is any further arguments.
- `*` within a word is any characters but `/`, and never makes a `.` or `..`: `--since=*`, `/var/log/*.log`; `**`
  between slashes is any number of directories.

Where a rule denies or asks, it errs on hitting: `rm` is also `/bin/rm`, and `*` is any argument, or any characters.
"""

from __future__ import annotations

import fnmatch
import glob as escaping
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from hostagent.policy import glob
from hostagent.ssh.shell import STAR, pattern_words

EVERYTHING = "**"

_MANY = STAR * 2


def check_command(pattern: str) -> str:
    """The pattern. Raises ValueError when it is none."""
    if len(pattern) > glob.MAX_PATTERN:
        raise ValueError(f"a pattern has at most {glob.MAX_PATTERN} characters")
    words = pattern_words(pattern)
    if words == (_MANY,):
        return pattern
    if STAR in words[0]:
        raise ValueError("the program is written out; `**` alone is every command")
    for word in words[1:]:
        if word == _MANY and word is not words[-1]:
            raise ValueError("`**` is the last word, or stands between slashes")
        if any(_MANY in segment and segment != _MANY for segment in word.split("/")):
            raise ValueError("`**` is the last word, or stands between slashes")
    return pattern


@dataclass(frozen=True, slots=True)
class CommandPattern:
    """A pattern, ready to be asked. `more`: further arguments may follow."""

    words: tuple[str, ...]
    more: bool

    @classmethod
    def of(cls, pattern: str) -> CommandPattern:
        """From the text of a policy."""
        words = pattern_words(pattern)
        more = words[-1] == _MANY
        return cls(words[:-1] if more else words, more)

    def covers(self, argv: tuple[str, ...]) -> bool:
        """Whether it allows a command."""
        return self._fits(argv) and all(map(_covers, self.words, argv))

    def hits(self, argv: tuple[str, ...]) -> bool:
        """Whether a command may be what it denies."""
        if not self._fits(argv):
            return False
        if not self.words:
            return True
        program = argv[0] == self.words[0] or argv[0].rpartition("/")[2] == self.words[0]
        return program and all(map(_hits, self.words[1:], argv[1:]))

    def _fits(self, argv: tuple[str, ...]) -> bool:
        return len(argv) >= len(self.words) if self.more else len(argv) == len(self.words)


def _covers(pattern: str, word: str) -> bool:
    if STAR not in pattern:
        return pattern == word
    if pattern[0] == STAR and word.startswith("-"):
        return False
    if pattern == STAR:
        return word != ""
    patterns = ["**" if segment == _MANY else segment for segment in pattern.split("/")]
    return glob.segments_match(patterns, word.split("/"), _covers_segment) and not _dots(patterns, word)


def _dots(patterns: list[str], word: str) -> bool:
    """Whether `**` may have taken in what is no name of a file."""
    return "**" in patterns and not {"", ".", ".."}.isdisjoint(word.split("/")[1:])


def _covers_segment(pattern: str, segment: str) -> bool:
    if STAR not in pattern:
        return pattern == segment
    if segment.rpartition("=")[2] in ("", ".", "..") and pattern[-1] == STAR:
        return False
    return bool(_matcher(pattern)(segment))


def _hits(pattern: str, word: str) -> bool:
    return bool(_matcher(pattern)(word)) if STAR in pattern else pattern == word


@lru_cache(maxsize=4096)
def _matcher(pattern: str) -> Callable[[str], object]:
    """As `glob.word`, for a pattern in which nothing but STAR is special."""
    return re.compile(fnmatch.translate("*".join(map(escaping.escape, pattern.split(STAR))))).match
