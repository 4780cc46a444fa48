"""Tries the ways around that its standard input lists, over one SSH connection; prints what came of each.

`ssh_evade.py KNOWN_HOSTS KEY|-` reads JSON: a list of [verb, argument…]. It prints a JSON list of texts, the last of
which says whether the connection was good for a command afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

import asyncssh

HOST = "10.77.0.2"
SECONDS = 8  # for one way


class Ways:
    """A method for each verb; what it returns is what came of it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def exec(self, command: str) -> str:
        done = await self._connection.run(command, stdin=asyncssh.DEVNULL)
        return f"{done.exit_status} {done.stdout}{done.stderr}"

    async def shell(self, lines: str, term: str = "") -> str:
        given = {"term_type": term} if term else {}
        async with self._connection.create_process(**given) as process:
            with contextlib.suppress(BrokenPipeError):  # refused meanwhile
                process.stdin.write(lines)
            done = await process.wait()
        return f"{done.exit_status} {done.stdout}{done.stderr}"

    async def environment(self, name: str, value: str) -> str:
        done = await self._connection.run("env", env={name: value})
        return "\n".join(line for line in done.stdout.splitlines() if line.startswith(name))

    async def subsystem(self, name: str) -> str:
        async with self._connection.create_process(subsystem=name, encoding=None) as process:
            process.stdin.write_eof()
            return str((await process.stdout.read())[:80])

    async def tcp(self, host: str, port: int) -> str:
        reader, writer = await self._connection.open_connection(host, port)
        writer.write(b"x")
        got = await reader.read(80)
        writer.close()
        return str(got)

    async def unix(self, path: str) -> str:
        reader, writer = await self._connection.open_unix_connection(path)
        writer.write(b"x")
        got = await reader.read(80)
        writer.close()
        return str(got)

    async def listen(self, host: str, port: int) -> str:
        await self._connection.forward_remote_port(host, port, "127.0.0.1", 9)
        return "listening"

    async def listen_unix(self, path: str) -> str:
        await self._connection.forward_remote_path(path, "/nowhere")
        return "listening"

    async def tun(self, unit: int) -> str:
        await self._connection.open_tun(unit)
        return "open"

    async def request(self, name: str) -> str:
        kind, _ = await self._connection._make_global_request(name.encode())
        return "taken" if kind == asyncssh.connection.MSG_REQUEST_SUCCESS else "refused"

    async def read(self, path: str, opening: str = "") -> str:
        async with self._connection.start_sftp_client() as sftp:
            if opening:
                await sftp.chdir(opening)
            async with sftp.open(path) as file:
                return str(await file.read())

    async def write(self, path: str) -> str:
        async with self._connection.start_sftp_client() as sftp, sftp.open(path, "a") as file:
            await file.write("x")
        return "written"

    async def sftp(self, name: str, *arguments: Any) -> str:
        async with self._connection.start_sftp_client() as sftp:
            return str(await getattr(sftp, name)(*arguments))

    async def copied(self, source: str, to: str) -> str:
        async with self._connection.start_sftp_client() as sftp:
            await sftp.remote_copy(source, to)
            async with sftp.open(to) as file:
                return str(await file.read())


async def tried(ways: Ways, verb: str, *arguments: Any) -> str:
    """What came of it, an error too."""
    try:
        async with asyncio.timeout(SECONDS):
            return await getattr(ways, verb)(*arguments)
    except (asyncssh.Error, asyncssh.ChannelListenError, OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


async def main() -> None:
    """Try them all, one after the other."""
    known_hosts, key = sys.argv[1:]
    given = {"username": "root", "known_hosts": known_hosts, "config": None, "agent_path": None}
    keys = None if key == "-" else [key]
    async with asyncssh.connect(HOST, client_keys=keys, **given) as connection:
        ways = Ways(connection)
        answers = [await tried(ways, *way) for way in [*json.load(sys.stdin), ["exec", "echo still here"]]]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
