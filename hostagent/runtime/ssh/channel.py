"""A session channel of the client and its twin upstream: what is asked for in it, decided; then bytes both ways.

    opened → pty, env … noted → exec, shell or subsystem: decided → (held) → opened upstream → bytes → ended
                                         └ denied: the reason on stderr, exit status 126; the connection goes on

Rules: what the client sends before the twin is open is kept, up to what it had sent when it was paused; a side that
cannot take more pauses the other; the end of the twin is the end of the channel, with its exit status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncssh

from hostagent.protocols.ssh.git_push import Pushed
from hostagent.protocols.ssh.scp import ScpGuard
from hostagent.protocols.ssh.sftp import SftpGuard
from hostagent.recording import ssh_notes
from hostagent.recording.capture import ERROR, INPUT, OUTPUT
from hostagent.runtime.ssh.display import Display
from hostagent.runtime.ssh.environment import allowed_variables
from hostagent.runtime.ssh.lines import DENIED, Lines
from hostagent.runtime.ssh.output import Output
from hostagent.runtime.ssh.transfer import Guarded
from hostagent.ssh.exec import operations_of_exec
from hostagent.ssh.operation import Operation, SshKind
from hostagent.values.decision import Decision, Outcome

if TYPE_CHECKING:
    from hostagent.runtime.ssh.bridge import Bridge

STDERR: int = asyncssh.EXTENDED_DATA_STDERR
LOST = 255  # as ssh itself gives
MAX_TOLD = 20  # refs of a push in its event; the recording has them all
SCP = frozenset({SshKind.SCP_READ, SshKind.SCP_WRITE})
UNRECORDED = SCP | {SshKind.RSYNC_READ, SshKind.RSYNC_WRITE, SshKind.GIT_FETCH, SshKind.GIT_PUSH}


class SessionChannel(asyncssh.SSHServerSession[bytes]):
    """One channel of the client."""

    def __init__(self, bridge: Bridge) -> None:
        self.number = bridge.next_channel()
        self.closed = False
        self._bridge = bridge
        self._chan: Any = None
        self._twin: Any = None  # its channel
        self._pty: tuple[str, Any, Any] | None = None
        self._request = ("", "")
        self._early: list[bytes] = []
        self._client_ended = False
        self._holds: set[str] = set()
        self._display: Display | None = None
        self._lines: Lines | None = None
        self._guarded: Guarded | None = None
        self._recorded = True
        self._pushed: Pushed | None = None
        self._output = Output(self._put, None)
        self._decisions: list[Decision] = []
        self._totals = [0, 0, 0]
        self._exit: tuple[int | None, str] = (None, "")
        self._signal: tuple[str, bool, str, str] | None = None

    # what asyncssh tells of the client

    def connection_made(self, chan: Any) -> None:
        self._chan = chan
        self._bridge.channels.add(self)

    def pty_requested(self, term_type: str, term_size: Any, term_modes: Any) -> bool:
        self._pty = (term_type, term_size, dict(term_modes))
        return True

    async def display_requested(self, display: Display) -> bool:
        """X11 forwarding is asked for, before anything runs; whether it is let through."""
        decision = await self._bridge.decide(
            Operation(SshKind.X11, self._bridge.user, "X11 forwarding"), self, self.number
        )
        if decision.forwards and not self.is_closed:
            self._display = display
            self._bridge.displays[self] = decision
        return self._display is display

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        if self._twin is not None:
            self._bridge.flow.tape.note_now(ssh_notes.resized(self.number, width, height))
            self._twin.change_terminal_size(width, height, pixwidth, pixheight)
        elif self._pty is not None:
            self._pty = (self._pty[0], (width, height, pixwidth, pixheight), self._pty[2])

    def shell_requested(self) -> bool:
        self._request = ("shell", "")
        return True

    def exec_requested(self, command: str) -> bool:
        self._request = ("exec", command)
        return bool(command)  # an empty one would open a shell upstream

    def subsystem_requested(self, subsystem: str) -> bool:
        self._request = ("subsystem", subsystem)
        return bool(subsystem)

    def session_started(self) -> None:
        self._bridge.spawn(self._begin())

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002  a client has one stream
        if self._lines is not None:
            self._lines.feed(data)
        elif self._twin is None:
            self._early.append(data)
            self.hold("early", True)
        else:
            self.from_client(data)

    def eof_received(self) -> bool:
        self._client_ended = True
        if self._lines is not None:
            self._lines.feed(b"", ended=True)
        else:
            self.input_ended()
        return True

    def signal_received(self, signal: str) -> None:
        if self._twin is not None:
            self._twin.send_signal(signal)

    def break_received(self, msec: int) -> bool:
        if self._twin is not None:
            self._twin.send_break(msec)
        return self._twin is not None

    def pause_writing(self) -> None:
        if self._twin is not None:
            self._twin.pause_reading()

    def resume_writing(self) -> None:
        if self._twin is not None:
            self._twin.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.closed = True
        if self._lines is not None:
            self._lines.feed(b"", ended=True)
        if self._twin is not None:
            self._twin.close()
        else:
            self.finish()

    # deciding and opening

    @property
    def is_closed(self) -> bool:
        """Whether the client has closed it, also where it has sent more before that nobody has read."""
        return self.closed or bool(self._chan.is_closing())

    def tell(self, text: str) -> None:
        """A line of ours on the client's stderr."""
        if not self._chan.is_closing():
            end = "\r\n" if self._pty is not None else "\n"
            self._chan.write(f"hostagent: {text}{end}".encode(), STDERR)

    async def _begin(self) -> None:
        self._bridge.flow.tape.note_now(ssh_notes.channel_opened(self.number, "session"))
        environment = await allowed_variables(self._bridge, self, self._chan.get_environment_bytes())
        operations = self._operations()
        if operations[0].kind is SshKind.SHELL_NO_PTY and self._bridge.by_line(operations[0]):
            lines = self._lines = Lines(self, self._bridge, lambda: self._open(environment))
            early, self._early = self._early, []
            lines.feed(b"".join(early), self._client_ended)
            self.hold("early", False)
            await lines.run()
            return
        for operation in operations:
            if not await self.allowed(operation):
                self.end(DENIED)
                return
        if (problem := self._stand_guard(operations)) is not None:
            self.tell(problem)
            self.end(DENIED)
            return
        if self.is_closed:
            self._chan.close()
        else:
            await self._open(environment)

    async def allowed(self, operation: Operation) -> bool:
        """Whether that may be done here; if not, the client is told why."""
        decision = await self._bridge.decide(operation, self, self.number)
        if decision.forwards:
            self._decisions.append(decision)
            return True
        self.tell(f"{decision.ruling.reason} (decision {decision.id})")
        return False

    def _operations(self) -> tuple[Operation, ...]:
        request, text = self._request
        login = self._bridge.user
        if request == "exec":
            return operations_of_exec(text, login)
        if request == "subsystem":
            return (Operation(SshKind.SUBSYSTEM, login, f"subsystem {text}", name=text),)
        return (Operation(SshKind.SHELL if self._pty is not None else SshKind.SHELL_NO_PTY, login, "shell"),)

    def _stand_guard(self, operations: tuple[Operation, ...]) -> str | None:
        """Put a guard between the two sides of a transfer; why it cannot be, else None."""
        request, text = self._request
        first = operations[0]
        self._recorded = first.kind not in UNRECORDED
        if request == "subsystem" and text == "sftp":
            self._guarded, self._recorded = Guarded(self, self._bridge, SftpGuard(self._bridge.user)), False
        elif first.kind in SCP:
            try:
                self._guarded = Guarded(self, self._bridge, ScpGuard(self._bridge.user, first.words[0]))
            except (ValueError, IndexError) as error:
                return f"this form of scp is not understood: {error}"
        elif first.kind is SshKind.GIT_PUSH:
            self._pushed = Pushed()
        elif self._recorded:
            self._output = Output(self._put, self._bridge.detector)
        return None

    async def _open(self, environment: dict[bytes, bytes]) -> None:
        connection = await self._bridge.upstream()
        request, text = self._request
        command = text if request == "exec" else None
        subsystem = text if request == "subsystem" else None
        if self._pty is not None:
            term, size, _ = self._pty
            self._bridge.flow.tape.note_now(ssh_notes.pty(self.number, term, size[0], size[1]))
        self._bridge.flow.tape.note_now(ssh_notes.started(self.number, request, text))
        try:
            shown = await connection.open_channel(
                lambda: Twin(self), command, subsystem, environment, self._pty, self._display
            )
            if not shown:
                self.tell("the server refused X11 forwarding")
        except asyncssh.ChannelOpenError as error:
            self.tell(f"the server refused it: {error.reason}")
            self._exit = (LOST, "the server refused it")
            self.end(LOST)

    def begun(self, twin: Any) -> None:
        """The twin runs: what came before goes to it."""
        self._twin = twin
        if self.is_closed:
            twin.close()
            return
        early, self._early = self._early, []
        for data in early:
            self.from_client(data)
        self.hold("early", False)
        if self._client_ended and self._lines is None:
            self.input_ended()

    # bytes

    def input_ended(self) -> None:
        """The client will say no more to what runs upstream."""
        if self._twin is not None:
            self._twin.write_eof()

    def from_client(self, data: bytes) -> None:
        """Bytes of the client for what runs upstream."""
        self._totals[INPUT] += len(data)
        if self._guarded is not None:
            self._guarded.client_data(data)
        elif not self._recorded or self._bridge.capture(self.number, INPUT, data):
            if self._pushed is not None:
                self._pushed.feed(data)
            self.to_server(data)

    def to_server(self, data: bytes) -> None:
        """Bytes for what runs upstream."""
        if data and not self._twin.is_closing():
            self._twin.write(data)

    def to_client(self, data: bytes, stream: int = OUTPUT) -> None:
        """Bytes for the client."""
        if data and not self._chan.is_closing():
            self._chan.write(data, STDERR if stream == ERROR else None)

    def from_server(self, data: bytes, stream: int) -> None:
        """Output of what runs upstream."""
        self._totals[stream] += len(data)
        if self._guarded is not None and stream == OUTPUT:
            self._guarded.server_data(data)
        else:
            self._output.feed(data, stream)

    def _put(self, data: bytes, stream: int) -> None:
        if data and (not self._recorded or self._bridge.capture(self.number, stream, data)):
            self.to_client(data, stream)

    def server_eof(self) -> None:
        """What runs upstream has closed its output.

        A client that has ended its input closes the channel when it hears that, and then no exit status reaches it.
        """
        self._output.finish()
        if not self._client_ended and not self._chan.is_closing():
            self._chan.write_eof()

    def hold(self, why: str, held: bool) -> None:
        """Take no more from the client for now, for that reason; or do so again."""
        before = bool(self._holds)
        (self._holds.add if held else self._holds.discard)(why)
        if bool(self._holds) != before and not self.closed:
            (self._chan.pause_reading if held else self._chan.resume_reading)()

    # the end

    def exited(self, status: int | None, signal: tuple[str, bool, str, str] | None) -> None:
        """How what ran upstream has ended."""
        self._exit = (status, "")
        self._signal = signal

    def server_lost(self, error: Exception | None) -> None:
        """The twin is closed."""
        if error is not None:
            self._exit = (self._exit[0], "the connection was lost")
        self._output.finish()
        status = self._exit[0]
        if self._signal is not None and not self._chan.is_closing():
            self._chan.exit_with_signal(*self._signal)
        elif status is not None:
            self._chan.exit(status)
        self._chan.close()
        self.finish()

    def end(self, status: int) -> None:
        """End the channel ourselves."""
        if self._twin is not None:
            self._twin.close()
        self._chan.exit(status)
        self._chan.close()

    def finish(self) -> None:
        """Tell what became of it; once."""
        if self not in self._bridge.channels:
            return
        self._bridge.channels.discard(self)
        self._bridge.displays.pop(self, None)
        decisions, self._decisions = self._decisions, []
        if self._guarded is not None:
            self._guarded.closed()
        status, why = self._exit
        signal = self._signal[0] if self._signal is not None else ""
        lost = "ended without an exit status" if status is None and not signal and self._twin is not None else ""
        error = why or (f"signal {signal}" if signal else f"exit status {status}" if status else lost)
        facts: tuple[tuple[str, str | int], ...] = (("channel", self.number), ("bytes_in", self._totals[INPUT]))
        facts += (("bytes_out", self._totals[OUTPUT]), ("bytes_err", self._totals[ERROR]))
        facts += (("exit_status", status),) if status is not None else ()
        facts += (("exit_signal", signal),) if signal else ()
        if self._pushed is not None:
            self._bridge.flow.tape.note_now(ssh_notes.pushed(self.number, self._pushed))
            facts += (("pushed", ", ".join(update.ref for update in self._pushed.refs[:MAX_TOLD])),)
        outcome = Outcome(0, self._totals[OUTPUT] + self._totals[ERROR], error, self._output.detected() or None)
        for decision in decisions:
            self._bridge.finished(decision.id, outcome, facts)
        totals = (self._totals[INPUT], self._totals[OUTPUT], self._totals[ERROR])
        self._bridge.flow.tape.note_now(ssh_notes.ended(self.number, status, signal, totals))
        self._bridge.flow.tape.channel_ended(self.number)


class Twin(asyncssh.SSHClientSession[bytes]):
    """The channel upstream; it only tells its twin."""

    def __init__(self, channel: SessionChannel) -> None:
        self._channel = channel
        self._chan: Any = None
        self._status: int | None = None

    def connection_made(self, chan: Any) -> None:
        self._chan = chan

    def session_started(self) -> None:
        self._channel.begun(self._chan)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._channel.from_server(data, ERROR if datatype == STDERR else OUTPUT)

    def eof_received(self) -> bool:
        self._channel.server_eof()
        return True

    def exit_status_received(self, status: int) -> None:
        self._channel.exited(status, None)

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._channel.exited(None, (signal, core_dumped, msg, lang))

    def pause_writing(self) -> None:
        self._channel.hold("server", True)

    def resume_writing(self) -> None:
        self._channel.hold("server", False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel.server_lost(exc)
