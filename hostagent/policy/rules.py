"""Rules: who may do what where, and the conditions that say what."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hostagent.policy.fields import Kinds, Mode, Names, QualifiedGlobs, Words
from hostagent.policy.groups import GROUPS
from hostagent.policy.section import Name, Section
from hostagent.policy.terms import Terms


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
