"""The two kinds of children: proxy workers, each with a channel to us, and analyzers, which have none.

Both inherit what they listen on from the supervisor, which holds it as well: when one dies, connections wait for the
next. A worker without a channel can attribute nothing, so the end of its channel is its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hostagent.daemon import log
from hostagent.daemon.children import start_confined
from hostagent.runtime.channel import Channel, ChannelError, Handler

CLOSING_SECONDS = 1.0  # from the end of its channel to the end of a worker

Owner = tuple[int, int]  # uid and gid that a child gives up root for


class Process:
    """A child process that is drained by being terminated."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def wait(self) -> int:
        """Wait for its end; its exit status, negative for a signal. Cancelled, it ends the process first."""
        try:
            return await self._process.wait()
        finally:
            self.kill()
            await self._process.wait()

    async def drain(self, seconds: float) -> None:
        """It has nothing of its own to finish."""

    def terminate(self) -> None:
        """SIGTERM; nothing when it has ended."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL; nothing when it has ended."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


class Worker(Process):
    """A proxy worker and the channel to it."""

    def __init__(self, process: asyncio.subprocess.Process, channel: Channel) -> None:
        super().__init__(process)
        self.channel = channel

    async def wait(self) -> int:
        """Serve the channel until the worker has ended."""
        serving = asyncio.ensure_future(self._serve())
        try:
            return await super().wait()
        finally:
            serving.cancel()
            await asyncio.wait([serving])

    async def drain(self, seconds: float) -> None:
        """Take no new flow, let the open ones end; at most `seconds`."""
        with contextlib.suppress(ChannelError, TimeoutError):
            await self.channel.call("drain", {"seconds": seconds})
            async with asyncio.timeout(seconds + 1.0):
                await self._process.wait()

    async def _serve(self) -> None:
        try:
            await self.channel.run()
            await asyncio.sleep(CLOSING_SECONDS)
        except* (KeyError, TypeError, ValueError, ChannelError) as faults:
            log.error("channel_fault", pid=self.pid, error=faults.exceptions[0])
        finally:
            self.kill()


async def start_worker(
    index: int, cgroup: Path, owner: Owner, listeners: Sequence[socket.socket], handlers: Mapping[str, Handler]
) -> Worker:
    """Start a worker on the transparent listeners; it becomes `owner` before it reads anything. Raises HostError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    with theirs:
        fds = [sock.fileno() for sock in listeners]
        listen = [part for fd in fds for part in ("--listen", str(fd))]
        own = ("--index", str(index), "--channel", str(theirs.fileno()), "--become", *map(str, owner))
        command = _module("hostagent.runtime.worker", *own, *listen)
        try:
            process = await start_confined(command, cgroup, (theirs.fileno(), *fds))
        except BaseException:
            ours.close()
            raise
    ours.setblocking(False)
    return Worker(process, Channel(ours, handlers))


async def start_analyzer(cgroup: Path, owner: Owner, listener: socket.socket) -> Process:
    """Start an analyzer on its listening unix socket. It leaves the network, and becomes `owner`."""
    command = _module("hostagent.sql.analyzer", *map(str, (listener.fileno(), *owner)))
    return Process(await start_confined(command, cgroup, (listener.fileno(),)))


def listen_unix(path: Path, mode: int, uid: int = 0, gid: int = 0, backlog: int = 128) -> socket.socket:
    """A listening unix socket at `path`, in the place of one that a dead daemon left. Raises OSError."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.bind(str(path))
        path.chmod(mode)
        os.chown(path, uid, gid)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    """`-I`: nothing is imported from the working directory or from what the environment says."""
    return (sys.executable, "-I", "-m", name, *arguments)
