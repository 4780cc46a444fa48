"""Ways to a server, and what it takes to say that two of them answer alike.

A Way sends a statement in a mode of the protocol and gives back all messages that answer. `Direct`: the server itself.
`Rewriting` sends what masking makes of the statement. `Governed` goes through a daemon: the client is a process of its
own, in the governed cgroup. A statement that is denied answers with SQLSTATE 42501 in words of ours, in every way.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hostagent.sql.masking.catalog import Catalog, CatalogError, decode
from hostagent.sql.masking.query import catalog_query
from hostagent.sql.masking.rewrite import rewrite
from hostagent.sql.masking.values import Masks, Needs, NeedsMore, Rewritten
from tests.lab import wire
from tests.lab.wire import Message, Mode, Server, Wire

Answer = list[Message]
DENIED = b"Mdenied by policy: "
_CHANGES_NOTHING = re.compile(
    r"(?i)\s*(select|with|table|values|copy|fetch|move|declare|close|begin|prepare|explain)\b"
)
FIRST_MADE = 16384  # FirstNormalObjectId (access/transam.h): numbers below it are built in
ROUNDS = 8  # catalogs that one statement may need: views of views


@dataclass(frozen=True)
class Case:
    """A statement of a corpus; `origin` says where it stands. `fresh`: it begins a session.

    `raw`: messages that are sent instead of a statement, the last of them one that asks for ReadyForQuery.
    """

    origin: str
    text: str
    mode: Mode = Mode.SIMPLE
    parameters: tuple[str | None, ...] = ()
    fresh: bool = False
    raw: bytes = b""


class Way(Protocol):
    """A session with a server."""

    def ask(self, case: Case) -> Answer:
        """All messages that answer; one of kind `!` where the connection ended instead."""

    def close(self) -> None:
        """End it."""


class Direct:
    """The server itself."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._wire: Wire | None = None

    def ask(self, case: Case) -> Answer:
        """See Way."""
        if case.fresh:
            self.close()
        try:
            if self._wire is None:
                self._wire = self._connect(self._server)
            return self._wire.send(case.raw) if case.raw else self._wire.ask(case.text, case.mode, case.parameters)
        except OSError as e:
            self._wire = None
            return [Message("!", str(e).encode())]

    def close(self) -> None:
        """See Way."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _connect(self, server: Server) -> Wire:
        return Wire(server)


class Rewriting(Direct):
    """The server itself, asked what masking makes of each statement. Errors and notices come through as they are.

    `lenient`: what is refused runs all the same, unseen, so that what comes after it finds things as they should be.
    """

    def __init__(self, server: Server, masks: Masks, *, lenient: bool = False) -> None:
        super().__init__(server)
        self._masks, self._lenient = masks, lenient

    def _connect(self, server: Server) -> Wire:
        return _RewritingWire(server, self._masks, self._lenient)


class _RewritingWire(Wire):
    def __init__(self, server: Server, masks: Masks, lenient: bool) -> None:
        super().__init__(server)
        self._masks, self._lenient = masks, lenient
        self._catalogs: dict[Needs, Catalog] = {}

    def query(self, text: str) -> Answer:
        return self._instead(text, super().query)

    def extended(self, text: str, mode: Mode, parameters: tuple[str | None, ...]) -> Answer:
        return self._instead(text, lambda rewritten: super(_RewritingWire, self).extended(rewritten, mode, parameters))

    def _instead(self, text: str, send: Callable[[str], Answer]) -> Answer:
        result = rewrite(text, Catalog(), self._masks)
        for _ in range(ROUNDS):
            if not isinstance(result, NeedsMore):
                break
            if self.status == "E":
                return send("SELECT 1")  # nothing runs in a failed transaction
            result = rewrite(text, self._catalog(result.needs), self._masks)
        if _CHANGES_NOTHING.match(text) is None:
            self._catalogs.clear()
        if isinstance(result, Rewritten):
            return send(result.text)
        assert not isinstance(result, NeedsMore), f"never enough: {text!r}: {result}"
        ready = (send(text) if self._lenient else super().query("!denied!"))[-1]
        said = f"SERROR\0VERROR\0C42501\0Mdenied by policy: {result.reason}\0H{result.fix}\0\0".encode()
        return [Message("E", said), ready]

    def _catalog(self, needs: Needs) -> Catalog:
        if needs not in self._catalogs:
            rows = [m for m in super().query(catalog_query(needs)) if m.kind in "DE"]
            try:
                (value,) = values(rows[0])
                self._catalogs[needs] = decode((value or b"").decode())
            except (CatalogError, ValueError) as error:
                raise AssertionError(f"the catalog of {needs}: {error}: {rows}") from error
        return self._catalogs[needs]


class Governed:
    """Through a daemon. `run`: the prefix that runs a program governed, where the daemon is."""

    def __init__(self, run: Callable[..., list[str]], server: Server) -> None:
        arguments = [sys.executable, "-I", wire.__file__, server.host, str(server.port), server.user, server.database]
        self._process = subprocess.Popen(run(*arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, case: Case) -> Answer:
        """See Way."""
        assert self._process.stdin is not None and self._process.stdout is not None
        job: dict[str, object] = {"text": case.text, "mode": case.mode.value, "parameters": case.parameters}
        if case.raw:
            job["raw"] = base64.b64encode(case.raw).decode()
        self._process.stdin.write(json.dumps(job | ({"new": True} if case.fresh else {})) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if isinstance(answer, dict):
            return [Message("!", answer["end"].encode())]
        return [Message(kind, base64.b64decode(body)) for kind, body in answer]

    def close(self) -> None:
        """See Way."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


def refusal(answer: Answer) -> str:
    """Why policy denied it, in its words, or nothing."""
    for message in answer:
        if message.kind == "E" and DENIED in message.body:
            return fields(message).get("M", "").removeprefix("denied by policy: ")
    return ""


def sqlstates(answer: Answer) -> list[str]:
    """The SQLSTATEs of all errors."""
    return [fields(m).get("C", "") for m in answer if m.kind == "E"]


def fields(message: Message) -> dict[str, str]:
    """The fields of an error or a notice."""
    parts = message.body.decode(errors="replace").split("\0")
    return {part[0]: part[1:] for part in parts if part}


def values(row: Message) -> list[bytes | None]:
    """The values of a DataRow. Raises ValueError for another message."""
    if row.kind != "D":
        raise ValueError(f"not a row: {row}")
    (count,) = struct.unpack_from("!h", row.body)
    at, found = 2, list[bytes | None]()
    for _ in range(count):
        (size,) = struct.unpack_from("!i", row.body, at)
        at += 4
        found.append(None if size < 0 else row.body[at : at + size])
        at += max(size, 0)
    return found


def columns(description: Message) -> Iterator[tuple[str, int, int, int]]:
    """Name, type, type modifier and format of each column of a RowDescription: all but where it comes from.

    The number of a type that is not built in is another one wherever the type is made.
    """
    (count,) = struct.unpack_from("!h", description.body)
    at = 2
    for _ in range(count):
        end = description.body.index(b"\0", at)
        name = description.body[at:end].decode(errors="replace")
        _, _, kind, _, modifier, form = struct.unpack_from("!ihIhih", description.body, end + 1)
        at = end + 19
        yield name, min(kind, FIRST_MADE), modifier, form


def essence(answer: Answer) -> list[object]:
    """What a program sees of an answer: columns, rows, tags, SQLSTATEs, notices, transaction states."""
    return [_seen(m) for m in answer if m.kind not in "S"]


def shape(answer: Answer) -> list[object]:
    """The same without the rows and what depends on their number."""
    return [_seen(m) if m.kind != "C" else m.body.split()[0] for m in answer if m.kind not in "SDN"]


def _seen(message: Message) -> object:
    if message.kind == "T":
        return "T", tuple(columns(message))
    if message.kind in "EN":
        return message.kind, fields(message).get("C")
    if message.kind == "t":
        return "t", [min(number, FIRST_MADE) for (number,) in struct.iter_unpack("!I", message.body[2:])]
    return message.kind, message.body


def read_corpus(path: Path, names: dict[str, str]) -> list[Case]:
    """The statements of a file of a corpus. `names` gives the numbers for {oid:…}.

    A statement follows a line `--# simple|extended [parameters as JSON]`; the one after `--# new session` begins one.
    """
    cases = []
    fresh = True
    for number, block in enumerate(path.read_text().split("\n--# ")[1:], 1):
        head, _, text = block.partition("\n")
        if head == "new session":
            fresh = True
            continue
        mode, _, given = head.partition(" ")
        for name, oid in names.items():
            text, given = text.replace(f"{{oid:{name}}}", oid), given.replace(f"{{oid:{name}}}", oid)
        parameters = tuple(json.loads(given)) if given else ()
        how = Mode.SIMPLE if mode == "simple" else Mode.TEXT
        cases.append(Case(f"{path.stem}:{number}", text.rstrip("\n"), how, parameters, fresh))
        fresh = False
    return cases
