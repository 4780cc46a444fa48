"""Where a path leads: the canonical one, as the server says, which is decided and which is sent on in its place.

Text alone does not tell where a path leads: a directory in it may be a symbolic link. So the server is asked, in two
steps, with requests of our own:

1. REALPATH of the path; where its last name is not followed (rename, remove, …) or is to be made, of its parent.
2. LSTAT of everything on the way, at once. A symbolic link among them means that the server's REALPATH resolves none
   (draft-ietf-secsh-filexfer-02, 6.11, does not demand it), or that somebody changes the path now: refused.

What stays: between the last answer and the operation a process on the server can put a link in the place of a
directory. What is sent on is the canonical path, so the client cannot do it with a path of its own making alone.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import Final

from hostagent.errors import PeerError
from hostagent.protocols.ssh import sftp_messages as sftp
from hostagent.protocols.ssh.sftp_messages import Fields
from hostagent.protocols.ssh.sftp_steps import Steps, question

EXPAND: Final = b"expand-path@openssh.com"
MAX_DEPTH: Final = 128  # directories on the way, each of which is asked for; a path of 4096 bytes can have 2048


@dataclass(frozen=True, slots=True)
class Place:
    """A canonical absolute path. `failure`: it is not certain, and the client is told this status and text instead."""

    path: bytes
    failure: tuple[int, str] | None = None

    @property
    def text(self) -> str:
        """The path for policy. Only paths that are UTF-8 come so far."""
        return self.path.decode()


def resolve(path: bytes, home: bytes, follow: bool, new: bool = False) -> Steps[Place]:
    """The place that a path names. `follow`: a link as its last name is followed; `new`: it may not exist yet."""
    parent, name = split(path)
    if not name:  # "x/", "x/.", "x/..": the directory itself
        follow = True
    if follow:
        place = yield from _real(path, home)
        if place.failure is None or not (new and name):
            return (yield from _certain(place, len(names(place.path)), new))
    place = yield from _real(parent, home)
    inside = Place(join(place.path, name), place.failure)
    on_the_way = names(inside.path) if follow else names(place.path)
    return (yield from _certain(inside, len(on_the_way), new))


def canonical(path: bytes, home: bytes, expand: bool) -> Steps[Place]:
    """The server's REALPATH, or expand-path@, unchecked: for a client that wants no more than that text."""
    return (yield from _real(path, home, expand))


def split(path: bytes) -> tuple[bytes, bytes]:
    """Parent and last name; the name is empty where the path ends in `/`, `.` or `..`."""
    parent, slash, name = path.rpartition(b"/")
    if name in (b"", b".", b".."):
        return path or b".", b""
    return (parent or b"/") if slash else b".", name


def join(parent: bytes, name: bytes) -> bytes:
    """A path below a canonical one."""
    return parent.rstrip(b"/") + b"/" + name


def names(path: bytes) -> list[bytes]:
    """The names that an absolute path consists of."""
    return [name for name in path.split(b"/") if name]


def normal(path: bytes, home: bytes) -> bytes:
    """Absolute and without `.`, `..` and double slashes, as text alone tells."""
    kept: list[bytes] = []
    for name in names(path if path.startswith(b"/") else join(home, path)):
        if name == b"..":
            del kept[-1:]
        elif name != b".":
            kept.append(name)
    return b"/" + b"/".join(kept)


def named(reply: bytes) -> bytes | None:
    """The one name of a NAME reply; None for a STATUS. Raises PeerError."""
    if reply[sftp.KIND] != sftp.NAME:
        return None
    fields = Fields(reply)
    if fields.uint32() != 1:
        raise PeerError("the server's answer to REALPATH is not one name")
    return fields.path()


def failed(reply: bytes) -> tuple[int, str]:
    """Code and message of a STATUS reply. Raises PeerError."""
    if reply[sftp.KIND] != sftp.STATUS:
        raise PeerError("the server answers a question with something else")
    fields = Fields(reply)
    code = fields.uint32() or sftp.FAILURE  # OK is no answer to a question
    message = fields.string() if fields.pos < len(reply) else b""
    return code, message.decode("utf-8", "replace")


def _real(path: bytes, home: bytes, expand: bool = False) -> Steps[Place]:
    field = sftp.string(path or b".")
    asked = (sftp.EXTENDED, sftp.string(EXPAND) + field) if expand else (sftp.REALPATH, field)
    (reply,) = yield from question(asked)
    real = named(reply)
    if real is None:
        return Place(normal(path, home), failed(reply))
    if normal(real, b"/") != real or not _is_text(real):
        return Place(normal(path, home), (sftp.FAILURE, "the server does not say where this path leads"))
    return Place(real)


def _certain(place: Place, count: int, new: bool) -> Steps[Place]:
    """The place, when its first `count` names are what they seem."""
    if place.failure is not None or count == 0:
        return place
    if count > MAX_DEPTH:
        return Place(place.path, (sftp.FAILURE, f"a path through more than {MAX_DEPTH} directories"))
    steps = names(place.path)
    ways = [b"/" + b"/".join(steps[: depth + 1]) for depth in range(count)]
    replies = yield from question(*((sftp.LSTAT, sftp.string(way)) for way in ways))
    for depth, reply in enumerate(replies):
        if reply[sftp.KIND] != sftp.ATTRS:
            failure = failed(reply)
            if failure[0] == sftp.NO_SUCH_FILE and new and depth == len(steps) - 1:
                return place
            return Place(place.path, failure)
        _, _, mode = Fields(reply).attributes()
        if mode is None or stat.S_ISLNK(mode):
            return Place(place.path, (sftp.PERMISSION_DENIED, "the path leads through a symbolic link"))
    return place


def _is_text(path: bytes) -> bool:
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    return True
