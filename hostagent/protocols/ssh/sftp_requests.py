"""What is done with each SFTP request of a client: who is asked, and what is sent on. One generator a form of request.

Rules

1. A request that names paths is sent on with the canonical paths that were decided, not with the client's own.
2. Where the server cannot say where a path leads, the path as its text has it is decided; if that is allowed the client
   gets the server's own error, and the request is not sent on. So a denied client does not learn what exists.
3. A request on a handle is good for what the handle was opened for; what changes a file's attributes is asked again.
4. A request that is not in these tables is answered with OP_UNSUPPORTED.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hostagent.errors import PeerError
from hostagent.protocols.ssh import sftp_messages as sftp
from hostagent.protocols.ssh.sftp_handles import Handle, Handles
from hostagent.protocols.ssh.sftp_messages import Fields, id_of
from hostagent.protocols.ssh.sftp_paths import Place, canonical, join, normal, resolve
from hostagent.protocols.ssh.sftp_steps import Answered, End, Forward, Steps, denied
from hostagent.ssh.operation import Operation, SshKind


class Refusal(Exception):
    """The request is answered here. Its arguments are the status code and the message."""


@dataclass(frozen=True, slots=True)
class Context:
    """What handlers know of their session: who logged in, where relative paths begin, and what is open."""

    login: str
    home: bytes
    handles: Handles


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its packet, and the fields that were not read yet."""

    packet: bytes
    fields: Fields
    context: Context

    @property
    def id(self) -> int:
        """The client's id for it."""
        return id_of(self.packet)

    @property
    def kind(self) -> int:
        """Its type."""
        return self.packet[sftp.KIND]

    def path(self) -> bytes:
        """The next field, a path. Raises Refusal for one that is not UTF-8: nobody could say what was decided."""
        path = self.fields.path()
        try:
            path.decode()
        except UnicodeDecodeError:
            raise Refusal(sftp.FAILURE, "file names that are not UTF-8 are not taken") from None
        return path

    def rest(self) -> bytes:
        """What was not read yet."""
        return self.packet[self.fields.pos :]

    def operation(self, kind: SshKind, *paths: str, name: str = "", more: str = "") -> Operation:
        """What is to be decided."""
        words = [f"sftp {name or kind.value.removeprefix('sftp_')}", *paths, more]
        return Operation(kind, self.context.login, " ".join(filter(None, words)), paths=paths, name=name)


Handler = Callable[[Request], Steps[End] | End]  # End at once where nothing has to be asked


def place_denied(request: Request, kind: SshKind, *places: Place, more: str = "") -> Steps[Answered | None]:
    """Have the operation on these places decided. None: allowed, and all of them are certain."""
    operation = request.operation(kind, *(place.text for place in places), more=more)
    if (answer := (yield from denied(request.id, operation))) is not None:
        return answer
    failures = [place.failure for place in places if place.failure is not None]
    return Answered(sftp.status(request.id, *failures[0])) if failures else None


def on_path(kind: SshKind, *replies: int, follow: bool) -> Handler:
    """A request whose first field is a path, decided as one operation on it."""

    def handler(request: Request) -> Steps[End]:
        path = request.path()
        rest = request.rest()
        if request.kind == sftp.MKDIR:
            request.fields.attributes()
        request.fields.end()
        place = yield from resolve(path, request.context.home, follow, new=request.kind == sftp.MKDIR)
        if (answer := (yield from place_denied(request, kind, place))) is not None:
            return answer
        return Forward(sftp.request(request.kind, request.id, sftp.string(place.path), rest), replies)

    return handler


def open_file(request: Request) -> Steps[End]:
    """OPEN: read and write are decided each for itself."""
    path = request.path()
    flags = request.fields.uint32()
    rest = sftp.uint32(flags) + request.rest()
    request.fields.attributes()
    request.fields.end()
    if flags & ~sftp.OPEN_KNOWN:
        raise Refusal(sftp.OP_UNSUPPORTED, f"unknown flags {flags:#x} to open a file with")
    if request.context.handles.full:
        raise Refusal(sftp.FAILURE, "too many open files")
    changes = flags & ~(sftp.OPEN_READ | sftp.OPEN_EXCL)
    exclusive = flags & sftp.OPEN_CREAT and flags & sftp.OPEN_EXCL  # then a link as the last name is not followed
    read = bool(flags & sftp.OPEN_READ) or not flags & sftp.OPEN_WRITE  # as OpenSSH's server takes the flags
    new = bool(flags & sftp.OPEN_CREAT)
    place = yield from resolve(path, request.context.home, not exclusive, new)
    for kind, wanted in ((SshKind.SFTP_READ, read), (SshKind.SFTP_WRITE, changes)):
        if wanted and (answer := (yield from place_denied(request, kind, place))) is not None:
            return answer
    handle = Handle(place.text, read=read, write=bool(flags & sftp.OPEN_WRITE))
    if flags & sftp.OPEN_APPEND and handle.writes is not None:
        handle.writes.unhashable("appended to what was there")
    return _opening(request, sftp.request(sftp.OPEN, request.id, sftp.string(place.path), rest), handle)


def open_directory(request: Request) -> Steps[End]:
    """OPENDIR."""
    path = request.path()
    request.fields.end()
    if request.context.handles.full:
        raise Refusal(sftp.FAILURE, "too many open files")
    place = yield from resolve(path, request.context.home, follow=True)
    if (answer := (yield from place_denied(request, SshKind.SFTP_LIST, place))) is not None:
        return answer
    packet = sftp.request(sftp.OPENDIR, request.id, sftp.string(place.path))
    return _opening(request, packet, Handle(place.text, directory=True))


def _opening(request: Request, packet: bytes, handle: Handle) -> Forward:
    handles = request.context.handles
    handles.coming += 1

    def answered(reply: bytes) -> bytes:
        handles.coming -= 1
        if reply[sftp.KIND] == sftp.HANDLE:
            handles.opened(Fields(reply).string(), handle)
        return reply

    return Forward(packet, (sftp.HANDLE,), answered)


def attributes(follow: bool) -> Handler:
    """SETSTAT and lsetstat: a size is content, all else is attributes."""

    def handler(request: Request) -> Steps[End]:
        path = request.path()
        rest = request.rest()
        kinds, more, _ = _attribute_kinds(request)
        place = yield from resolve(path, request.context.home, follow)
        for kind in kinds:
            if (answer := (yield from place_denied(request, kind, place, more=more))) is not None:
                return answer
        return Forward(rebuilt(request, sftp.string(place.path), rest))

    return handler


def handle_attributes(request: Request) -> Steps[End]:
    """FSETSTAT."""
    handle = known(request)
    kinds, more, size = _attribute_kinds(request)
    for kind in kinds:
        operation = request.operation(kind, handle.path, more=more)
        if (answer := (yield from denied(request.id, operation))) is not None:
            return answer
    if size is not None and handle.writes is not None:
        handle.writes.cut(size)
    return Forward(request.packet)


def _attribute_kinds(request: Request) -> tuple[list[SshKind], str, int | None]:
    flags, size, mode = request.fields.attributes()
    request.fields.end()
    kinds = [SshKind.SFTP_ATTRS] if flags & ~sftp.ATTR_SIZE or not flags else []
    if flags & sftp.ATTR_SIZE:
        kinds.append(SshKind.SFTP_WRITE)
    return kinds, "" if mode is None else f"mode={mode & 0o7777:04o}", size


def real_path(expand: bool) -> Handler:
    """REALPATH and expand-path@: what the server says is what is decided, and the answer."""

    def handler(request: Request) -> Steps[End]:
        path = request.path()
        request.fields.end()
        place = yield from canonical(path, request.context.home, expand)
        # every client begins by asking for its home, which policy knows as `.`
        asked = "." if path in (b"", b".") else place.text
        if (answer := (yield from denied(request.id, request.operation(SshKind.SFTP_STAT, asked)))) is not None:
            return answer
        if place.failure is not None:
            return Answered(sftp.status(request.id, *place.failure))
        name = sftp.string(place.path)
        return Answered(sftp.request(sftp.NAME, request.id, sftp.uint32(1), name, name, sftp.uint32(0)))

    return handler


def two_paths(kind: SshKind) -> Handler:
    """RENAME, posix-rename@ and hardlink@: neither last name is followed, and both must be allowed."""

    def handler(request: Request) -> Steps[End]:
        home = request.context.home
        first, second = request.path(), request.path()
        request.fields.end()
        old = yield from resolve(first, home, follow=False)
        new = yield from resolve(second, home, follow=False, new=True)
        places = (new, old) if kind is SshKind.SFTP_LINK else (old, new)
        if (answer := (yield from place_denied(request, kind, *places))) is not None:
            return answer
        return Forward(rebuilt(request, sftp.string(old.path), sftp.string(new.path)))

    return handler


def symbolic_link(request: Request) -> Steps[End]:
    """SYMLINK, its arguments as OpenSSH and all who speak with it have them: what it points to, then the link."""
    home = request.context.home
    target, path = request.path(), request.path()
    request.fields.end()
    link = yield from resolve(path, home, follow=False, new=True)
    if not target:
        raise Refusal(sftp.NO_SUCH_FILE, "a link to nothing")
    parent = link.path.rpartition(b"/")[0]
    whole = target if target.startswith(b"/") else join(parent, target)
    pointed = yield from resolve(whole, home, follow=True, new=True)
    if pointed.failure is not None:  # it may point to what does not exist
        pointed = Place(normal(whole, home))
    if (answer := (yield from place_denied(request, SshKind.SFTP_LINK, link, pointed))) is not None:
        return answer
    return Forward(sftp.request(sftp.SYMLINK, request.id, sftp.string(target), sftp.string(link.path)))


def on_handle(*replies: int, directory: bool | None = None) -> Handler:
    """A request on a handle that needs no decision beyond the one it was opened with."""

    def handler(request: Request) -> End:
        handle = known(request)
        request.fields.end()
        if directory is not None and handle.directory is not directory:
            raise Refusal(sftp.FAILURE, "this handle is not open for that")
        return Forward(request.packet, replies)

    return handler


def close(request: Request) -> End:
    """CLOSE: from now on the handle is unknown; what was transferred is told when the server has closed it."""
    handles = request.context.handles
    name = request.fields.string()
    request.fields.end()
    handle = handles.closing(name)
    if handle is None:
        raise Refusal(sftp.FAILURE, "no such handle")
    closed = handle

    def answered(reply: bytes) -> bytes:
        handles.closed(closed, code_of(reply) == sftp.OK)
        return reply

    return Forward(request.packet, (), answered)


def rebuilt(request: Request, *fields: bytes) -> bytes:
    """The request with these fields; an extension keeps its name."""
    if request.kind != sftp.EXTENDED:
        return sftp.request(request.kind, request.id, *fields)
    return sftp.request(sftp.EXTENDED, request.id, sftp.string(Fields(request.packet).string()), *fields)


def known(request: Request) -> Handle:
    """The handle that the next field names. Raises Refusal."""
    handle = request.context.handles.get(request.fields.string())
    if handle is None:
        raise Refusal(sftp.FAILURE, "no such handle")
    return handle


def code_of(reply: bytes) -> int:
    """The code of a STATUS reply."""
    if reply[sftp.KIND] != sftp.STATUS:
        raise PeerError("the server answers with something else than a status")
    return Fields(reply).uint32()


HANDLERS: Final[dict[int, Handler]] = {
    sftp.OPEN: open_file,
    sftp.CLOSE: close,
    sftp.LSTAT: on_path(SshKind.SFTP_STAT, sftp.ATTRS, follow=False),
    sftp.FSTAT: on_handle(sftp.ATTRS),
    sftp.SETSTAT: attributes(follow=True),
    sftp.FSETSTAT: handle_attributes,
    sftp.OPENDIR: open_directory,
    sftp.READDIR: on_handle(sftp.NAME, directory=True),
    sftp.REMOVE: on_path(SshKind.SFTP_DELETE, follow=False),
    sftp.MKDIR: on_path(SshKind.SFTP_MKDIR, follow=False),
    sftp.RMDIR: on_path(SshKind.SFTP_DELETE, follow=False),
    sftp.REALPATH: real_path(expand=False),
    sftp.STAT: on_path(SshKind.SFTP_STAT, sftp.ATTRS, follow=True),
    sftp.RENAME: two_paths(SshKind.SFTP_RENAME),
    sftp.READLINK: on_path(SshKind.SFTP_STAT, sftp.NAME, follow=False),
    sftp.SYMLINK: symbolic_link,
}
