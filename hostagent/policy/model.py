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
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from hostagent.policy import glob
from hostagent.policy.groups import GROUPS, KIND_WORDS
from hostagent.policy.problems import near
from hostagent.values.actor import Grade
from hostagent.values.target import UpstreamTls

ANY = "*"
Strict = Field(strict=True)


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


def _absolute(value: str) -> str:
    if not value.startswith("/") or not value.isprintable():
        raise ValueError("an absolute path is needed")
    return value


def _host(value: str) -> str:
    if not value.isascii() or not value.replace("-", "").replace(".", "").replace("_", "").isalnum():
        raise ValueError("a host name is needed, without patterns; addresses go under `addresses`")
    return value.lower().rstrip(".")


Name = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
NameOrAny = Annotated[str, Field(strict=True, pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9_.-]{0,62})$")]
Word = Annotated[str, Strict, AfterValidator(glob.check_word)]
PathGlob = Annotated[str, Strict, AfterValidator(glob.check_path)]
KindWord = Annotated[
    str, Strict, AfterValidator(_kind_word), WithJsonSchema({"type": "string", "enum": sorted(KIND_WORDS)})
]
QualifiedGlob = Annotated[str, Strict, AfterValidator(_qualified)]
Network = Annotated[str, Strict, AfterValidator(_network)]
AbsolutePath = Annotated[str, Strict, AfterValidator(_absolute)]
HostName = Annotated[str, Strict, AfterValidator(_host)]
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


class Section(BaseModel):
    """A mapping of a policy file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    refused_keys: ClassVar[dict[str, str]] = {}


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


class Tls(Section):
    """How the upstream leg is protected."""

    upstream: UpstreamTls = Field(
        UpstreamTls.VERIFY_FULL, description="verify-full: chain and name; verify-ca: chain only; off: plaintext."
    )
    ca_file: AbsolutePath | None = Field(None, description="CA certificates; default the system's trust store.")
    server_name: HostName | None = Field(None, description="Name that the upstream certificate must carry.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.upstream is UpstreamTls.OFF and (self.ca_file or self.server_name):
            raise ValueError("`upstream: off` verifies nothing: leave out ca_file and server_name")
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


_NO_SECRETS = "a secret never stands in a policy file or the environment: give `file:` or `systemd:`"


class CredentialEntry(Section):
    """What the upstream leg logs in with. The secret is in a file or handed over by systemd, never in the policy."""

    refused_keys: ClassVar[dict[str, str]] = dict.fromkeys(("secret", "password", "value", "env", "token"), _NO_SECRETS)

    name: Name = Field(description="What targets call this credential.")
    user: Annotated[str, Field(strict=True, min_length=1, max_length=63)] = Field(description="Role to log in as.")
    file: AbsolutePath | None = Field(None, description="File that holds the secret.")
    systemd: Name | None = Field(None, description="Name of a LoadCredential= of hostagentd's unit.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.file is None) == (self.systemd is None):
            raise ValueError("exactly one of `file` and `systemd` is needed")
        return self


class Conditions(Section):
    """What a statement does. For allow and observe all that it does must be covered; for deny one thing in each given
    list is enough, and the lists given must all match."""

    kinds: Kinds | None = Field(
        None,
        description=f"Statement kinds, or groups: any, {', '.join(GROUPS)}. Required for allow and observe.",
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


class Rule(Section):
    """One rule. Exactly one of allow, deny and observe says what it does."""

    name: Name = Field(description="Stands in errors and events.")
    actors: Names = Field(description="Classes of actors, or `*` for all that are governed.")
    targets: Names = Field(description="Targets, or `*` for all.")
    allow: Conditions | None = Field(None, description="Let such statements through.")
    deny: Conditions | None = Field(None, description="Refuse such statements, whatever else allows them.")
    observe: Conditions | None = Field(
        None, description="Let such statements through where no rule allows them, recorded as would-have-been-denied."
    )
    reason: Annotated[str, Field(strict=True, max_length=500)] = Field(
        "", description="Told to the client when this rule denies."
    )
    mode: Mode | None = Field(None, description="For deny: carried out or only recorded; default the policy's mode.")

    @property
    def effect(self) -> Literal["allow", "deny", "observe"]:
        """Which of the three it is."""
        return "allow" if self.allow else "deny" if self.deny else "observe"

    @property
    def conditions(self) -> Conditions:
        """The conditions of its effect."""
        conditions = self.allow or self.deny or self.observe
        assert conditions is not None
        return conditions

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(c is not None for c in (self.allow, self.deny, self.observe)) != 1:
            raise ValueError("exactly one of `allow`, `deny` and `observe` is needed")
        if self.conditions.empty:
            raise ValueError(f"`{self.effect}` has no condition: `kinds: any` means everything")
        if self.deny is None and not self.conditions.kinds:
            raise ValueError(f"`{self.effect}` needs `kinds` (`any` for all)")
        if self.deny is None and self.mode is not None:
            raise ValueError("`mode` goes with `deny`: nothing else is carried out or not")
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

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` gives the policy back."""
        return self.file.model_dump(mode="json", exclude_unset=True)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Policy:
        """The policy that `to_json` described. Raises ValueError on another shape."""
        return cls.of(PolicyFile.model_validate_json(json.dumps(data)))
