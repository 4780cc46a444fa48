"""A small blocking pump and a throw-away PostgreSQL server, to try a session with real clients."""

from __future__ import annotations

import pwd
import secrets
import select
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hostagent.errors import PeerError
from hostagent.protocols.base import (
    Cancel,
    Close,
    Command,
    Connect,
    Decide,
    Finished,
    KeepCancelKey,
    Leg,
    Request,
    StartTls,
)
from hostagent.protocols.postgres import PostgresConfig, PostgresSession
from hostagent.values.decision import Decision, Ruling

BIN = Path("/usr/lib/postgresql/15/bin")
Policy = Callable[[Request], Ruling]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Server:
    """PostgreSQL 15 in `directory`, run as `postgres` or `nobody`; listens on loopback."""

    def __init__(self, directory: Path, hba: str, options: tuple[str, ...] = ()) -> None:
        self.port = free_port()
        self.data = directory / "data"
        user = next(u for u in ("postgres", "nobody") if _has(u))
        shutil.chown(directory, user)
        directory.chmod(0o700)
        password = directory / "password"
        password.write_text("boot-secret")
        shutil.chown(password, user)
        self._run = ["setpriv", "--reuid", user, "--regid", str(pwd.getpwnam(user).pw_gid), "--clear-groups"]
        init = [str(BIN / "initdb"), "-D", str(self.data), "-U", "boss", "--pwfile", str(password), "-E", "UTF8", "-N"]
        subprocess.run([*self._run, *init, "--no-locale"], check=True, capture_output=True, cwd="/")
        (self.data / "pg_hba.conf").write_text(hba)
        for file in directory.glob("*.pem"):
            shutil.chown(file, user)
        arguments = ["-D", str(self.data), "-p", str(self.port), "-c", "listen_addresses=127.0.0.1"]
        arguments += ["-c", "unix_socket_directories=", "-c", "fsync=off", *options]
        self.log = (directory / "log").open("wb")
        self.process = subprocess.Popen(
            [*self._run, str(BIN / "postgres"), *arguments], stdout=self.log, stderr=self.log, cwd="/"
        )
        self._wait()

    def _wait(self) -> None:
        for _ in range(200):
            ready = subprocess.run(
                [str(BIN / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)], capture_output=True
            )
            if ready.returncode == 0:
                return
            threading.Event().wait(0.05)
        raise RuntimeError("the server did not start")

    def stop(self) -> None:
        self.process.send_signal(2)
        self.process.wait(20)
        self.log.close()


def _has(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


@dataclass
class Seen:
    """What the pumped sessions said, over all of them."""

    commands: list[Command] = field(default_factory=list)
    upstream: bytearray = field(default_factory=bytearray)
    captured: list[tuple[Leg, bytes]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    keys: dict[bytes, bytes] = field(default_factory=dict)

    def requests(self) -> list[Request]:
        return [c.request for c in self.commands if isinstance(c, Decide)]

    def finished(self) -> list[Finished]:
        return [c for c in self.commands if isinstance(c, Finished)]


class Pump:
    """Listens on loopback and runs a session for each connection, one thread each."""

    def __init__(
        self,
        config: PostgresConfig,
        upstream: int,
        policy: Policy,
        client_tls: ssl.SSLContext | None = None,
        upstream_tls: ssl.SSLContext | None = None,
        binding: bytes = b"",
        chunk: int = 65536,
    ) -> None:
        self.config, self.upstream, self.policy, self.chunk = config, upstream, policy, chunk
        self.client_tls, self.upstream_tls, self.binding = client_tls, upstream_tls, binding
        self.seen = Seen()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=_Flow(self, client).run, daemon=True).start()


class _Flow:
    def __init__(self, pump: Pump, client: socket.socket) -> None:
        self.pump = pump
        self.client = client
        self.upstream: socket.socket | None = None
        self.session = PostgresSession(pump.config)
        self.open = True

    def run(self) -> None:
        try:
            while self.open:
                self._turn()
        except PeerError as error:
            self.pump.seen.errors.append(str(error))
            self._flush()
        except OSError as error:
            self.pump.seen.errors.append(repr(error))
        finally:
            self.client.close()
            if self.upstream is not None:
                self.upstream.close()

    def _turn(self) -> None:
        sockets = [s for s in (self.client, self.upstream) if s is not None]
        if self.session.client_held and self.upstream is not None:
            sockets = [self.upstream]
        ready = [s for s in sockets if isinstance(s, ssl.SSLSocket) and s.pending()]
        for s in ready or select.select(sockets, [], [], 30)[0]:
            data = s.recv(self.pump.chunk)
            if s is self.client:
                self.session.client_data(data) if data else self.session.client_eof()
            elif data:
                self.session.upstream_data(data)
            else:
                self.session.upstream_lost("")
            self._after()

    def _flush(self) -> None:
        session = self.session
        if session.to_upstream and self.upstream is not None:
            data = b"".join(session.to_upstream)
            self.pump.seen.upstream += data
            self.upstream.sendall(data)
        if session.to_client:
            self.client.sendall(b"".join(session.to_client))
        self.pump.seen.captured += session.captured
        session.to_upstream, session.to_client, session.captured = [], [], []

    def _after(self) -> None:
        self._flush()
        while self.session.commands and self.open:
            commands, self.session.commands = self.session.commands, []
            for command in commands:
                self.pump.seen.commands.append(command)
                self._execute(command)
                self._flush()

    def _execute(self, command: Command) -> None:
        pump = self.pump
        if isinstance(command, Decide):
            decision = Decision(f"d{len(pump.seen.commands)}", pump.policy(command.request))
            self.session.decided(command.request, decision)
        elif isinstance(command, Connect):
            self.upstream = socket.create_connection(("127.0.0.1", pump.upstream))
            self.upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else 40 ms a Parse and Bind
            self.session.connected()
        elif isinstance(command, StartTls):
            self._start_tls(command)
        elif isinstance(command, KeepCancelKey):
            pump.seen.keys[command.issued] = command.upstream
        elif isinstance(command, Cancel):
            self.session.cancel_found(pump.seen.keys[command.issued])
        elif isinstance(command, Close):
            self.open = False

    def _start_tls(self, command: StartTls) -> None:
        if command.leg is Leg.CLIENT:
            assert self.pump.client_tls is not None
            self.client = self.pump.client_tls.wrap_socket(self.client, server_side=True)
            self.session.tls_started(Leg.CLIENT, b"")
        else:
            assert self.pump.upstream_tls is not None and self.upstream is not None
            self.upstream = self.pump.upstream_tls.wrap_socket(self.upstream, server_hostname="localhost")
            self.session.tls_started(Leg.UPSTREAM, self.pump.binding)


def random_bytes(n: int) -> bytes:
    return secrets.token_bytes(n)
