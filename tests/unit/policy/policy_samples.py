"""Small policies and actors for the tests of this package."""

from __future__ import annotations

from hostagent.policy.model import Policy, PolicyFile
from hostagent.policy.yaml import model_of
from hostagent.sql.analysis import Analysis, Kind, Name, Statement
from hostagent.values.actor import Actor, Attribute, Grade, Process

TARGET = "{name: db, protocol: postgres, match: {addresses: 10.0.0.5}}"
HARMLESS = frozenset({"lower", "count"})


def policy_of(text: str) -> Policy:
    """The policy that `text` describes."""
    return Policy.of(model_of("version: 1\n" + text, "p.yaml", PolicyFile)[0])


def rules(*lines: str, mode: str = "enforce") -> Policy:
    """A policy of rules for everybody; a line is `name effect {conditions}[, more keys]`."""
    text = f"mode: {mode}\ntargets: [{TARGET}]\nrules:\n"
    for line in lines:
        name, effect, rest = line.split(" ", 2)
        text += f"  - {{name: {name}, actors: '*', targets: '*', {effect}: {rest}}}\n"
    return policy_of(text if lines else text + "  []\n")


def harmless(name: Name) -> bool:
    """A stand-in for the shipped list."""
    return name.schema in ("", "pg_catalog") and name.name in HARMLESS


def name(text: str) -> Name:
    """`schema.name` or `name`."""
    schema, _, last = text.rpartition(".")
    return Name(schema, last)


def statement(kinds: str, reads: str = "", writes: str = "", functions: str = "", settings: str = "") -> Statement:
    """A statement; each argument is words with blanks between them."""
    return Statement(
        frozenset(map(Kind, kinds.split())),
        reads=frozenset(map(name, reads.split())),
        writes=frozenset(map(name, writes.split())),
        functions=frozenset(map(name, functions.split())),
        settings=frozenset(settings.split()),
    )


def analysis(*statements: Statement) -> Analysis:
    """An analysis of these statements."""
    return Analysis(statements)


def actor(cgroup: str = "/a/b", executable: str = "/usr/bin/psql", **attributes: str | tuple[str, Grade]) -> Actor:
    """An actor; attributes are runtime-attested unless a grade stands beside the value."""
    found = tuple(
        Attribute(key, value, Grade.RUNTIME) if isinstance(value, str) else Attribute(key, *value)
        for key, value in attributes.items()
    )
    process = Process(10, 1, executable, ("psql", "-h", "db"), "psql", 1000)
    parent = Process(9, 1, "/usr/bin/bash", ("bash",), "bash", 1000)
    return Actor(process, (parent,), 1000, "ann", 1000, "ann", 1001, "bob", cgroup, found)
