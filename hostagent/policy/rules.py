"""Rules: who may do what where. What, `conditions` say."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from hostagent.policy.conditions import ApproveConditions, Conditions, Effect
from hostagent.policy.fields import Mode, Names
from hostagent.policy.section import Name, Section


class Rule(Section):
    """One rule. Exactly one of allow, deny, approve and observe says what it does."""

    name: Name = Field(description="Stands in errors and events.")
    actors: Names = Field(description="Classes of actors, or `*` for all that are governed.")
    targets: Names = Field(description="Targets, or `*` for all.")
    allow: Conditions | None = Field(None, description="Let that through.")
    deny: Conditions | None = Field(None, description="Refuse that, whatever else allows it.")
    approve: ApproveConditions | None = Field(
        None, description="Hold that until a human has let it through, whatever else allows it."
    )
    observe: Conditions | None = Field(
        None, description="Let that through where no rule allows it, recorded as would-have-been-denied."
    )
    reason: Annotated[str, Field(strict=True, max_length=500)] = Field(
        "", description="Told to the client when this rule denies or holds."
    )
    mode: Mode | None = Field(
        None, description="For deny and approve: carried out or only recorded; default the policy's mode."
    )

    @property
    def effect(self) -> Effect:
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
        if problem := self.conditions.problem(self.effect):
            raise ValueError(f"`{self.effect}`: {problem}")
        if self.deny is None and self.approve is None and self.mode is not None:
            raise ValueError("`mode` goes with `deny` and `approve`: nothing else is carried out or not")
        return self
