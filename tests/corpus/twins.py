"""Two databases that differ only in masked values, and statements asked of both: may a client tell which one answers?

What both answer is compared byte by byte, all messages of the server. Only numbers of objects that the statement itself
made, and process ids, are taken out first. `SAME`: no difference. `SECOND_LOCK`: they differ, but only in the words of
errors and notices, which a session with masks rebuilds. `LEAK`: anything else.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hostagent.sql.masking.values import Mask, MaskKind, Masks
from tests.corpus.generated import queries
from tests.lab.parity import FIRST_MADE, Answer, Case, Way, fields, refusal
from tests.lab.postgres import Postgres
from tests.lab.wire import Message, Mode, Server

MASKING = Path(__file__).parent / "masking"
REDACTED = ("app.*.ssn", "app.*.iban", "app.orders.paid_with")
REDACTED_OF_USERS = ("email", "born", "pin", "token", "profile", "tags", "blocked")
MASKS = Masks((
    Mask("numbers", MaskKind.REDACT, (*REDACTED, *(f"app.users.{column}" for column in REDACTED_OF_USERS))),
    Mask("pay", MaskKind.NULL, ("app.users.salary",)),
    Mask("cards", MaskKind.FORMAT, ("app.users.card",)),
    Mask("phones", MaskKind.PARTIAL, ("app.users.phone",), last=2),
    Mask("badges", MaskKind.HASH, ("app.users.badge",)),
))  # fmt: skip
MODES = {
    "read": tuple(Mode),
    "plain": (Mode.SIMPLE, Mode.TEXT, Mode.BINARY, Mode.BLIND),
    "simple": (Mode.SIMPLE,),
}
USER = "trusting"
FULL = os.environ.get("HOSTAGENT_CORPUS") == "full"
GENERATED = 5000 if FULL else 300
ANSWERED = ("plain", "sub-query", "lost provenance", "oracles", "errors", "partitions")  # a rewrite makes these safe
MIGHT_BE_REFUSED = 0.3  # of each of them
READS = re.compile(r"(?i)\s*(select (?!set_config)|with|table|explain|values|copy)\b")
CHANGES = re.compile(
    r"(?i)\b(insert|update|delete|merge|create|alter|drop|refresh|truncate|copy .* from)\b"
    r"|\b(into|call|do|nextval|lo_from_bytea)\b"
)

# A key of zeros in both pads of RFC 2104: as hexadecimal digits, as bytes, and as a printed tree shows bytes.
KEY_MARKS = (b"36363636", b"5c5c5c5c", b"6666666666666666", b"\\\\\\\\\\\\\\\\", b"54 54 54 54", b"92 92 92 92")

Make = Callable[[str], Way]  # a session in the database of that name


class Verdict(StrEnum):
    """What two answers tell a client."""

    SAME = "same"
    SECOND_LOCK = "second lock"
    LEAK = "leak"


@dataclass(frozen=True)
class Trial:
    """A case of the corpus: `steps` before it, its class, its modes."""

    name: str
    group: str
    modes: tuple[Mode, ...]
    steps: tuple[str, ...]

    @property
    def is_read(self) -> bool:
        """Whether it leaves database and session as they were."""
        return len(self.steps) == 1 and READS.match(self.steps[0]) is not None and not self.changes

    @property
    def changes(self) -> bool:
        """Whether it may change the database."""
        return any(CHANGES.search(step) for step in self.steps)


@dataclass(frozen=True)
class Found:
    """What one trial gave in one mode."""

    trial: Trial
    mode: Mode
    verdict: Verdict
    answers: tuple[Answer, Answer]

    @property
    def refused(self) -> str:
        """Why it was refused, or nothing."""
        return refusal(self.answers[0])

    def __str__(self) -> str:
        said = "\n    ".join(
            str([(m.kind, m.body[:120]) for m in a if m.kind not in "Zt12sn"][:4]) for a in self.answers
        )
        return f"{self.trial.name} ({self.mode.value}) {self.trial.steps!r}\n    {said}"


class Twins:
    """The two databases. `make` opens a session in one of them by its name."""

    def __init__(self, postgres: Postgres, make: Make, prefix: str = "twins") -> None:
        """The role USER must be there already; it will own all of it, and should be no superuser."""
        self._postgres, self._make = postgres, make
        self.names = (f"{prefix}_1", f"{prefix}_2")
        self._ways: list[Way] = []
        owner = f"SET SESSION AUTHORIZATION {USER};\n"
        postgres.sql(f"CREATE DATABASE {prefix}_schema OWNER {USER}")
        postgres.sql(owner + (MASKING / "schema.sql").read_text(), f"{prefix}_schema")
        data = (MASKING / "data.sql").read_text()
        for number, name in enumerate(self.names, 1):
            postgres.sql(f"CREATE DATABASE loaded_{name} TEMPLATE {prefix}_schema OWNER {USER}")
            postgres.sql(data.replace("{twin}", str(number)), f"loaded_{name}")
        self._reset()

    def run(self, trial: Trial, modes: tuple[Mode, ...]) -> Iterator[Found]:
        """Ask both in each mode; what the trial changed is undone."""
        for mode in modes:
            first, second = self._ask(trial, mode)
            yield Found(trial, mode, judge(first, second), (first, second))
            if not trial.is_read:
                self._hang_up()
            if trial.changes and not self._began_refused:
                self._reset()

    def ask(self, text: str, mode: Mode) -> tuple[Answer, Answer]:
        """What both say to one statement that changes nothing."""
        first, second = self._ask(Trial("", "", (mode,), (text,)), mode)
        return first, second

    def close(self) -> None:
        """End the sessions."""
        self._hang_up()

    def _ask(self, trial: Trial, mode: Mode) -> list[Answer]:
        answers = []
        for way in self._sessions():
            before = [way.ask(Case(trial.name, step)) for step in trial.steps[:-1]]
            got = [*before, way.ask(Case(trial.name, trial.steps[-1], mode))]
            self._began_refused = bool(refusal(got[0]))
            answers.append(normal([m for answer in got for m in answer]))
        return answers

    def _sessions(self) -> list[Way]:
        self._ways = self._ways or [self._make(name) for name in self.names]
        return self._ways

    def _hang_up(self) -> None:
        for way in self._ways:
            way.close()
        self._ways = []

    def _reset(self) -> None:
        self._hang_up()
        made = "DROP DATABASE IF EXISTS {0} WITH (FORCE); CREATE DATABASE {0} TEMPLATE loaded_{0} OWNER {1};\n"
        self._postgres.sql("SET client_min_messages = error;" + "".join(made.format(n, USER) for n in self.names))


def trials() -> list[Trial]:
    """The corpus."""
    found = []
    for number, block in enumerate((MASKING / "statements.sql").read_text().split("\n--# ")[1:], 1):
        head, _, text = block.partition("\n")
        group, _, modes = head.rpartition(": ")
        steps = tuple(step.strip("\n") for step in text.split("\n--then\n"))
        found.append(Trial(f"{group} {number}", group, MODES[modes], steps))
    return found


def turns(trial: Trial, number: int) -> tuple[Mode, ...]:
    """The modes of a trial: all of them, or simple and those whose turn it is."""
    first, *others = trial.modes
    if FULL or not others:
        return trial.modes
    return tuple(dict.fromkeys((first, others[number % len(others)], others[(number + 3) % len(others)])))


def ask_generated(pair: Twins, accept: Callable[[Verdict], bool]) -> None:
    """Ask both databases queries made at random. Raises AssertionError at a verdict that is not accepted."""

    @settings(
        max_examples=GENERATED,
        deadline=None,
        derandomize=not FULL,
        database=None,
        phases=[Phase.generate],  # a failing query is short enough as it is, and shrinking asks for minutes
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(query=queries(), mode=st.sampled_from([Mode.SIMPLE, Mode.TEXT, Mode.BINARY, Mode.COPY]))
    def check(query: str, mode: Mode) -> None:
        first, second = pair.ask(query, mode)
        assert accept(judge(first, second)), f"{query}\n{first}\n{second}"

    check()


def judge(first: Answer, second: Answer) -> Verdict:
    """What the answers of the two databases tell."""
    if first == second:
        return Verdict.SAME
    return Verdict.SECOND_LOCK if rebuilt(first) == rebuilt(second) else Verdict.LEAK


def rebuilt(answer: Answer) -> Answer:
    """The answer with errors and notices reduced to their SQLSTATE."""
    return [replace(m, body=fields(m).get("C", "").encode()) if m.kind in "EN" else m for m in answer]


def normal(answer: Answer) -> Answer:
    """The answer without decision ids, process ids and the numbers of objects made since the databases were."""
    known: dict[int, int] = {}
    return [_normal(message, known) for message in answer]


def _normal(message: Message, known: dict[int, int]) -> Message:
    if message.kind == "T":
        return Message("T", _renumbered(message.body, known))
    if message.kind == "A":
        return Message("A", message.body[4:])
    if message.kind in "EN":
        return Message(message.kind, re.sub(rb"decision \S+", b"decision", message.body))
    return message


def _renumbered(body: bytes, known: dict[int, int]) -> bytes:
    made, at = bytearray(body), 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        at = body.index(b"\0", at) + 1
        for place in (at, at + 6):  # of the table, of the type
            (number,) = struct.unpack_from("!I", body, place)
            if number >= FIRST_MADE:
                struct.pack_into("!I", made, place, known.setdefault(number, FIRST_MADE + len(known)))
        at += 18
    return bytes(made)


def server(postgres: Postgres, name: str) -> Server:
    """How to reach one of them directly."""
    return Server(str(postgres.directory), postgres.port, USER, name)
