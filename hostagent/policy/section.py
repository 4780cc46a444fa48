"""What every part of a policy file is made of: the base of its mappings, and the forms of plain values in them."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Strict = Field(strict=True)


def _absolute(value: str) -> str:
    if not value.startswith("/") or not value.isprintable():
        raise ValueError("an absolute path is needed")
    return value


def _host(value: str) -> str:
    if not value.isascii() or not value.replace("-", "").replace(".", "").replace("_", "").isalnum():
        raise ValueError("a host name is needed, without patterns; addresses go under `addresses`")
    return value.lower().rstrip(".")


Name = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
AbsolutePath = Annotated[str, Strict, AfterValidator(_absolute)]
HostName = Annotated[str, Strict, AfterValidator(_host)]


class Section(BaseModel):
    """A mapping of a policy file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    refused_keys: ClassVar[dict[str, str]] = {}
