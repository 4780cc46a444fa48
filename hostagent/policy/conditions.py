"""Conditions: what a statement does, or what an SSH operation asks for. The part of rules that says *what*.

A rule is about SQL or about SSH, by its kinds and its conditions; without either (`kinds: any`) about both, each time
about what the target speaks. A condition that could say nothing of the kinds beside it is refused: it would look like a
limit and be none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import Field

from hostagent.policy.commands import EVERYTHING
from hostagent.policy.fields import Commands, Destinations, Kinds, QualifiedGlobs, RemotePaths, Words
from hostagent.policy.groups import GROUPS, KIND_WORDS, SSH_GROUPS, SSH_WORDS
from hostagent.policy.section import Section
from hostagent.policy.terms import Terms
from hostagent.ssh.operation import SshKind

Protocol = Literal["sql", "ssh"]
Effect = Literal["allow", "deny", "approve", "observe"]

_SQL = ("relations", "functions", "settings")
_FORWARDS = frozenset({SshKind.FORWARD_LOCAL, SshKind.FORWARD_REMOTE})
_STREAMS = SSH_GROUPS["forward"] - _FORWARDS
_FILES = SSH_GROUPS["file_read"] | SSH_GROUPS["file_write"]

# Which kinds a condition of SSH is about.
ABOUT: dict[str, frozenset[SshKind]] = {
    "commands": frozenset({SshKind.EXEC}),
    "redirections": frozenset({SshKind.EXEC}),
    "unparsed": frozenset({SshKind.EXEC}),
    "paths": _FILES | SSH_GROUPS["git"] | _STREAMS,
    "destinations": _FORWARDS,
    "environment": frozenset({SshKind.ENV}),
    "subsystems": frozenset({SshKind.SUBSYSTEM}),
    "extensions": frozenset({SshKind.SFTP_EXTENSION}),
    "logins": frozenset(SshKind),
}
# What an allow or observe that names such a kind must say: all of them would be too much to be meant without saying so.
NEEDED: dict[SshKind, str] = {
    SshKind.EXEC: "commands",
    SshKind.ENV: "environment",
    SshKind.SUBSYSTEM: "subsystems",
    SshKind.SFTP_EXTENSION: "extensions",
    **dict.fromkeys(_FORWARDS, "destinations"),
    **dict.fromkeys(_STREAMS, "paths"),
}
_WITH_ANY = ("logins", "unparsed")  # conditions that `kinds: any` lets through no less for

NO_AGENT = "agent forwarding is never let through: keys of the client would be in the hands of the server"


def protocols_of(kinds: tuple[str, ...] | None, given: Iterable[str]) -> frozenset[Protocol]:
    """What an entry with these kinds and conditions may be about."""
    about: set[Protocol] = {"sql", "ssh"}
    words, names = kinds or ("any",), set(given)
    if SSH_WORDS.keys().isdisjoint(words) or not names.isdisjoint(_SQL):
        about.discard("ssh")
    if KIND_WORDS.keys().isdisjoint(words) or not names.isdisjoint(ABOUT):
        about.discard("sql")
    return frozenset(about)


def mixed(kinds: tuple[str, ...] | None, given: Iterable[str]) -> str:
    """What is of SQL and what is of SSH among them, where both are; else nothing."""
    words, names = set(kinds or ()) - {"any"}, set(given)
    sql = sorted(names & set(_SQL)) + sorted(words & KIND_WORDS.keys())
    ssh = sorted(names & ABOUT.keys()) + sorted(words & SSH_WORDS.keys())
    return f"`{sql[0]}` is of SQL and `{ssh[0]}` of SSH: write one for each" if sql and ssh else ""


class Conditions(Section):
    """What a statement does, or what an SSH operation asks for. For allow and observe all of it must be covered; for
    deny and approve one thing in each given list is enough, and the lists given must all match."""

    kinds: Kinds | None = Field(
        None,
        description=f"Kinds, or groups of them. Of statements: {', '.join(GROUPS)}; of SSH: {', '.join(SSH_GROUPS)}; "
        "any: all that the target's protocol has. Required for allow, approve and observe.",
    )
    relations: QualifiedGlobs | None = Field(
        None, description="schema.name patterns of relations read or written; all when absent."
    )
    functions: QualifiedGlobs | None = Field(
        None,
        description="schema.name patterns of functions. In allow: beside the harmless ones.",
    )
    settings: Words | None = Field(
        None, description="Names of settings that SET and set_config touch. In allow: absent means all harmless ones."
    )
    logins: Words | None = Field(
        None,
        description="SSH: login names. In deny absent means all; else the one that the target's credential names.",
    )
    commands: Commands | None = Field(
        None,
        description="SSH, exec: patterns of commands, `systemctl status *`; `*` is one argument that is no option, "
        "`**` at the end any more. Each command of a line must be covered.",
    )
    redirections: RemotePaths | None = Field(
        None, description="SSH, exec: path patterns of files that commands are redirected from or to; none when absent."
    )
    unparsed: bool = Field(
        False,
        description="SSH, exec: also command lines whose meaning is not known exactly (`$`, loops, globs); in deny "
        "only these.",
    )
    paths: RemotePaths | None = Field(
        None,
        description="SSH: patterns of files, repositories and sockets, from `/` on or, for the login's home, from "
        "`~/` on; all when absent.",
    )
    destinations: Destinations | None = Field(None, description="SSH, forwards: host:port patterns.")
    environment: Words | None = Field(
        None, description="SSH, env: names of variables, beside LANG, LC_*, TERM and GIT_PROTOCOL."
    )
    subsystems: Words | None = Field(None, description="SSH, subsystem: names; sftp is decided by what it does.")
    extensions: Words | None = Field(None, description="SSH, sftp_extension: names of extensions.")

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the conditions that are given, `kinds` apart."""
        return tuple(name for name in (*_SQL, *ABOUT) if getattr(self, name))

    @property
    def empty(self) -> bool:
        """Whether no condition is given."""
        return not (self.kinds or self.given)

    @property
    def protocols(self) -> frozenset[Protocol]:
        """What it may be about."""
        return protocols_of(self.kinds, self.given)

    @property
    def ssh_kinds(self) -> frozenset[SshKind]:
        """The kinds of SSH operations that it is about."""
        kinds: frozenset[SshKind] = frozenset()
        return kinds.union(*(SSH_WORDS.get(word, ()) for word in self.kinds or ("any",)))

    def problem(self, effect: Effect) -> str:
        """Why these conditions make no sense together, or nothing."""
        return next(filter(None, (mixed(self.kinds, self.given), *self._idle(), *self._too_much(effect))), "")

    def _idle(self) -> Iterator[str]:
        for name in self.given:
            if name in ABOUT and self.ssh_kinds.isdisjoint(ABOUT[name]):
                kinds = ", ".join(sorted(ABOUT[name])[:3])
                yield f"`{name}` says nothing of these kinds: it is about {kinds}{' …' if len(ABOUT[name]) > 3 else ''}"

    def _too_much(self, effect: Effect) -> Iterator[str]:
        words = self.kinds or ()
        if effect == "deny":
            return
        if "agent" in words:
            yield NO_AGENT
        if "any" in words and (narrow := [n for n in self.given if n in ABOUT and n not in _WITH_ANY]):
            yield f"`any` lets through everything, whatever `{narrow[0]}` says: name the kinds"
        if self.unparsed and self.commands not in (None, (EVERYTHING,)):
            yield f'of what `unparsed` lets through no command is known: it goes with `commands: "{EVERYTHING}"`'
        if effect == "approve":
            return
        for word in words:
            needed = [NEEDED.get(kind, "") for kind in sorted(SSH_WORDS.get(word, ()))] if word != "any" else []
            if needed and not any(name == "" or getattr(self, name) for name in needed):
                yield f"`{word}` needs `{needed[0]}`: all of them would be too much to be meant without saying so"


class ApproveConditions(Conditions, Terms):
    """What a human is asked about, and on which terms: one thing in each given list is enough, as for deny. Where no
    allow covers all that is asked for, these conditions must."""
