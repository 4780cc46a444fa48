"""A made-up SFTP server with a few files, and a client's requests, to try a guard without processes."""

from __future__ import annotations

import stat
from collections.abc import Callable

from hostagent.protocols.ssh import sftp_messages as sftp
from hostagent.protocols.ssh.sftp import SftpGuard
from hostagent.protocols.ssh.sftp_extensions import EXTENSIONS
from hostagent.protocols.ssh.sftp_messages import Fields, Packets, id_of, request, string, uint32, uint64
from hostagent.ssh.operation import Operation

Policy = Callable[[Operation], bool]


def below(root: str) -> Policy:
    return lambda operation: all(path == "." or path == root or path.startswith(root + "/") for path in operation.paths)


class Server:
    """`links`: by path, where they point to. `textual`: its REALPATH resolves no links."""

    def __init__(self, files: dict[bytes, bytes], links: dict[bytes, bytes], textual: bool = False) -> None:
        self.files, self.links, self.textual = files, links, textual
        self.directories = {b"/", b"/home/ci"} | {
            path[:at] for path in (*files, *links) for at in range(1, len(path)) if path[at : at + 1] == b"/"
        }
        self.seen: list[tuple[int, bytes]] = []
        self._packets = Packets()
        self._handles: dict[bytes, bytes] = {}

    def feed(self, data: bytes) -> bytes:
        self._packets.feed(data)
        out = []
        while (packet := self._packets.next()) is not None:
            if packet[sftp.KIND] == sftp.INIT:
                known = [(name, data) for name, (data, _) in EXTENSIONS.items()]
                out.append(sftp.version(sftp.VERSION, *known, (b"vendor-id", b"x"), (b"fsync@openssh.com", b"9")))
            else:
                out.append(self._reply(packet, packet[sftp.KIND], id_of(packet), Fields(packet)))
        return b"".join(out)

    def _reply(self, packet: bytes, kind: int, number: int, fields: Fields) -> bytes:
        first = fields.string()
        self.seen.append((kind, first))
        if kind == sftp.REALPATH:
            name = string(self._real(first))
            return request(sftp.NAME, number, uint32(1), name, name, uint32(0))
        if kind == sftp.LSTAT:
            mode = self._mode(first)
            if not mode:
                return sftp.status(number, sftp.NO_SUCH_FILE, "No such file")
            return request(sftp.ATTRS, number, uint32(sftp.ATTR_MODE), uint32(mode))
        if kind in (sftp.OPEN, sftp.OPENDIR):
            name = b"h%d" % len(self._handles)
            self._handles[name] = first
            return request(sftp.HANDLE, number, string(name))
        if kind == sftp.READ:
            offset, length = fields.uint64(), fields.uint32()
            data = self.files[self._handles[first]][offset : offset + length]
            return request(sftp.DATA, number, string(data)) if data else sftp.status(number, sftp.EOF, "")
        return sftp.status(number, sftp.OK, "")

    def _mode(self, path: bytes) -> int:
        if path in self.links:
            return stat.S_IFLNK | 0o777
        if path in self.files:
            return stat.S_IFREG | 0o644
        return stat.S_IFDIR | 0o755 if path in self.directories else 0

    def _real(self, path: bytes) -> bytes:
        todo = path.split(b"/") if path.startswith(b"/") else [b"home", b"ci", *path.split(b"/")]
        done: list[bytes] = []
        while todo:
            name = todo.pop(0)
            if name == b"..":
                del done[-1:]
            elif name not in (b"", b"."):
                done.append(name)
            at = b"/" + b"/".join(done)
            if at in self.links and not self.textual:
                target = self.links[at]
                done = [] if target.startswith(b"/") else done[:-1]
                todo = target.split(b"/") + todo
        return b"/" + b"/".join(done)


class Between:
    """A client's side of a session with a guard before a server."""

    def __init__(self, server: Server, policy: Policy, chunk: int = 1 << 20) -> None:
        self.guard = SftpGuard("ci")
        self.server = server
        self.asked: list[tuple[str, ...]] = []
        self._policy = policy
        self._chunk = chunk
        self._replies = Packets()
        self._number = 0

    def begin(self) -> bytes:
        (reply,) = self.send(sftp.version(sftp.INIT))
        return reply

    def ask(self, kind: int, *fields: bytes) -> bytes:
        """One request, and its reply."""
        self._number += 1
        (reply,) = self.send(request(kind, self._number, *fields))
        assert id_of(reply) == self._number
        return reply

    def send(self, data: bytes) -> list[bytes]:
        for start in range(0, len(data), self._chunk):
            self.guard.client_data(data[start : start + self._chunk])
            self.pump()
        replies = []
        while (packet := self._replies.next()) is not None:
            replies.append(packet)
        return replies

    def pump(self) -> None:
        guard = self.guard
        while guard.to_server or guard.asked or guard.to_client:
            self._replies.feed(b"".join(guard.to_client))
            guard.to_client.clear()
            sent = b"".join(guard.to_server)
            guard.to_server.clear()
            answer = self.server.feed(sent)
            for start in range(0, len(answer), self._chunk):
                guard.server_data(answer[start : start + self._chunk])
            questions, guard.asked = guard.asked, []
            for token, operation in questions:
                self.asked.append((operation.kind.value, *operation.paths))
                guard.decided(token, self._policy(operation), "not yours (decision f00-1.1)")


def opened(path: bytes, flags: int) -> tuple[int, bytes, bytes, bytes]:
    return sftp.OPEN, string(path), uint32(flags), uint32(0)


def read(handle: bytes, offset: int, length: int) -> tuple[int, bytes, bytes, bytes]:
    return sftp.READ, string(handle), uint64(offset), uint32(length)


def write(handle: bytes, offset: int, data: bytes) -> tuple[int, bytes, bytes, bytes]:
    return sftp.WRITE, string(handle), uint64(offset), string(data)


def outcome(reply: bytes) -> tuple[int, str]:
    """Code and message of a STATUS."""
    assert reply[sftp.KIND] == sftp.STATUS
    fields = Fields(reply)
    return fields.uint32(), fields.string().decode()
