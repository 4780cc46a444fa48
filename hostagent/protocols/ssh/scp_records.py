"""What scp's two ends say to each other, and the command line that starts the remote one.

There is no specification; the source is OpenSSH's scp.c (`source`, `sink`, `rsource`, `response`). The source sends
lines, and the sink answers each with a zero byte or one of the last two:

    T<mtime> 0 <atime> 0      times of what comes next
    C<mode> <size> <name>     a file; its bytes follow once that was answered, and a zero byte
    D<mode> 0 <name>, E       a directory begins, and ends
    byte 1 and text, byte 2   a warning, and a fatal error
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hostagent.errors import PeerError

MAX_LINE: Final = 2048  # bytes of a record; scp.c's buffer for one
MAX_SIZE: Final = 1 << 62  # of a file: scp.c takes what fits into an off_t
_ENTRY: Final = re.compile(rb"([CD])([0-7]{4}) ([0-9]{1,19}) ([^\0\n/]{1,1024})")
_TIMES: Final = re.compile(rb"T[0-9]{1,20} [0-9]{1,6} [0-9]{1,20} [0-9]{1,6}")
_FLAGS: Final = frozenset("rpdvq")


@dataclass(frozen=True, slots=True)
class Invocation:
    """`scp -t PATH` (`sink`: it writes) or `scp -f PATH…`. `directory`: -d, its path must be a directory."""

    sink: bool
    directory: bool
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A C or D record."""

    directory: bool
    mode: int
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class Times:
    """A T record."""


@dataclass(frozen=True, slots=True)
class Leave:
    """An E record: the directory ends."""


def invocation(words: tuple[str, ...]) -> Invocation:
    """What an argv of the remote scp means. Raises ValueError for any that is not understood."""
    if not words or words[0].rpartition("/")[2] != "scp":
        raise ValueError("not an scp command")
    flags, paths = "", list(words[1:])
    while paths and paths[0].startswith("-"):
        word = paths.pop(0)
        if word == "--":
            break
        flags += word[1:]
    modes = [flag for flag in flags if flag in "tf"]
    if unknown := set(flags) - _FLAGS - {"t", "f"}:
        raise ValueError(f"scp has no option {sorted(unknown)} in this form")
    if len(modes) != 1 or not paths or (modes == ["t"] and len(paths) != 1):
        raise ValueError("scp is to be either source or sink, and a sink of one path")
    if any(map(climbs, paths)):
        raise ValueError("a path of scp with `..` behind a name: where that leads is for links to say")
    return Invocation(modes == ["t"], "d" in flags, tuple(paths))


def record(line: bytes) -> Entry | Times | Leave:
    """A record without its newline, other than a warning. Raises PeerError."""
    if line == b"E":
        return Leave()
    if _TIMES.fullmatch(line):
        return Times()
    found = _ENTRY.fullmatch(line)
    if found is None:
        raise PeerError("an scp record that cannot be read")
    kind, mode, digits, raw = found.groups()
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise PeerError("an scp record with a name that is not UTF-8") from None
    size = int(digits)
    if name in (".", "..") or size > MAX_SIZE or (kind == b"D" and size):
        raise PeerError("an scp record with an impossible name or size")
    return Entry(kind == b"D", int(mode, 8), size, name)


def climbs(path: str) -> bool:
    """Whether a name is followed by `..`: if it is a link, that is not the directory that the name stands in."""
    names = [name for name in path.split("/") if name not in ("", ".")]
    return ".." in names[next((at for at, name in enumerate(names) if name != ".."), len(names)) :]


def tidy(path: str) -> str:
    """A path that does not climb, without empty and `.` names; `.` is empty. The root has no parent."""
    root = path.startswith("/")
    names = [name for name in path.split("/") if name not in ("", ".") and not (root and name == "..")]
    return ("/" if root else "") + "/".join(names)


def below(directory: str, name: str) -> str:
    """A path in a tidy directory."""
    return f"{directory}{name}" if directory in ("", "/") else f"{directory}/{name}"
