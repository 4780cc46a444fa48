"""Terms: on what a human may let a held statement through. The part of `approve` rules and limits that is about people.

The same shape serves a rule (beside its conditions) and a limit (under `terms`). `AllTerms` is what holds when several
rules ask at once: all of them must be content.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from hostagent.policy.section import Section
from hostagent.policy.span import seconds

LEAST_WAIT, MOST_WAIT = 10, 24 * 3600  # seconds; no human answers faster, no client waits longer
MOST_GRANT = 24 * 3600  # seconds; what is needed for longer is an allow rule
MOST_APPROVERS = 10
DEFAULT_EXPIRES = "5m"


def _span_between(least: int, most: int, bounds: str) -> AfterValidator:
    def check(text: str) -> str:
        if not least <= seconds(text) <= most:
            raise ValueError(f"must be {bounds}")
        return text

    return AfterValidator(check)


def _many(value: object) -> object:
    return value if isinstance(value, list) else [value]


RUN = "run"  # the span of a limit that lasts as long as the cgroup is in use
_LONGEST = 30 * 86400  # seconds; counts are kept in memory and do not outlive the daemon


def _span_or_run(text: str) -> str:
    if text != RUN and not 1 <= seconds(text) <= _LONGEST:
        raise ValueError("at most 30d")
    return text


_Text = Annotated[str, Field(strict=True)]
Expires = Annotated[_Text, _span_between(LEAST_WAIT, MOST_WAIT, "between 10s and 24h")]
Window = Annotated[_Text, _span_between(1, MOST_GRANT, "at most 24h")]
SpanOrRun = Annotated[_Text, AfterValidator(_span_or_run)]
Account = Annotated[str, Field(strict=True, min_length=1, max_length=255)]
Accounts = Annotated[
    tuple[Account, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1, max_length=100)
]


class Approvers(Section):
    """Who may approve: whoever one of the lists names. Accounts and groups are those of this host."""

    users: Accounts | None = Field(None, description="Names of accounts of this host.")
    groups: Accounts | None = Field(None, description="Names of groups of this host.")
    webhook: Accounts | None = Field(
        None,
        description="Names that an answer through the webhook may claim, or `*`. All of them together count as one "
        "approver: its key is all that is proven.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.users or self.groups or self.webhook):
            raise ValueError("`users`, `groups` or `webhook` is needed")
        return self

    def names(self, name: str, groups: frozenset[str]) -> bool:
        """Whether an account of this host is among them."""
        return name in (self.users or ()) or not groups.isdisjoint(self.groups or ())

    def names_claim(self, name: str) -> bool:
        """Whether a name that the webhook's key holder claims is among them."""
        return self.webhook is not None and ("*" in self.webhook or name in self.webhook)


class Terms(Section):
    """On what a human may let a statement through."""

    approvers: Approvers | None = Field(
        None, description="Who may approve; default every member of the group hostagent-approvers, and no webhook."
    )
    minimum: Annotated[int, Field(strict=True, ge=1, le=MOST_APPROVERS)] = Field(
        1, description="How many different people must approve."
    )
    expires: Expires = Field(DEFAULT_EXPIRES, description="How long the statement is held, 10s to 24h; then denied.")
    reason_required: bool = Field(False, description="Whether who approves must say why.")
    grant: Window | None = Field(
        None, description="Longest window that `approve --for` may open, at most 24h; without it none may be opened."
    )

    def admits(self, name: str, groups: frozenset[str]) -> bool:
        """Whether that account of this host may answer; membership of hostagent-approvers is asked for elsewhere."""
        return self.approvers is None or self.approvers.names(name, groups)

    def admits_claim(self, name: str) -> bool:
        """Whether an answer through the webhook may claim that name."""
        return self.approvers is not None and self.approvers.names_claim(name)


DEFAULT_TERMS = Terms.model_validate({})


class AllTerms:
    """The terms of every rule that asks, together: who answers must be admitted by all of them."""

    __slots__ = ("terms",)

    def __init__(self, terms: Sequence[Terms]) -> None:
        if not terms:
            raise ValueError("nobody asks")
        self.terms = tuple(terms)

    @property
    def minimum(self) -> int:
        """How many different people must approve."""
        return max(terms.minimum for terms in self.terms)

    @property
    def expires(self) -> int:
        """Seconds that the statement is held."""
        return min(seconds(terms.expires) for terms in self.terms)

    @property
    def reason_required(self) -> bool:
        """Whether who approves must say why."""
        return any(terms.reason_required for terms in self.terms)

    @property
    def grant(self) -> int:
        """Seconds of the longest window that may be opened; 0 for none."""
        return min(seconds(terms.grant) if terms.grant else 0 for terms in self.terms)

    def admits(self, name: str, groups: frozenset[str]) -> bool:
        """Whether all of them admit that account."""
        return all(terms.admits(name, groups) for terms in self.terms)

    def admits_claim(self, name: str) -> bool:
        """Whether all of them admit a name that the webhook's key holder claims."""
        return all(terms.admits_claim(name) for terms in self.terms)
