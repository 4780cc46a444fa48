"""Detectors: what is looked for in the text of results, for whom, and what is done with what is found.

A second net. The control over a column is its mask; what a detector finds is what nobody knew to be there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from hostagent.content.patterns import NAMES
from hostagent.policy.problems import near
from hostagent.policy.section import Name, Section, Strict

ANY = "*"


def _many(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _known(value: str) -> str:
    if value not in NAMES:
        raise PydanticCustomError(
            "detector",
            "unknown detector `{word}`",
            {"word": value[:64], "fix": near(value, NAMES) or f"known: {', '.join(NAMES)}"},
        )
    return value


NameOrAny = Annotated[str, Field(strict=True, pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9_.-]{0,62})$")]
Names = Annotated[tuple[NameOrAny, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1)]
DetectorName = Annotated[str, Strict, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": sorted(NAMES)})]
DetectorNames = Annotated[
    tuple[DetectorName, ...], BeforeValidator(_many, DetectorName | list[DetectorName]),
    Field(strict=False, min_length=1),
]  # fmt: skip


class DetectorEntry(Section):
    """What is looked for in the text of results. Where several entries name a detector, `redact` wins."""

    name: Name = Field(description="Stands in the policy alone; events name the detectors.")
    targets: Names = Field(description="Targets, or `*` for all.")
    detect: DetectorNames = Field(description="Which detectors.")
    then: Literal["redact", "observe"] = Field(
        "redact", description="redact: overwritten with as many `*` and counted; observe: only counted."
    )
    actors: Names = Field(
        (ANY,), description="Classes of actors whose results are looked through; default everybody's."
    )
    except_actors: Names | None = Field(None, description="Classes of actors whose results are not.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.except_actors is not None and ANY in self.except_actors:
            raise ValueError("`except_actors: *` would be a detector for nobody: leave it out")
        return self

    def applies(self, actors: frozenset[str], target: str) -> bool:
        """Whether it holds for an actor of these classes at a target. An exception wins."""
        if ANY not in self.targets and target not in self.targets:
            return False
        if not actors.isdisjoint(self.except_actors or ()):
            return False
        return ANY in self.actors or not actors.isdisjoint(self.actors)


@dataclass(frozen=True, slots=True)
class Detectors:
    """Names of detectors, in the order of `patterns.NAMES`; none is in both."""

    redact: tuple[str, ...] = ()
    observe: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self.redact or self.observe)


def detectors_for(entries: tuple[DetectorEntry, ...], actors: frozenset[str], target: str) -> Detectors:
    """What is looked for in the results of an actor of these classes at a target."""
    redact: set[str] = set()
    named: set[str] = set()
    for entry in entries:
        if entry.applies(actors, target):
            named.update(entry.detect)
            if entry.then == "redact":
                redact.update(entry.detect)
    return Detectors(
        tuple(name for name in NAMES if name in redact),
        tuple(name for name in NAMES if name in named and name not in redact),
    )
