"""ScpGuard: between scp's two ends, one of which is the client's and one runs on the server. Each file and directory is
decided before its record goes on.

scp cannot be asked where a path leads, so paths are what the command and the records say, tidied: a symbolic link on
the server is not seen here (whoever answers `asked` can resolve them by other means). Rules:

1. The two go in step: a record, its answer, the bytes, the answer. Who speaks out of turn ends the session: else one of
   them could take for records what was let through as the bytes of a file.
2. Where it is not known whether the target is a directory, both names that the file may get are decided.
3. Of a denied file the source is told as its sink would have told it, and goes on with the next one.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from hostagent.errors import PeerError
from hostagent.protocols.ssh.scp_records import (
    MAX_LINE,
    Entry,
    Invocation,
    Leave,
    below,
    invocation,
    record,
    tidy,
)
from hostagent.protocols.ssh.transfer import READ, WRITE, Tally, Transfer
from hostagent.ssh.operation import Operation, SshKind

HELD_BYTES: Final = 64 << 10  # what a source may send before it is its turn; scp itself sends nothing
MAX_DEPTH: Final = 256  # directories within one another
_ACK: Final = b"\0"
_WARNING, _FATAL = 1, 2


class _Turn(Enum):
    START = auto()  # the sink says that it is ready
    RECORD = auto()  # the source says what comes
    VERDICT = auto()  # we wait for a decision
    ANSWER = auto()  # the sink answers to T, E
    ENTRY = auto()  # … to C, D
    DATA = auto()  # the source sends the file
    STATUS = auto()  # … and whether that was all of it
    FINAL = auto()  # the sink says whether it has it
    ENDED = auto()


_OF_SOURCE: Final = (_Turn.RECORD, _Turn.DATA, _Turn.STATUS)
_OF_SINK: Final = (_Turn.START, _Turn.ANSWER, _Turn.ENTRY, _Turn.FINAL)


class ScpGuard:
    """One run of the remote `scp`, `words` its argv. After each call take what the lists hold, and clear them.

    Raises ValueError for an argv that is not understood: it must not be run.
    """

    def __init__(self, login: str, words: tuple[str, ...]) -> None:
        self.to_client: list[bytes] = []
        self.to_server: list[bytes] = []
        self.asked: list[tuple[int, Operation]] = []
        self.finished: list[Transfer] = []
        self._login: Final = login
        self._invocation: Final[Invocation] = invocation(words)
        self._turn = _Turn.START
        self._source = bytearray()  # what each has said and was not taken yet
        self._sink = bytearray()
        self._within: list[tuple[str, ...]] = []  # the directories we are in, each with all paths that it may have
        self._entry = Entry(False, 0, 0, "")
        self._line = b""  # of that entry
        self._places: tuple[str, ...] = ()  # where it may be
        self._tally: Tally | None = None
        self._left = 0  # bytes of the file that are to come
        self._token = 0

    def __repr__(self) -> str:
        return f"<ScpGuard {self._turn.name.lower()} depth={len(self._within)} left={self._left}>"

    @property
    def ended(self) -> bool:
        """Nothing goes on any more: close the channel."""
        return self._turn is _Turn.ENDED

    @property
    def client_held(self) -> bool:
        """Whether the client is not to be read for now."""
        said = self._source if self._invocation.sink else self._sink
        return len(said) >= HELD_BYTES

    def client_data(self, data: bytes) -> None:
        """Bytes from the client. Raises PeerError; then nothing goes on any more."""
        self._said(data, self._invocation.sink)

    def server_data(self, data: bytes) -> None:
        """Bytes from the server. Raises PeerError; then nothing goes on any more."""
        self._said(data, not self._invocation.sink)

    def decided(self, token: int, allowed: bool, reason: str) -> None:
        """The answer to what was asked; `reason` is what a denied client is told. Raises PeerError, ValueError."""
        if self.ended:
            return
        if self._turn is not _Turn.VERDICT or token != self._token:
            raise ValueError(f"no operation {token} is to be decided")
        if allowed:
            self._to_sink(self._line)
            self._turn = _Turn.ENTRY
        else:
            self._deny(reason)
        self._said(b"", True)

    def closed(self) -> None:
        """The channel has ended, on either side."""
        self._turn = _Turn.ENDED
        self._transferred(False)

    # --- who speaks

    def _said(self, data: bytes, source: bool) -> None:
        if self.ended:
            return
        try:
            self._take(data, source)
        except PeerError:
            self.closed()
            raise

    def _take(self, data: bytes, source: bool) -> None:
        if source and self._turn is _Turn.DATA and not self._source:
            data = self._data(data)
        said = self._source if source else self._sink
        said += data
        self._advance()
        if len(said) > 4 * HELD_BYTES:
            raise PeerError("scp speaks out of turn")
        if self._invocation.sink and self._sink and self._turn not in _OF_SINK:
            self._interrupted()

    def _advance(self) -> None:
        more = True
        while more:
            if self._turn in _OF_SINK:
                more = self._answered()
            elif self._turn is _Turn.RECORD:
                more = self._record()
            elif self._turn is _Turn.DATA:
                data = bytes(self._source)
                self._source[:] = self._data(data)
                more = bool(data)
            elif self._turn is _Turn.STATUS:
                more = self._status()
            else:
                more = False

    def _interrupted(self) -> None:
        """The server's scp says something while it is not its turn: it gives up, and says why; else it is no scp."""
        if self._turn is _Turn.ENDED:
            return
        if self._sink[0] == 0:
            raise PeerError("the server's scp answers what was not said")
        if (line := _line(self._sink)) is not None:
            self._to_source(line)
            self._turn = _Turn.ENDED

    # --- the source

    def _record(self) -> bool:
        line = _line(self._source)
        if line is None:
            return False
        if line[0] in (_WARNING, _FATAL):
            self._to_sink(line)
            if line[0] == _FATAL:
                self._turn = _Turn.ENDED
            return True
        said = record(line[:-1])
        if isinstance(said, Entry):
            return not self._ask(said, line)
        if isinstance(said, Leave):
            if not self._within:
                raise PeerError("an scp directory ends that has not begun")
            self._within.pop()
        self._to_sink(line)
        self._turn = _Turn.ANSWER
        return True

    def _ask(self, entry: Entry, line: bytes) -> bool:
        if len(self._within) >= MAX_DEPTH:
            raise PeerError(f"scp directories within one another more than {MAX_DEPTH} deep")
        self._entry, self._line, self._places = entry, line, self._candidates(entry)
        if not self._places:
            self._deny("this is not what was asked for")
            return False
        kind = SshKind.SCP_WRITE if self._invocation.sink else SshKind.SCP_READ
        what = "directory" if entry.directory else f"{entry.size} bytes"
        text = f"{kind.value.replace('_', ' ')} {' or '.join(self._places)} ({what}, mode {entry.mode:04o})"
        self._token += 1
        self._turn = _Turn.VERDICT
        self.asked.append((self._token, Operation(kind, self._login, text, paths=self._places)))
        return True

    def _candidates(self, entry: Entry) -> tuple[str, ...]:
        """All paths that it may have on the server."""
        name, given = entry.name, self._invocation
        if self._within:
            return tuple(dict.fromkeys(below(directory, name) for directory in self._within[-1]))
        if not given.sink:
            tidied = [tidy(path) for path in given.paths]
            return tuple(dict.fromkeys(path for path in tidied if path.rpartition("/")[2] == name))
        path = given.paths[0]
        inside = below(tidy(path), name)
        certain = given.directory or path.rpartition("/")[2] in ("", ".", "..")
        return (inside,) if certain else (tidy(path), inside)

    def _data(self, data: bytes) -> bytes:
        """Passes what is of the file; gives what is not."""
        mine = data[: self._left] if len(data) > self._left else data
        if self._tally is not None:
            self._tally.add(self._tally.bytes, mine)
        self._left -= len(mine)
        if mine:
            self._to_sink(mine)
        if not self._left:
            self._turn = _Turn.STATUS
        return data[len(mine) :]

    def _status(self) -> bool:
        if not self._source:
            return False
        answer = _answer(self._source)
        if answer is None:
            return False
        if self._tally is not None:
            self._tally.ended = True
            self._tally.failed = answer != _ACK
        self._to_sink(answer)
        self._turn = _Turn.ENDED if answer[0] == _FATAL else _Turn.FINAL
        return True

    # --- the sink

    def _answered(self) -> bool:
        answer = _answer(self._sink)
        if answer is None:
            return False
        turn = self._turn
        self._to_source(answer)
        well, soft = answer == _ACK, answer[0] == _WARNING
        if not well and (not soft or turn in (_Turn.START, _Turn.FINAL)):
            self._transferred(False)
            self._turn = _Turn.ENDED
        elif turn is _Turn.ENTRY and well:
            self._entered()
        else:
            if turn is _Turn.FINAL:
                self._transferred(True)
            self._turn = _Turn.RECORD
        return True

    def _entered(self) -> None:
        if self._entry.directory:
            self._within.append(self._places)
            self._turn = _Turn.RECORD
            return
        self._tally = Tally(" or ".join(self._places), WRITE if self._invocation.sink else READ)
        self._left = self._entry.size
        self._turn = _Turn.DATA if self._left else _Turn.STATUS

    def _deny(self, reason: str) -> None:
        """Tell the source as its sink would; and the client, where it is the sink, as its source would."""
        line = f"\x01scp: {self._entry.name}: {reason}".replace("\n", " ").encode()[: MAX_LINE - 1] + b"\n"
        self._to_source(line)
        if not self._invocation.sink:
            self._to_sink(line)
        self._turn = _Turn.RECORD

    def _transferred(self, closed: bool) -> None:
        if self._tally is not None:
            self.finished.append(self._tally.transfer(closed))
        self._tally = None

    def _to_source(self, data: bytes) -> None:
        (self.to_client if self._invocation.sink else self.to_server).append(data)

    def _to_sink(self, data: bytes) -> None:
        (self.to_server if self._invocation.sink else self.to_client).append(data)


def _line(said: bytearray) -> bytes | None:
    """The next line with its newline, taken; None for need more. Raises PeerError."""
    end = said.find(b"\n", 0, MAX_LINE)
    if end < 0:
        if len(said) >= MAX_LINE:
            raise PeerError(f"an scp line of more than {MAX_LINE} bytes")
        return None
    line = bytes(said[: end + 1])
    del said[: end + 1]
    return line


def _answer(said: bytearray) -> bytes | None:
    """A zero byte, or a line that is an error; taken."""
    if said[:1] == _ACK:
        del said[:1]
        return _ACK
    return _line(said)
