"""The extensions of SFTP that are understood, and what is done with each. All others are neither offered nor passed;
users-groups-by-id@ is not either: the server's own listing has the names, and clients show that where it is missing.

Source: OpenSSH's PROTOCOL, section 4; draft-ietf-secsh-filexfer-extensions-00 for copy-data and home-directory.
"""

from __future__ import annotations

from typing import Final

from hostagent.protocols.ssh import sftp_messages as sftp
from hostagent.protocols.ssh.sftp_messages import Fields
from hostagent.protocols.ssh.sftp_paths import resolve
from hostagent.protocols.ssh.sftp_requests import (
    Handler,
    Refusal,
    Request,
    attributes,
    known,
    on_handle,
    place_denied,
    real_path,
    rebuilt,
    two_paths,
)
from hostagent.protocols.ssh.sftp_steps import End, Forward, Steps, denied
from hostagent.ssh.operation import SshKind

_REPLY: Final = sftp.EXTENDED_REPLY
_MAX_DATA: Final = sftp.MAX_PACKET - 1024  # of a read or write; OpenSSH's own difference between the two


def extended(request: Request) -> Steps[End] | End:
    """EXTENDED: its name says which. Raises Refusal for one that is not known."""
    name = request.fields.string()
    found = EXTENSIONS.get(name)
    if found is None:
        raise Refusal(sftp.OP_UNSUPPORTED, "this extension is not passed")
    return found[1](request)


def limits(request: Request) -> End:
    """limits@: the server's, or ours where those are lower."""
    request.fields.end()

    def answered(reply: bytes) -> bytes:
        if reply[sftp.KIND] != _REPLY:
            return reply
        fields = Fields(reply)
        ours = (sftp.MAX_PACKET, _MAX_DATA, _MAX_DATA, 0)  # 0: no limit, or one that is not known
        theirs = [fields.uint64() for _ in ours]
        least = [min(filter(None, pair), default=0) for pair in zip(ours, theirs, strict=True)]
        return sftp.request(_REPLY, sftp.id_of(reply), *map(sftp.uint64, least))

    return Forward(request.packet, (_REPLY,), answered)


def copy_data(request: Request) -> End:
    """copy-data: from a handle that may be read to one that may be written. The bytes stay on the server."""
    source = known(request)
    request.fields.uint64()
    request.fields.uint64()
    target = known(request)
    request.fields.uint64()
    request.fields.end()
    if source.reads is None or target.writes is None:
        raise Refusal(sftp.PERMISSION_DENIED, "these handles are not open for that")
    source.reads.unhashable("copied on the server")
    target.writes.unhashable("copied on the server")
    return Forward(request.packet)


def statistics(request: Request) -> Steps[End]:
    """statvfs@: of the file system that a path is on."""
    path = request.path()
    request.fields.end()
    place = yield from resolve(path, request.context.home, follow=True)
    if (answer := (yield from place_denied(request, SshKind.SFTP_STAT, place))) is not None:
        return answer
    return Forward(rebuilt(request, sftp.string(place.path)), (_REPLY,))


def home_directory(request: Request) -> Steps[End]:
    """home-directory: of a user, decided by the extension's name."""
    user = request.fields.string().decode("utf-8", "backslashreplace")
    request.fields.end()
    operation = request.operation(SshKind.SFTP_EXTENSION, name="home-directory", more=user)
    if (answer := (yield from denied(request.id, operation))) is not None:
        return answer
    return Forward(request.packet, (sftp.NAME, _REPLY))


# name → the data that VERSION carries for the form that is understood, and what is done with it
EXTENSIONS: Final[dict[bytes, tuple[bytes, Handler]]] = {
    b"posix-rename@openssh.com": (b"1", two_paths(SshKind.SFTP_RENAME)),
    b"hardlink@openssh.com": (b"1", two_paths(SshKind.SFTP_LINK)),
    b"fsync@openssh.com": (b"1", on_handle()),
    b"statvfs@openssh.com": (b"2", statistics),
    b"fstatvfs@openssh.com": (b"2", on_handle(_REPLY)),
    b"lsetstat@openssh.com": (b"1", attributes(follow=False)),
    b"limits@openssh.com": (b"1", limits),
    b"expand-path@openssh.com": (b"1", real_path(expand=True)),
    b"copy-data": (b"1", copy_data),
    b"home-directory": (b"1", home_directory),
}
