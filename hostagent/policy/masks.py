"""Masks: which columns nobody, or not these actors, see as they are, and what is shown instead.

A mask is part of the policy, its key is not: the host holds one, and each target's is derived from it. What a mask does
to a statement is hostagent.sql.masking's affair; here is who has which.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from hostagent.policy import glob
from hostagent.policy.section import Name, Section, Strict
from hostagent.sql.masking.values import Mask, MaskKind

ANY = "*"
MAX_SHOWN = 32  # characters of a value that PARTIAL shows at either end


def _many(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _parts(value: str, count: int, form: str) -> str:
    glob.check_word(value)
    if value.count(".") != count - 1 or not all(value.split(".")):
        raise PydanticCustomError("qualified", "`{word}` is not {form}", {"word": value[:128], "form": form, "fix": ""})
    return value


def _column(value: str) -> str:
    return _parts(value, 3, "schema.table.column")


def _function(value: str) -> str:
    return _parts(value, 2, "schema.function")


NameOrAny = Annotated[str, Field(strict=True, pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9_.-]{0,62})$")]
Names = Annotated[tuple[NameOrAny, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1)]
ColumnGlob = Annotated[str, Strict, AfterValidator(_column)]
ColumnGlobs = Annotated[
    tuple[ColumnGlob, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1)
]
FunctionGlob = Annotated[str, Strict, AfterValidator(_function)]
FunctionGlobs = Annotated[tuple[FunctionGlob, ...], BeforeValidator(_many, str | list[str]), Field(strict=False)]
Shown = Annotated[int, Field(strict=True, ge=0, le=MAX_SHOWN)]


class Partial(Section):
    """Which characters of a value are shown. Whoever can ask can search by them: choose few."""

    first: Shown = Field(0, description="Characters shown at the beginning.")
    last: Shown = Field(0, description="Characters shown at the end.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.first + self.last == 0:
            raise ValueError("`partial` shows nothing: give `first` or `last`, or use `mask: redact`")
        return self


class MaskEntry(Section):
    """Columns that are masked, and how. Exactly one of `mask` and `partial` says what is shown instead of a value."""

    refused_keys: ClassVar[dict[str, str]] = dict.fromkeys(
        ("key", "salt", "secret"),
        "a key never stands in a policy file: the host has one, of which each target's is made",
    )

    name: Name = Field(description="Stands in errors and events.")
    targets: Names = Field(description="Targets, or `*` for all.")
    columns: ColumnGlobs = Field(description="schema.table.column patterns.")
    mask: Literal["redact", "null", "hash", "format"] | None = Field(
        None,
        description="redact: a constant; null; hash: keyed, equal values stay equal; format: 000-00-0000, its shape.",
    )
    partial: Partial | None = Field(None, description="Or: the first and last characters, stars between them.")
    actors: Names = Field((ANY,), description="Classes of actors that it holds for; default everybody.")
    except_actors: Names | None = Field(None, description="Classes of actors that see the values as they are.")
    functions: FunctionGlobs = Field(
        (),
        description="schema.function patterns of functions that read none of these columns: they may be called.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.mask is None) == (self.partial is None):
            raise ValueError("exactly one of `mask` and `partial` is needed")
        if self.except_actors is not None and ANY in self.except_actors:
            raise ValueError("`except_actors: *` would be a mask for nobody: leave the mask out")
        return self

    def applies(self, actors: frozenset[str], target: str) -> bool:
        """Whether it holds for an actor of these classes at a target. An exception wins."""
        if ANY not in self.targets and target not in self.targets:
            return False
        if not actors.isdisjoint(self.except_actors or ()):
            return False
        return ANY in self.actors or not actors.isdisjoint(self.actors)

    def value(self) -> Mask:
        """The mask, without who has it."""
        kind = MaskKind.PARTIAL if self.mask is None else MaskKind(self.mask)
        shown = self.partial or Partial.model_construct(first=0, last=0)
        return Mask(self.name, kind, self.columns, shown.first, shown.last, self.functions)


def masks_for(entries: tuple[MaskEntry, ...], actors: frozenset[str], target: str) -> tuple[Mask, ...]:
    """The masks of an actor of these classes at a target, in the order of the files. None: nothing is rewritten."""
    return tuple(entry.value() for entry in entries if entry.applies(actors, target))
