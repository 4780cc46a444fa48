"""A small blocking pump for MySQL sessions, without daemon and policy: everything but some texts is allowed."""

from __future__ import annotations

import select
import socket
import threading

from hostagent.errors import PeerError
from hostagent.protocols.base import Cancel, Close, Command, Connect, Decide
from hostagent.protocols.mysql.config import MysqlConfig
from hostagent.protocols.mysql.session import MysqlSession
from hostagent.values.decision import Decision, Ruling, Verdict

_KINDS = ("select", "set", "call")  # may have done anything to the settings


class Pump:
    """Listens on loopback and runs a session for each connection, one thread each, in reads of `chunk` bytes."""

    def __init__(self, config: MysqlConfig, upstream: int, chunk: int) -> None:
        self.config, self.upstream, self.chunk = config, upstream, chunk
        self.errors: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more."""
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
        self.upstream = socket.create_connection(("127.0.0.1", pump.upstream))
        self.session = MysqlSession(pump.config)
        self.open = True

    def run(self) -> None:
        try:
            self._after()
            while self.open:
                self._turn()
        except PeerError as error:
            self.pump.errors.append(str(error))
        except OSError:
            pass  # a client that left without reading all
        finally:
            self.client.close()
            self.upstream.close()

    def _turn(self) -> None:
        sockets = [self.upstream] if self.session.client_held else [self.client, self.upstream]
        for ready in select.select(sockets, [], [], 60)[0]:
            data = ready.recv(self.pump.chunk)
            if ready is self.client:
                self.session.client_data(data) if data else self.session.client_eof()
            elif data:
                self.session.upstream_data(data)
            else:
                self.session.upstream_lost("")
            self._after()

    def _after(self) -> None:
        session = self.session
        self._flush()
        while session.commands and self.open:
            commands, session.commands = session.commands, []
            for command in commands:
                self._carry_out(command)
                self._flush()

    def _flush(self) -> None:
        session = self.session
        for pieces, leg in ((session.to_upstream, self.upstream), (session.to_client, self.client)):
            if pieces:
                leg.sendall(b"".join(pieces))
                pieces.clear()
        session.captured.clear()

    def _carry_out(self, command: Command) -> None:
        session = self.session
        if isinstance(command, Connect):
            session.connected()
        elif isinstance(command, Decide):
            session.decided(command.request, Decision("d", Ruling(Verdict.ALLOW, "r", "", _KINDS)))
        elif isinstance(command, Cancel):
            session.cancel_not_found(withdrawn=False)
        elif isinstance(command, Close):
            self.open = False
