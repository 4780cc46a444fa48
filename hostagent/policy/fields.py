"""The plain fields that policy sections share: patterns, kinds, numbers, and lists where one value may stand alone."""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from hostagent.policy import glob
from hostagent.policy.commands import check_command
from hostagent.policy.groups import KIND_WORDS, SSH_WORDS
from hostagent.policy.problems import near
from hostagent.policy.remote import check_destination, check_remote_path
from hostagent.policy.section import HostName, Strict

ANY = "*"
ALL_WORDS = frozenset(KIND_WORDS) | frozenset(SSH_WORDS)


class Mode(StrEnum):
    """Whether a denial is carried out, or only recorded as would-have-been."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


def _many(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _kind_word(value: str) -> str:
    if value not in ALL_WORDS:
        raise PydanticCustomError("kind", "unknown kind `{word}`", {"word": value[:64], "fix": near(value, ALL_WORDS)})
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
    str, Strict, AfterValidator(_kind_word), WithJsonSchema({"type": "string", "enum": sorted(ALL_WORDS)})
]
QualifiedGlob = Annotated[str, Strict, AfterValidator(_qualified)]
RemotePath = Annotated[str, Strict, AfterValidator(check_remote_path)]
CommandText = Annotated[str, Strict, AfterValidator(check_command)]
Destination = Annotated[str, Strict, AfterValidator(check_destination)]
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
RemotePaths = Annotated[
    tuple[RemotePath, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1)
]
Commands = Annotated[
    tuple[CommandText, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1)
]
Destinations = Annotated[
    tuple[Destination, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1)
]
Uids = Annotated[tuple[Uid, ...], BeforeValidator(_many, int | list[int]), Field(strict=False, min_length=1)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1)]
HostNames = Annotated[tuple[HostName, ...], BeforeValidator(_many, str | list[str]), Field(strict=False, min_length=1)]
Ports = Annotated[tuple[Port, ...], BeforeValidator(_many, int | list[int]), Field(strict=False, min_length=1)]
