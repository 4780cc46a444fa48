"""What is wrong with an operator's file: pydantic's findings as FileErrors, each with its place and a near miss."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hostagent.errors import FileError, Location

Path_ = tuple[str | int, ...]

_WORDING = {
    "missing": "is missing",
    "string_type": "a text is needed",
    "int_type": "a whole number is needed",
    "bool_type": "true or false is needed",
    "tuple_type": "a list is needed",
    "list_type": "a list is needed",
    "dict_type": "a mapping is needed",
    "model_type": "a mapping is needed",
    "model_attributes_type": "a mapping is needed",
    "string_pattern_mismatch": "a name is at most 63 letters, digits, `.`, `_` and `-`",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


class FileErrors(FileError):
    """One or more errors of one or more files; `errors` has them all, the text is theirs, one after the other."""

    def __init__(self, errors: Sequence[FileError]) -> None:
        first = errors[0]
        super().__init__(first.where, first.what, first.fix)
        self.errors = tuple(errors)
        self.args = ("\n".join(str(error) for error in errors),)


@dataclass(slots=True)
class Positions:
    """Where values and keys of a file stand, by their path, such as `("rules", 3, "allow")`."""

    file: str
    value: dict[Path_, Location] = field(default_factory=dict)
    key: dict[Path_, Location] = field(default_factory=dict)

    def at(self, path: Path_) -> Location:
        """The place of a value, or of the nearest thing around it."""
        return self._nearest(self.value, path)

    def at_key(self, path: Path_) -> Location:
        """The place of a key, or of the nearest value around it."""
        return self.key.get(path) or self._nearest(self.value, path)

    def error(self, path: Path_, what: str, fix: str = "") -> FileError:
        """A FileError about the value at that path."""
        return FileError(self.at(path), f"{dotted(path)}: {what}" if path else what, fix)

    def _nearest(self, places: dict[Path_, Location], path: Path_) -> Location:
        for length in range(len(path), -1, -1):
            if path[:length] in places:
                return places[path[:length]]
        return Location(self.file)


def dotted(path: Path_) -> str:
    """`rules[3].allow.kinds[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def near(word: str, known: Iterable[str]) -> str:
    """`did you mean "select"?`, or the known words when they are few and none is near, or nothing."""
    words = sorted(known)
    if close := difflib.get_close_matches(word, words, 1, 0.6):
        return f'did you mean "{close[0]}"?'
    return f"known: {', '.join(words)}" if 0 < len(words) <= 12 else ""


def describe(error: ValidationError, model: type[BaseModel], positions: Positions) -> list[FileError]:
    """Pydantic's findings, in the order of the file, without pydantic's words for Python programmers."""
    found = [_one(details, model, positions) for details in error.errors(include_url=False)]
    return sorted(found, key=lambda e: (e.where.line, e.where.column))


def _one(details: ErrorDetails, model: type[BaseModel], positions: Positions) -> FileError:
    path: Path_ = tuple(details["loc"])
    kind = details["type"]
    if kind == "extra_forbidden":
        return _unknown_key(path, model, positions)
    what, fix = _WORDING.get(kind, details["msg"].removeprefix("Value error, ")), ""
    context = details.get("ctx", {})
    if kind in ("enum", "literal_error"):
        what, fix = _not_one_of(details["input"], str(context["expected"]))
    elif kind == "missing":
        what, path = f"`{path[-1]}` is missing", path[:-1]
    elif "fix" in context:
        fix = str(context["fix"])
    return positions.error(path, what, fix)


def _unknown_key(path: Path_, model: type[BaseModel], positions: Positions) -> FileError:
    owner, key = _model_at(model, path[:-1]), str(path[-1])
    refused: dict[str, str] = getattr(owner, "refused_keys", {})
    what = refused.get(key, f"unknown key `{key}`")
    fix = "" if key in refused or owner is None else near(key, (f.alias or n for n, f in owner.model_fields.items()))
    return FileError(positions.at_key(path), f"{dotted(path)}: {what}", fix)


def _not_one_of(given: object, expected: str) -> tuple[str, str]:
    words = re.findall(r"'([^']*)'", expected)
    if not words:
        return f"must be {expected}", ""
    if not isinstance(given, str):
        return "a text is needed", f"known: {', '.join(words)}"
    return f"unknown word `{given[:64]}`", near(given, words)


def _model_at(annotation: Any, path: Path_) -> type[BaseModel] | None:
    """The model that stands at that path of an annotation, or None."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _model_at(arguments[0], path)
    if origin in (Union, types.UnionType):
        return next((m for a in arguments if (m := _model_at(a, path)) is not None), None)
    if origin in (tuple, list) and path:
        return _model_at(arguments[0], path[1:])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not path:
            return annotation
        for name, info in annotation.model_fields.items():
            if path[0] in (name, info.alias):
                return _model_at(info.annotation, path[1:])
    return None
