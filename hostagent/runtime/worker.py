"""The proxy worker process: accepts what was redirected, and runs its flows on one loop.

It starts inside the workers' cgroup with everything it needs inherited, the transparent listeners and its channel, and
gives up its privilege before it reads a byte of either. It asks the supervisor who made a flow, for leaves and for
credentials; it never asks for the CA key.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import resource
import socket
import ssl
import sys
import time
from collections.abc import Coroutine
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from hostagent.content.detector import Detector
from hostagent.errors import HostError
from hostagent.pki.leaf import leaf_der, server_context
from hostagent.policy.detectors import Detectors, detectors_for
from hostagent.policy.masks import masks_for
from hostagent.policy.model import Policy
from hostagent.privilege import give_up, readable_by_all
from hostagent.protocols.base import Credential
from hostagent.protocols.detect import detect
from hostagent.protocols.postgres.scram import SaltedPasswords
from hostagent.protocols.postgres.scram_server import Verifier
from hostagent.recording import event
from hostagent.recording.capture import SessionRecording
from hostagent.recording.journal import Journal
from hostagent.runtime.channel import Channel, ChannelError
from hostagent.runtime.flow import Flow
from hostagent.runtime.gate import Gate
from hostagent.runtime.limits import Limits
from hostagent.runtime.masking import CATALOG_SECONDS
from hostagent.runtime.opening import Login, Opened
from hostagent.runtime.reach import upstream_failure
from hostagent.runtime.waiting import Waiting
from hostagent.runtime.way import TCP, Way
from hostagent.sql.masking.values import Masks
from hostagent.upstream.verify import end_point_binding
from hostagent.values.flow import FlowId, FlowKey
from hostagent.values.target import Target

if TYPE_CHECKING:
    from hostagent.runtime.ssh.identity import Identity

log = logging.getLogger("hostagent.worker")

FLUSH_INTERVAL = 0.5  # seconds between writes of session recordings: what a crash can cost of them
BACKLOG = 4096  # connections that wait while a worker is restarted; listen() caps it at somaxconn
YOUNG = 20_000  # objects between two looks for cycles: queries make some dozens each, and no cycles
LOGIN_SECONDS = 50.0  # a helper has 40 s at most, Vault three questions of 15 s; below ESTABLISH_DEADLINE
EX_SOFTWARE = 70  # sysexits.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
MALLOC_KEEP = 64 << 20  # bytes: large buffers come from the heap and stay there; else each chunk costs a map and unmap


class Worker:
    """One worker. `run` serves until the supervisor's channel closes or a drain is over."""

    def __init__(self, channel: socket.socket, listeners: list[socket.socket], index: int) -> None:
        self.waiting = Waiting(self._ask)
        handlers = {
            "policy": self._on_policy,
            "drain": self._on_drain,
            "stats": self._on_stats,
            "approval.answered": self.waiting.answered,
            "approval.end_flows": self._on_end_flows,
            "limit.recall": self._on_recall,
        }
        self.channel = self._channel = Channel(channel, handlers)
        self.identity: Identity | None = None  # to SSH clients; made when the first one comes
        self._listeners = listeners
        self._index = index
        self._prefix = f"{time.time_ns() // 1_000_000:x}{index:02x}"
        self._accepted = 0
        self._flows: set[Flow] = set()
        self._contexts: dict[tuple[str, ...], tuple[float, ssl.SSLContext, bytes]] = {}
        self._tasks = asyncio.TaskGroup()
        self._done = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self._detectors: dict[Detectors, Detector] = {}
        self.salted_passwords = SaltedPasswords()
        self.settings: dict[str, Any] = {}
        self.gate: Gate

    async def run(self) -> None:
        """Serve. Raises HostError when the supervisor cannot be asked."""
        async with self._tasks:
            channel = self._tasks.create_task(self._serve_channel())
            self.settings = await self._channel.call("hello", {"worker": self._index})
            records = Path(self.settings["recording_directory"])
            self.journal = Journal(records / "journal", f"worker{self._index}")
            policy = Policy.from_json(self.settings["policy"])
            self.limits = Limits(policy, self._ask)
            self.gate = Gate(policy, self.journal, self.settings["analyzer"], self.spawn, self.limits)
            loop = asyncio.get_running_loop()
            for listener in self._listeners:
                self._servers.append(await loop.create_server(self._accept, sock=listener, backlog=BACKLOG))
            flusher = self._tasks.create_task(self._flush_recordings())
            gc.freeze()  # what lives as long as the process is never looked through again
            gc.set_threshold(YOUNG, 20, 20)
            await self._channel.call("ready", {})
            await self._done.wait()
            flusher.cancel()
            for flow in list(self._flows):
                flow.end("the worker stopped")
            self.gate.gather_all()
            self.gate.flush()
            channel.cancel()

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Run this beside the data path. It must not raise: that would end the worker."""
        self._tasks.create_task(work)

    def _accept(self) -> asyncio.BaseProtocol:
        return self.new_flow(TCP).client.protocol

    def new_flow(self, way: Way) -> Flow:
        """A flow that came this way. Its client leg is opened next."""
        self._accepted += 1
        flow = Flow(self, FlowId(f"{self._prefix}-{self._accepted:x}"), way)
        self._flows.add(flow)
        return flow

    # what flows ask for

    async def attribute(self, key: FlowKey) -> dict[str, Any]:
        """Who made this flow. Raises ChannelError."""
        ends = {
            "source": [key.source.address, key.source.port],
            "destination": [key.destination.address, key.destination.port],
        }
        return await self._channel.call("attribute", ends)

    async def login(self, target: str) -> Login:
        """What that target is logged in to with. Raises ChannelError."""
        answer = await self._channel.call("login", {"target": target}, timeout=LOGIN_SECONDS)
        credential, placeholder = answer["credential"], answer["placeholder"]
        return Login(
            None if credential is None else Credential(credential["user"], credential["secret"]),
            None if placeholder is None else Verifier.from_json(placeholder),
            answer["client_pem"],
        )

    async def leaf_context(self, hello: bytes, opened: Opened) -> tuple[ssl.SSLContext, bytes]:
        """The server-side context with a leaf for the name the client asked for, and what clients bind to of it.

        Raises HostError.
        """
        found = detect(hello)
        asked = found.server_name if found is not None else ""
        names = tuple(dict.fromkeys(name for name in (asked, opened.destination.address) if name))
        now = time.monotonic()
        kept = self._contexts.get(names)
        if kept is not None and now - kept[0] < 3600:
            return kept[1], kept[2]
        leaf = await self._channel.call("leaf", {"names": list(names)})
        context = server_context(leaf["chain_pem"], leaf["key_pem"])
        if len(self._contexts) >= 1024:
            self._contexts.clear()
        binding = end_point_binding(leaf_der(leaf["chain_pem"]))
        self._contexts[names] = (now, context, binding)
        return context, binding

    def masks_of(self, actors: frozenset[str], target: Target) -> Masks | None:
        """What is masked for these classes of actors at this target; None: nothing."""
        entries = masks_for(self.gate.policy.masks, actors, target.name)
        if not entries or not target.name:  # nothing that no target covers is forwarded anywhere
            return None
        return Masks(entries, bytes.fromhex(self.settings["mask_keys"][target.name]))

    def detector_of(self, actors: frozenset[str], target: Target) -> Detector | None:
        """What results of these classes of actors at this target are looked through for; one for each choice."""
        found = detectors_for(self.gate.policy.detectors, actors, target.name)
        if not found:
            return None
        if found not in self._detectors:
            self._detectors[found] = Detector(found.redact, found.observe)
        return self._detectors[found]

    async def keep_cancel_key(self, opened: Opened, issued: bytes, upstream: bytes) -> None:
        """Let a later flow cancel what runs under `issued`."""
        with contextlib.suppress(ChannelError):  # then a cancel finds nothing, and is refused
            await self._channel.call("cancel.keep", {**_scope(opened), "issued": issued.hex(), "key": upstream.hex()})

    async def find_cancel_key(self, opened: Opened, issued: bytes) -> bytes | None:
        """The upstream's own key behind `issued`, or None; empty where what it cancels waited for a human."""
        try:
            answer = await self._channel.call("cancel.find", {**_scope(opened), "issued": issued.hex()})
        except ChannelError:
            return None
        if answer.get("withdrawn"):
            return b""
        return bytes.fromhex(answer["key"]) if answer["key"] else None

    def start_recording(self, context: event.FlowContext) -> SessionRecording:
        """A recording for this flow. Raises RecordingError."""
        sessions = Path(self.settings["recording_directory"]) / "sessions"
        return SessionRecording(sessions, context, self.settings["max_session_bytes"])

    def flow_ended(
        self, flow: Flow, opened: Opened | None, recording: SessionRecording | None, cancel_keys: list[bytes]
    ) -> None:
        """Write the flow's last event and forget it."""
        self._flows.discard(flow)
        digest = None
        if recording is not None:
            digest = recording.close()
        self.gate.gather(flow.standing)
        if opened is not None:
            why = flow.ended_because or ""
            self.gate.record(event.flow_closed(opened.context, why, flow.bytes_from, digest))
            self.gate.counted.flow_ended(flow)
            if how := upstream_failure(why):
                self.gate.counted.upstream_failed(opened.target.name, how)
        self.spawn(self.waiting.flow_ended(flow.id))
        for issued in cancel_keys:
            self.spawn(self._drop_cancel_key(issued))
        if self._draining and not self._flows:
            self._done.set()

    async def _drop_cancel_key(self, issued: bytes) -> None:
        with contextlib.suppress(ChannelError):
            await self._channel.call("cancel.drop", {"issued": issued.hex()})

    # what the supervisor asks for

    _draining = False

    async def _on_policy(self, args: dict[str, Any]) -> dict[str, Any]:
        self.settings["mask_keys"] = args["mask_keys"]
        policy = Policy.from_json(args["policy"])
        self.gate.replace_policy(policy)
        self.limits.replace_policy(policy)
        for flow in self._flows:
            flow.classify()
        return {"version": self.gate.policy.version}

    async def _ask(self, operation: str, args: dict[str, Any]) -> dict[str, Any]:
        return await self._channel.call(operation, args)

    async def _on_recall(self, args: dict[str, Any]) -> dict[str, Any]:
        return await self.limits.recalled(args)

    async def _on_end_flows(self, args: dict[str, Any]) -> dict[str, Any]:
        for flow in [flow for flow in self._flows if flow.id in args["flows"]]:
            flow.end(str(args["reason"]))
        return {}

    async def _on_drain(self, args: dict[str, Any]) -> dict[str, Any]:
        self._draining = True
        for server in self._servers:
            server.close()
        if not self._flows:
            self._done.set()
        asyncio.get_running_loop().call_later(float(args["seconds"]), self._done.set)
        return {"flows": len(self._flows)}

    async def _on_stats(self, _args: dict[str, Any]) -> dict[str, Any]:
        return {
            "flows": len(self._flows),
            "accepted": self._accepted,
            "decisions": self.gate.decisions,
            "hits": self.gate.hits,
            "misses": self.gate.misses,
            "unrecorded": self.gate.unrecorded,
            "lost": self.gate.lost,
            "policy": self.gate.policy.version,
            "counted": self.gate.counted.rows(self._flows),
        }

    async def _serve_channel(self) -> None:
        try:
            await self._channel.run()
        finally:
            self._done.set()  # without a supervisor nothing can be attributed

    async def _flush_recordings(self) -> None:
        forgotten = time.monotonic()
        while True:
            await asyncio.sleep(FLUSH_INTERVAL)
            if time.monotonic() - forgotten >= CATALOG_SECONDS:
                forgotten = time.monotonic()
                self.gate.forget_catalogs()
            for flow in list(self._flows):
                flow.flush_recording()
            await self.limits.tidy()


def _scope(opened: Opened) -> dict[str, Any]:
    destination = opened.destination
    return {"destination": [destination.address, destination.port], "cgroup": opened.actor.cgroup}


def main(argv: list[str] | None = None) -> int:
    """Entry point: `… --index N --channel FD --listen FD [--listen FD] --become UID GID`."""
    parser = argparse.ArgumentParser(prog="hostagent-worker")
    parser.add_argument("--index", type=int, required=True)
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--listen", type=int, action="append", default=[])
    parser.add_argument("--become", type=int, nargs=2, required=True, metavar=("UID", "GID"))
    args = parser.parse_args(argv)
    # asyncssh asks for the user's name and home, which a worker's user may not have; it finds no files of either here
    os.environ |= {"LOGNAME": "hostagent", "HOME": "/nonexistent"}
    library = find_spec("asyncssh")
    if library is None or not all(readable_by_all(Path(file)) for file in (__file__, library.origin or "/nowhere")):
        import hostagent.runtime.ssh.opening  # noqa: F401  usually loaded when the first SSH flow comes
    give_up(*args.become)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a flow has two sockets and a recording
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, MALLOC_KEEP)
    libc.mallopt(M_TRIM_THRESHOLD, MALLOC_KEEP)
    channel = socket.socket(fileno=args.channel)
    listeners = [socket.socket(fileno=fd) for fd in args.listen]

    failed = 0
    try:
        uvloop.run(_serve(channel, listeners, args.index))
    except* HostError as errors:
        failed = EX_SOFTWARE
        log.error("worker_failed error=%s", errors.exceptions)
    return failed


async def _serve(channel: socket.socket, listeners: list[socket.socket], index: int) -> None:
    await Worker(channel, listeners, index).run()


if __name__ == "__main__":
    sys.exit(main())
