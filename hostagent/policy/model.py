"""The policy: what files say, as frozen models whose descriptions become the JSON Schema and the manual.

`PolicyFile` is one file, `Policy` all files merged. Rules of the shapes: unknown keys are refused, nothing is converted
silently, and where a field takes several values one value may stand without a list.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from hostagent.policy import glob
from hostagent.policy.detectors import DetectorEntry
from hostagent.policy.groups import GROUPS, KIND_WORDS
from hostagent.policy.login import CredentialEntry, SecretFile, Tls
from hostagent.policy.masks import MaskEntry
from hostagent.policy.problems import near
from hostagent.policy.section import HostName, Name, Section, Strict
from hostagent.policy.span import seconds
from hostagent.policy.terms import DEFAULT_TERMS, RUN, SpanOrRun, Terms
from hostagent.values.actor import Grade
from hostagent.values.target import ClientAuth

ANY = "*"


class Mode(StrEnum):
    """Whether a denial is carried out, or only recorded as would-have-been."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


def _many(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _kind_word(value: str) -> str:
    if value not in KIND_WORDS:
        raise PydanticCustomError("kind", "unknown kind `{word}`", {"word": value[:64], "fix": near(value, KIND_WORDS)})
    return value


def _qualified(value: str) -> str:
    glob.check_word(value)
    if value != ANY and not all(value.partition(".")):
        raise PydanticCustomError(
            "qualified",
            "`{word}` has no schema",
            {"word": value, "fix": f"write schema.name, *.{value.strip('.')}, or * for everything"},
        )
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ValueError(f"not an address or network: {error}") from None


NameOrAny = Annotated[str, Field(strict=True, pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9_.-]{0,62})$")]
Word = Annotated[str, Strict, AfterValidator(glob.check_word)]
PathGlob = Annotated[str, Strict, AfterValidator(glob.check_path)]
KindWord = Annotated[
    str, Strict, AfterValidator(_kind_word), WithJsonSchema({"type": "string", "enum": sorted(KIND_WORDS)})
]
QualifiedGlob = Annotated[str, Strict, AfterValidator(_qualified)]
Network = Annotated[str, Strict, AfterValidator(_network)]
Uid = Annotated[int, Field(strict=True, ge=0, lt=1 << 32)]
Port = Annotated[int, Field(strict=True, gt=0, lt=65536)]

Words = Annotated[tuple[Word, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1)]
Paths = Annotated[tuple[PathGlob, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1)]
Names = Annotated[tuple[NameOrAny, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1)]
Kinds = Annotated[
    tuple[KindWord, ...], BeforeValidator(_many, KindWord | list[KindWord]), Field(strict=False, min_length=1)
]
QualifiedGlobs = Annotated[
    tuple[QualifiedGlob, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1)
]
Uids = Annotated[tuple[Uid, ...], BeforeValidator(_many, int | list[int]), Field(strict=False, min_length=1)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1)]
HostNames = Annotated[tuple[HostName, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1)]
Ports = Annotated[tuple[Port, ...], BeforeValidator(_many, int | list[int]), Field(strict=False, min_length=1)]


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


class TargetMatch(Section):
    """Which destinations a target covers. Fields that are given must all match; a list matches when one value does."""

    hosts: HostNames | None = Field(None, description="Names that the destination is reached by.")
    addresses: Networks | None = Field(None, description="Addresses or networks in CIDR form.")
    ports: Ports | None = Field(None, description="TCP ports; all when absent.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.hosts and not self.addresses:
            raise ValueError("`hosts` or `addresses` is needed")
        return self


class TargetEntry(Section):
    """A destination that actors may be let through to."""

    name: Name = Field(description="What rules call this target.")
    protocol: Literal["postgres"] = Field(description="What is spoken there.")
    match: TargetMatch = Field(description="Which destinations this is.")
    tls: Tls = Field(Tls.model_validate({}), description="Protection of the upstream leg; default verify-full.")
    credential: Name | None = Field(
        None, description="Credential to log in with; without one the client's own authentication is relayed."
    )
    client_auth: ClientAuth = Field(
        ClientAuth.TRUST,
        description="trust: clients are let in at once, the kernel says who they are; scram: with a placeholder.",
    )
    placeholder_password: SecretFile | None = Field(
        None, description="Where the password is that clients show under `client_auth: scram`; the server's it is not."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.client_auth is ClientAuth.SCRAM) != (self.placeholder_password is not None):
            raise ValueError("`client_auth: scram` and `placeholder_password` go together")
        if self.client_auth is ClientAuth.SCRAM and self.credential is None:
            raise ValueError("`client_auth: scram` needs a `credential`: the placeholder is no password of the server")
        return self


class Conditions(Section):
    """What a statement does. For allow and observe all that it does must be covered; for deny and approve one thing in
    each given list is enough, and the lists given must all match."""

    kinds: Kinds | None = Field(
        None,
        description=f"Statement kinds, or groups: any, {', '.join(GROUPS)}. Required for allow, approve and observe.",
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

    @property
    def empty(self) -> bool:
        """Whether no condition is given."""
        return not (self.kinds or self.relations or self.functions or self.settings)


class ApproveConditions(Conditions, Terms):
    """What a human is asked about, and on which terms: one thing in each given list is enough, as for deny. Where no
    allow covers all that the statement does, these conditions must."""


class Rule(Section):
    """One rule. Exactly one of allow, deny, approve and observe says what it does."""

    name: Name = Field(description="Stands in errors and events.")
    actors: Names = Field(description="Classes of actors, or `*` for all that are governed.")
    targets: Names = Field(description="Targets, or `*` for all.")
    allow: Conditions | None = Field(None, description="Let such statements through.")
    deny: Conditions | None = Field(None, description="Refuse such statements, whatever else allows them.")
    approve: ApproveConditions | None = Field(
        None, description="Hold such statements until a human has let them through, whatever else allows them."
    )
    observe: Conditions | None = Field(
        None, description="Let such statements through where no rule allows them, recorded as would-have-been-denied."
    )
    reason: Annotated[str, Field(strict=True, max_length=500)] = Field(
        "", description="Told to the client when this rule denies or holds."
    )
    mode: Mode | None = Field(
        None, description="For deny and approve: carried out or only recorded; default the policy's mode."
    )

    @property
    def effect(self) -> Literal["allow", "deny", "approve", "observe"]:
        """Which of the four it is."""
        return "allow" if self.allow else "deny" if self.deny else "approve" if self.approve else "observe"

    @property
    def conditions(self) -> Conditions:
        """The conditions of its effect."""
        conditions = self.allow or self.deny or self.approve or self.observe
        assert conditions is not None
        return conditions

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(c is not None for c in (self.allow, self.deny, self.approve, self.observe)) != 1:
            raise ValueError("exactly one of `allow`, `deny`, `approve` and `observe` is needed")
        if self.conditions.empty:
            raise ValueError(f"`{self.effect}` has no condition: `kinds: any` means everything")
        if self.deny is None and not self.conditions.kinds:
            raise ValueError(f"`{self.effect}` needs `kinds` (`any` for all)")
        if self.deny is None and self.approve is None and self.mode is not None:
            raise ValueError("`mode` goes with `deny` and `approve`: nothing else is carried out or not")
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
    what: Measure = Field(description="statements, rows (returned or changed), bytes (of results), errors.")
    max: Annotated[int, Field(strict=True, ge=0, lt=1 << 53)] = Field(description="How many are let through.")
    per: SpanOrRun = Field(
        description="minute, hour, day, a span such as 90s, or `run` (as long as the cgroup is in use)."
    )
    by: Literal["actor", "class"] = Field(
        "actor", description="What is counted apart: each systemd unit (else cgroup), or all these actors together."
    )
    kinds: Kinds | None = Field(None, description="Count only statements of one of these kinds; all when absent.")
    relations: QualifiedGlobs | None = Field(
        None, description="Count only statements that touch one of these relations; all when absent."
    )
    then: Literal["deny", "approve"] = Field("deny", description="What is done with what goes beyond.")
    terms: Terms | None = Field(None, description="With `then: approve`: on what a human may let it through.")

    @property
    def window(self) -> int | None:
        """Seconds until it starts anew; None for a run."""
        return None if self.per == RUN else seconds(self.per)

    @model_validator(mode="after")
    def _check(self) -> Self:
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
