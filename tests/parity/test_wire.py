"""Every byte that a server answers, through the agent and directly, in every mode of the protocol.

The client is `tests/lab/wire.py`, which knows no types and hides nothing: kinds, bodies and order of all messages are
compared. Process ids in notifications are all that is taken out; cancel keys come before what is compared.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.world import World, target, world
from tests.lab import wire
from tests.parity.cases import BATCHES, STATEMENTS

POLICY = {
    "targets": [target("orders", 2)],
    "rules": [
        {
            "name": "all",
            "actors": "*",
            "targets": "*",
            "allow": {"kinds": "any", "functions": "*", "settings": "*"},
        }
    ],
}
FIRST_MADE = 16384  # object identifiers below are those of every server (FirstNormalObjectId)
COLUMN = re.compile(rb"([^\0]*)\0(.{4})(.{2})(.{4})(.{8})", re.DOTALL)  # of a RowDescription
MODES = (wire.Mode.SIMPLE, wire.Mode.TEXT, wire.Mode.BINARY, wire.Mode.BLIND)
# a governed program that sends what it is told as it is, and prints what is answered
RAW = """
import json, sys
sys.path.insert(0, sys.argv.pop(1))
import wire
connection = wire.Wire(wire.Server(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
for line in sys.stdin:
    answers = connection.send(bytes.fromhex(line))
    print(json.dumps([[m.kind, m.body.hex()] for m in answers]), flush=True)
"""


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world(POLICY) as made:
        yield made


def both(here: World, *command: object, lines: list[str]) -> tuple[list[str], list[str]]:
    """What a program answers to those lines: governed, directly."""
    script = "\n".join(lines) + "\n"
    arguments = (sys.executable, "-I", *command, "10.77.0.2", 5432, "trusting", "postgres")
    answers = []
    for run in (here.governed, here.direct):
        done = run(*arguments, stdin=None, input=script)
        assert done.returncode == 0, done.stderr
        answers.append(done.stdout.splitlines())
    return answers[0], answers[1]


@pytest.mark.parametrize("mode", MODES)
def test_statements(here: World, mode: wire.Mode) -> None:
    jobs = [json.dumps({"text": text, "mode": mode, "parameters": parameters}) for text, parameters in STATEMENTS]
    governed, direct = both(here, wire.__file__, lines=jobs)
    assert len(governed) == len(direct) == len(jobs)
    for (text, _), ours, theirs in zip(STATEMENTS, governed, direct, strict=True):
        assert comparable(ours, base64.b64decode) == comparable(theirs, base64.b64decode), text
    assert sum('"E"' in answer for answer in direct) < len(jobs) / 3, "most of them work"


def test_batches(here: World) -> None:
    """Messages as no driver would order them: names, portals, row limits, skipping after errors, COPY in a pipeline."""
    lines = [messages.hex() for messages in BATCHES.values()]
    governed, direct = both(here, "-c", RAW, Path(wire.__file__).parent, lines=lines)
    assert len(governed) == len(direct) == len(lines)
    for name, ours, theirs in zip(BATCHES, governed, direct, strict=True):
        assert comparable(ours, bytes.fromhex) == comparable(theirs, bytes.fromhex), name


def comparable(answer: str, decode: Callable[[str], bytes]) -> list[tuple[str, bytes]]:
    """The messages of an answer without ids, see `without_ids`."""
    return [(kind, without_ids(kind, decode(body))) for kind, body in json.loads(answer)]


def without_ids(kind: str, body: bytes) -> bytes:
    """A message without what differs from session to session: process ids, object identifiers of what a session made.

    Where the agent itself says that a name does not exist it cannot say where in the server's source that is found.
    """
    if kind == "A":
        return body[4:]
    if kind == "T":
        return COLUMN.sub(_without_made, body[2:])
    if kind == "E" and re.search(rb"\0C(26000|34000)\0", body):
        return re.sub(rb"\0[FLR][^\0]*(?=\0)", b"", body)
    return body


def _without_made(column: re.Match[bytes]) -> bytes:
    name, relation, number, of_type, rest = column.groups()
    made = [b"made" if struct.unpack("!i", oid)[0] >= FIRST_MADE else oid for oid in (relation, of_type)]
    return b"\0".join((name, made[0], number, made[1], rest))
