"""The policy: what files say, as frozen models whose descriptions become the JSON Schema and the manual.

`PolicyFile` is one file, `Policy` all files merged. Rules of the shapes: unknown keys are refused, nothing is converted
silently, and where a field takes several values one value may stand without a list.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from hostagent.policy.conditions import Protocol, mixed, protocols_of
from hostagent.policy.detectors import DetectorEntry
from hostagent.policy.fields import Kinds, Mode, Names, Paths, QualifiedGlobs, Uids, Words
from hostagent.policy.login import CredentialEntry
from hostagent.policy.masks import MaskEntry
from hostagent.policy.rules import Rule
from hostagent.policy.section import Name, Section
from hostagent.policy.span import seconds
from hostagent.policy.targets import TargetEntry
from hostagent.policy.terms import DEFAULT_TERMS, RUN, SpanOrRun, Terms
from hostagent.values.actor import Grade


class Actors(Section):
    """A class of actors. All fields that are given must match; a list matches when one of its values does."""

    name: Name = Field(description="What rules call this class.")
    cgroup: Paths | None = Field(None, description="Cgroup path; `*` within a segment, `**` any depth.")
    unit: Words | None = Field(None, description="systemd unit, such as actions.runner.*.service.")
    slice: Words | None = Field(None, description="systemd slice.")
    user: Words | None = Field(None, description="Name of the user that the process runs as.")
    uid: Uids | None = Field(None, description="Number of the user that the process runs as.")
    login_user: Words | None = Field(None, description="Name of the user that logged in (audit login uid).")
    executable: Paths | None = Field(None, description="Path of the executable, as the kernel had it at connect().")
    parent_executable: Paths | None = Field(
        None, description="Path of the executable of any process above, up to the session leader; runtime-attested."
    )
    command_line: Words | None = Field(
        None, description="Arguments joined by spaces. The process can write them itself: needs grade `claimed`."
    )
    container_runtime: Words | None = Field(None, description="docker, containerd, podman, cri-o …")
    container_id: Words | None = Field(None, description="Container id, 64 hexadecimal digits.")
    pod_uid: Words | None = Field(None, description="UID of the Kubernetes pod.")
    ci_provider: Words | None = Field(None, description="github, gitlab, buildkite, jenkins.")
    ci_scope: Words | None = Field(None, description="Organization or repository that a CI runner serves.")
    attributes: dict[str, Words] | None = Field(None, description="Any other attribute of an actor, by its name.")
    grade: Grade = Field(
        Grade.RUNTIME,
        description="Least grade of proof that an attribute must have; claims must be asked for.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = self.model_fields_set - {"name", "grade"}
        if not any(getattr(self, name) for name in given):
            raise ValueError("no condition: say what these actors have in common (rules can name all actors as `*`)")
        if self.command_line and self.grade is not Grade.CLAIMED:
            raise ValueError("command_line is a claim of the process itself: it needs `grade: claimed`")
        if self.parent_executable and self.grade is Grade.KERNEL:
            raise ValueError("parent_executable is runtime-attested: it cannot match with `grade: kernel-attested`")
        return self


class Measure(StrEnum):
    """What a limit counts."""

    STATEMENTS = "statements"
    ROWS = "rows"
    BYTES = "bytes"
    ERRORS = "errors"


class Limit(Section):
    """At most so much within a span, over all connections of an actor. What goes beyond is denied, or asked about."""

    name: Name = Field(description="Stands in errors and events; no rule has the same.")
    actors: Names = Field(description="Classes of actors, or `*` for all that are governed.")
    targets: Names = Field(description="Targets, or `*` for all.")
    what: Measure = Field(
        description="statements (or SSH operations), rows (returned or changed), bytes (of results), errors."
    )
    max: Annotated[int, Field(strict=True, ge=0, lt=1 << 53)] = Field(description="How many are let through.")
    per: SpanOrRun = Field(
        description="minute, hour, day, a span such as 90s, or `run` (as long as the cgroup is in use)."
    )
    by: Literal["actor", "class"] = Field(
        "actor", description="What is counted apart: each systemd unit (else cgroup), or all these actors together."
    )
    kinds: Kinds | None = Field(
        None, description="Count only statements or SSH operations of one of these kinds; all when absent."
    )
    relations: QualifiedGlobs | None = Field(
        None, description="Count only statements that touch one of these relations; all when absent."
    )
    then: Literal["deny", "approve"] = Field("deny", description="What is done with what goes beyond.")
    terms: Terms | None = Field(None, description="With `then: approve`: on what a human may let it through.")

    @property
    def window(self) -> int | None:
        """Seconds until it starts anew; None for a run."""
        return None if self.per == RUN else seconds(self.per)

    @property
    def protocols(self) -> frozenset[Protocol]:
        """What it may count: rows and relations are of SQL."""
        return protocols_of(self.kinds, ("relations",) if self.relations or self.what is Measure.ROWS else ())

    @model_validator(mode="after")
    def _check(self) -> Self:
        if problem := mixed(self.kinds, ("relations",) if self.relations else ()):
            raise ValueError(problem)
        if not self.protocols:
            raise ValueError("`what: rows` counts rows of SQL: SSH has none")
        if self.terms is not None and self.then != "approve":
            raise ValueError("`terms` goes with `then: approve`")
        if self.per == RUN and self.by == "class":
            raise ValueError("`per: run` counts each run apart: it does not go with `by: class`")
        return self


class PolicyFile(Section):
    """A file of /etc/hostagent/policies.d. All files are merged in lexical order; names are unique across them."""

    version: Literal[1] = Field(description="Version of this format.")
    mode: Mode | None = Field(
        None, description="enforce (default) or observe: denials are recorded and not carried out. Files must agree."
    )
    actors: tuple[Actors, ...] = Field((), description="Classes of actors.")
    targets: tuple[TargetEntry, ...] = Field((), description="Destinations.")
    credentials: tuple[CredentialEntry, ...] = Field((), description="Logins for targets.")
    rules: tuple[Rule, ...] = Field((), description="Who may do what where. Nothing matched means denied.")
    limits: tuple[Limit, ...] = Field((), description="How much of it.")
    masks: tuple[MaskEntry, ...] = Field((), description="Columns that are masked. The first that covers one counts.")
    detectors: tuple[DetectorEntry, ...] = Field((), description="What is looked for in results: a net behind masks.")


@dataclass(frozen=True, slots=True)
class Policy:
    """All files merged. `remembered` is for what is derived from it once; it is no part of its value."""

    file: PolicyFile
    version: str  # 12 hexadecimal digits of its content's SHA-256
    remembered: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, file: PolicyFile) -> Policy:
        """The policy that consists of one (merged) file."""
        content = json.dumps(file.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
        return cls(file, hashlib.sha256(content.encode()).hexdigest()[:12])

    @property
    def mode(self) -> Mode:
        """The mode in force."""
        return self.file.mode or Mode.ENFORCE

    @property
    def actors(self) -> tuple[Actors, ...]:
        """Classes of actors, in order."""
        return self.file.actors

    @property
    def targets(self) -> tuple[TargetEntry, ...]:
        """Targets, in order."""
        return self.file.targets

    @property
    def credentials(self) -> tuple[CredentialEntry, ...]:
        """Credentials, in order."""
        return self.file.credentials

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Rules, in order."""
        return self.file.rules

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Limits, in order."""
        return self.file.limits

    @property
    def masks(self) -> tuple[MaskEntry, ...]:
        """Masks, in order."""
        return self.file.masks

    @property
    def detectors(self) -> tuple[DetectorEntry, ...]:
        """Detectors, in order."""
        return self.file.detectors

    def terms(self, name: str) -> Terms | None:
        """The terms of the approve rule or the limit of that name, None where there is none."""
        for rule in self.rules:
            if rule.name == name:
                return rule.approve
        return next((limit.terms or DEFAULT_TERMS for limit in self.limits if limit.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` gives the policy back."""
        return self.file.model_dump(mode="json", exclude_unset=True)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Policy:
        """The policy that `to_json` described. Raises ValueError on another shape."""
        return cls.of(PolicyFile.model_validate_json(json.dumps(data)))
