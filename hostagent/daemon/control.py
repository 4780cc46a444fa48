"""The control socket: a line of JSON in, a line of JSON out, for as long as the client stays.

    {"op": "status", "args": {}}      →  {"ok": true, "result": {…}}  |  {"ok": false, "error": "…", "hint": "…"}

What it is not: a place where anything is decided or done; operations are handed in. Rules: who asks is what the kernel
says (SO_PEERCRED, SO_PEERGROUPS); reading is for root and the group `hostagent`, changing for root, approvals for root
and the group `hostagent-approvers`; every request has a size limit and every operation a deadline; a bad request ends
its client, never another's.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hostagent.daemon import log
from hostagent.errors import FileError, HostError

MAX_REQUEST = 64 << 10  # the longest argument list that `run.prepare` is asked to note
REQUEST_SECONDS = 30.0  # `doctor` makes real connections, some of which must time out
IDLE_SECONDS = 300.0  # a client that asks nothing is sent away
MAX_CLIENTS = 64
_SO_PEERGROUPS = 59  # include/uapi/asm-generic/socket.h
_GROUPS_BUFFER = 1024  # bytes, the most that socket.getsockopt takes: 256 groups; with more of them only root may ask

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked. `changes` makes it root's alone."""

    handler: Handler
    changes: bool = False


@dataclass(frozen=True, slots=True)
class ApproversOperation:
    """One thing that approvers can ask; it hears who asks."""

    handler: Callable[[Peer, dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is on the other end, by the kernel's word at the time of connect()."""

    pid: int
    uid: int
    groups: frozenset[int]

    @classmethod
    def of(cls, sock: socket.socket) -> Peer:
        """The peer of a connected unix socket."""
        pid, uid, gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        raw = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BUFFER)
        return cls(pid, uid, frozenset({gid, *struct.unpack(f"{len(raw) // 4}I", raw)}))


class ControlServer:
    """Serves the operations on a listening unix socket until cancelled."""

    def __init__(
        self,
        sock: socket.socket,
        operations: Mapping[str, Operation | ApproversOperation],
        readers_gid: int | None,
        approvers_gid: int | None = None,
    ) -> None:
        self._sock = sock
        self._operations = operations
        self._readers_gid = readers_gid
        self._approvers_gid = approvers_gid
        self._clients = 0

    async def run(self) -> None:
        """Accept clients until cancelled."""
        loop = asyncio.get_running_loop()
        self._sock.setblocking(False)
        async with asyncio.TaskGroup() as clients:
            while True:
                sock, _ = await loop.sock_accept(self._sock)
                if self._clients >= MAX_CLIENTS:
                    sock.close()
                    continue
                self._clients += 1
                clients.create_task(self._client(sock))

    async def _client(self, sock: socket.socket) -> None:
        try:
            peer = Peer.of(sock)
            reader, writer = await asyncio.open_unix_connection(sock=sock, limit=MAX_REQUEST)
            try:
                await self._conversation(peer, reader, writer)
            finally:
                writer.close()
        except OSError:
            sock.close()
        finally:
            self._clients -= 1

    async def _conversation(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    line = await reader.readuntil(b"\n")
            except (asyncio.IncompleteReadError, TimeoutError):
                return
            except asyncio.LimitOverrunError:
                answer, goes_on = _refusal(f"a request is at most {MAX_REQUEST} bytes"), False
            else:
                answer, goes_on = await self._answer(peer, line)
            writer.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
            async with asyncio.timeout(REQUEST_SECONDS):
                await writer.drain()
            if not goes_on:
                return

    async def _answer(self, peer: Peer, line: bytes) -> tuple[dict[str, Any], bool]:
        """The answer, and whether the client may ask on."""
        try:
            request = json.loads(line)
            name, args = request["op"], request.get("args", {})
            operation = self._operations[name]
            if not isinstance(args, dict):
                raise TypeError("args")
        except KeyError as error:
            return _refusal(f"there is no operation {error}", "the daemon may be older than this command"), True
        except (ValueError, TypeError, AttributeError, RecursionError):
            return _refusal("a request is one line of JSON: op and args"), False
        if (refusal := self._refused(peer, operation)) is not None:
            log.warning("control_refused", op=name, pid=peer.pid, uid=peer.uid)
            return refusal, False
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                work = operation.handler(args) if isinstance(operation, Operation) else operation.handler(peer, args)
                return {"ok": True, "result": await work}, True
        except TimeoutError:
            return _refusal(f"{name} took longer than {REQUEST_SECONDS:g} s"), True
        except HostError as error:
            return _refusal(error.what, error.hint), True
        except (FileError, OSError, ValueError, KeyError, TypeError) as error:
            return _refusal(f"{name}: {error}"), True

    def _refused(self, peer: Peer, operation: Operation | ApproversOperation) -> dict[str, Any] | None:
        if peer.uid == 0:
            return None
        if isinstance(operation, ApproversOperation):
            if self._approvers_gid is not None and self._approvers_gid in peer.groups:
                return None
            what = "only root and the group hostagent-approvers may look at approvals and answer them"
            return _refusal(what, "join the group hostagent-approvers")
        if operation.changes:
            return _refusal("only root may change anything", "use sudo")
        if self._readers_gid is None or self._readers_gid not in peer.groups:
            return _refusal("only root and the group hostagent may ask", "use sudo, or join the group hostagent")
        return None


def _refusal(error: str, hint: str = "") -> dict[str, Any]:
    return {"ok": False, "error": error, "hint": hint}
