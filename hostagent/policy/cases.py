"""Tests of a policy: `*.cases.yaml` files say what is expected of a statement or of an SSH operation, `run_cases` says
what comes out.

A case names classes of actors, or gives an actor's facts so that the classes are tested too. Facts count as
kernel-attested, attributes as runtime-attested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self
from xml.etree.ElementTree import Element, SubElement, tostring

from pydantic import Field, model_validator

from hostagent.policy.dialect import Dialect, dialect_of
from hostagent.policy.explain import Explanation, explain
from hostagent.policy.explain_ssh import explain_operation
from hostagent.policy.fields import Names, Uid
from hostagent.policy.match import actor_classes
from hostagent.policy.model import Policy
from hostagent.policy.names import Schemas
from hostagent.policy.problems import FileErrors, near
from hostagent.policy.section import Name, Section
from hostagent.policy.yaml import read_with_positions
from hostagent.ssh.exec import operations_of_exec
from hostagent.ssh.operation import Operation, SshKind
from hostagent.ssh.paths import canonical
from hostagent.values.actor import Actor, Attribute, Grade, Process
from hostagent.values.decision import Verdict

Text = Annotated[str, Field(strict=True)]
DialectOf = Callable[[Policy, str, Schemas], Dialect]


class Facts(Section):
    """An actor, as far as the policy looks at it."""

    cgroup: Text = Field("/", description="Cgroup path.")
    user: Text = Field("", description="User name.")
    uid: Uid = Field(65534, description="User number.")
    login_user: Text = Field("", description="Name of the user that logged in.")
    executable: Text = Field("", description="Path of the executable.")
    parents: tuple[Text, ...] = Field((), description="Paths of the executables above, nearest first.")
    command_line: tuple[Text, ...] = Field((), description="Arguments.")
    attributes: dict[str, Text] = Field({}, description="Attributes such as unit, all runtime-attested.")
    claims: dict[str, Text] = Field({}, description="Attributes that the workload could have written itself.")

    def actor(self) -> Actor:
        """The actor with these facts."""
        attributes = [Attribute(name, value, Grade.RUNTIME) for name, value in self.attributes.items()]
        attributes += [Attribute(name, value, Grade.CLAIMED) for name, value in self.claims.items()]
        parents = tuple(Process(1, 1, path, (), "", self.uid) for path in self.parents)
        return Actor(
            process=Process(1, 1, self.executable, self.command_line, "", self.uid),
            parents=parents,
            uid=self.uid,
            user=self.user,
            gid=self.uid,
            group="",
            login_uid=None,
            login_user=self.login_user,
            cgroup=self.cgroup,
            attributes=tuple(attributes),
        )


class SshRequest(Section):
    """What an SSH client asks for: `exec`, or a `kind` and what it names."""

    login: Annotated[str, Field(strict=True, min_length=1)] = Field(description="Login name on the host.")
    exec: Text | None = Field(None, description="A command line, as the client sends it.")
    kind: SshKind | None = Field(None, description="Or: the kind of another operation.")
    paths: tuple[Text, ...] = Field((), description="Paths that it names.")
    below: bool = Field(False, description="Whether it also reads or writes all below them.")
    destination: Text = Field("", description="host:port of a forward.")
    name: Text = Field("", description="Name of an environment variable, subsystem or extension.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.exec is None) == (self.kind is None):
            raise ValueError("exactly one of `exec` and `kind` is needed")
        if self.exec is not None and self.model_fields_set - {"login", "exec"}:
            raise ValueError("`exec` says it all: leave out the rest")
        if self.kind is SshKind.EXEC:
            raise ValueError("`kind: exec` has no command line: write `exec: …`")
        return self

    def operation(self) -> Operation:
        """The operation that policy decides."""
        if self.exec is not None:
            return operations_of_exec(self.exec, self.login)[0]
        assert self.kind is not None
        paths = tuple(map(canonical, self.paths))
        text = " ".join(filter(None, (self.kind.value, *paths, self.destination, self.name)))
        return Operation(self.kind, self.login, text, (), paths, self.destination, self.name, below=self.below)


class Expected(Section):
    """What must come out."""

    verdict: Literal["allow", "deny", "approve", "observe"] = Field(description="The verdict on the text.")
    rule: Annotated[str, Field(strict=True)] | None = Field(
        None, description="The rule that answers; an empty text when none does. Not compared when absent."
    )


class Case(Section):
    """One statement, or one SSH operation, of one actor to one target."""

    name: Annotated[str, Field(strict=True, min_length=1)] = Field(description="Says what the case shows.")
    actors: Names | None = Field(None, description="Names of the classes that the actor is in.")
    actor: Facts | None = Field(None, description="Or facts from which the classes are found.")
    target: Name = Field(description="Name of a target.")
    sql: Text | None = Field(None, description="The text that the client sends.")
    ssh: SshRequest | None = Field(None, description="Or what it asks an SSH server for.")
    schemas: tuple[Text, ...] | None = Field(
        ("public",), description="Where unqualified names resolve, in order; null when not known any more."
    )
    expect: Expected = Field(description="What must come out.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.actors is None) == (self.actor is None):
            raise ValueError("exactly one of `actors` and `actor` is needed")
        if (self.sql is None) == (self.ssh is None):
            raise ValueError("exactly one of `sql` and `ssh` is needed")
        return self


class CaseFile(Section):
    """A `*.cases.yaml` file."""

    version: Literal[1] = Field(description="Version of this format.")
    policy: Text | None = Field(
        None, description="Policy file or directory that the cases are for, relative to this file."
    )
    cases: tuple[Case, ...] = Field(min_length=1, description="The cases.")


@dataclass(frozen=True, slots=True)
class Result:
    """How one case went; `failure` is empty when it passed."""

    case: Case
    where: str
    explanation: Explanation
    failure: str


@dataclass(frozen=True, slots=True)
class Report:
    """How all cases went. `unused` are the rules that answered in none of them."""

    results: tuple[Result, ...]
    unused: tuple[str, ...]

    @property
    def failed(self) -> tuple[Result, ...]:
        """The cases that failed."""
        return tuple(result for result in self.results if result.failure)


def load_cases(path: Path, policy: Policy | None = None) -> tuple[CaseFile, tuple[str, ...]]:
    """A case file, and the place of each case. Raises FileErrors; with a policy, also for names that it lacks."""
    file, positions = read_with_positions(path, CaseFile)
    if policy is not None:
        errors = [
            positions.error(("cases", index, *where), what, fix)
            for index, case in enumerate(file.cases)
            for where, what, fix in _dangling(case, policy)
        ]
        if errors:
            raise FileErrors(errors)
    return file, tuple(str(positions.at(("cases", index))) for index in range(len(file.cases)))


def run_cases(policy: Policy, files: list[tuple[CaseFile, tuple[str, ...]]], dialect: DialectOf = dialect_of) -> Report:
    """Decide every case. `dialect` says how the SQL of a target is read."""
    results = tuple(
        _run(policy, case, where, dialect)
        for file, places in files
        for case, where in zip(file.cases, places, strict=True)
    )
    answered = {result.explanation.ruling.rule for result in results}
    answered |= {s.ruling.rule for result in results for s in result.explanation.statements}
    return Report(results, tuple(rule.name for rule in policy.rules if rule.name not in answered))


def junit(reports: Sequence[Report]) -> str:
    """The reports as JUnit XML."""
    results = [result for report in reports for result in report.results]
    failures = sum(len(report.failed) for report in reports)
    suite = Element("testsuite", name="hostagent policy", tests=str(len(results)), failures=str(failures))
    for result in results:
        case = SubElement(suite, "testcase", classname=result.where.split(":")[0], name=result.case.name)
        if result.failure:
            SubElement(case, "failure", message=result.failure).text = result.where
    return tostring(suite, encoding="unicode") + "\n"


def classes(policy: Policy, case: Case) -> frozenset[str]:
    """The classes of actors of a case."""
    return actor_classes(policy, case.actor.actor()) if case.actor else frozenset(case.actors or ())


def _run(policy: Policy, case: Case, where: str, dialect: DialectOf) -> Result:
    explanation = _explain(policy, case, dialect)
    return Result(case, where, explanation, _failure(case.expect, explanation))


def _explain(policy: Policy, case: Case, dialect: DialectOf) -> Explanation:
    actors, schemas = classes(policy, case), case.schemas
    if case.ssh is not None:
        return explain_operation(policy, actors, case.target, case.ssh.operation())
    assert case.sql is not None
    spoken = dialect(policy, case.target, schemas)
    return explain(policy, actors, case.target, spoken.analyze(case.sql), schemas, spoken.harmless)


def _failure(expected: Expected, explanation: Explanation) -> str:
    ruling = explanation.ruling
    if ruling.verdict is not Verdict(expected.verdict):
        return f"expected {expected.verdict}, got {ruling.verdict}: {ruling.reason or f'rule {ruling.rule}'}"
    if expected.rule is not None and ruling.rule != expected.rule:
        return f"expected rule {expected.rule or 'none'}, got {ruling.rule or 'none'}: {ruling.reason}"
    return ""


def _dangling(case: Case, policy: Policy) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    known = {entry.name for entry in policy.actors}
    for index, name in enumerate(case.actors or ()):
        if name not in known:
            yield ("actors", index), f"unknown class of actors `{name}`", near(name, known)
    targets = {entry.name: entry.protocol == "ssh" for entry in policy.targets}
    if case.target not in targets:
        yield ("target",), f"unknown target `{case.target}`", near(case.target, targets)
    elif targets[case.target] != (case.ssh is not None):
        spoken = "ssh" if targets[case.target] else "sql"
        yield ("target",), f"`{case.target}` does not speak that", f"a case of it has `{spoken}`"
    rules = {rule.name for rule in policy.rules}
    if case.expect.rule and case.expect.rule not in rules:
        yield ("expect", "rule"), f"unknown rule `{case.expect.rule}`", near(case.expect.rule, rules)
