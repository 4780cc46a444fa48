"""YAML files of an operator: text → plain data with positions → a pydantic model, or errors that say file:line:col.

Not a general YAML reader. Three rules:

1. A plain scalar is a string unless it is `true`, `false`, `null`, `~`, empty or a decimal number. `no`, `on` and dates
   are strings; `010` and `0x1F`, which readers disagree about, are refused. So are tags, anchors, aliases, merge keys,
   duplicate keys and a second document.
2. Everything is bounded before it is built: bytes, nodes, depth.
3. All that is wrong with a file is reported, not only the first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from hostagent.errors import FileError, Location
from hostagent.policy.problems import FileErrors, Path_, Positions, describe

MAX_BYTES = 1 << 20  # a policy of thousands of rules is a tenth of it
MAX_NODES = 100_000  # what a megabyte of ordinary policy holds
MAX_DEPTH = 20  # our deepest model has six levels

Data = dict[str, "Data"] | list["Data"] | str | int | float | bool | None
Model = TypeVar("Model", bound=BaseModel)

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}")
_DISPUTED = re.compile(r"[-+]?0[0-9xXoObB][0-9A-Fa-f_]*|[-+]?[0-9][0-9_]*_[0-9_]*")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


def read_model(path: Path, model: type[Model]) -> Model:
    """The model that a file holds. Raises FileErrors (a FileError) with everything that is wrong."""
    return read_with_positions(path, model)[0]


def read_with_positions(path: Path, model: type[Model]) -> tuple[Model, Positions]:
    """As `read_model`, and where each value of it stands in the file."""
    return model_of(read_text(path), str(path), model)


def read_text(path: Path) -> str:
    """The text of a file. Raises FileErrors when it cannot be read, is too large or is not UTF-8."""
    where = Location(str(path))
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise FileErrors([FileError(where, f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FileErrors([FileError(Location(str(path), line), "not UTF-8 text")]) from None
    if len(raw) > MAX_BYTES:
        raise FileErrors([FileError(where, f"larger than {MAX_BYTES} bytes", "split it into several files")])
    return text


def model_of(text: str, file: str, model: type[Model]) -> tuple[Model, Positions]:
    """The model that YAML text describes. Raises FileErrors; `file` is its name in them."""
    data, positions = parse(text, file)
    try:
        return model.model_validate_json(json.dumps(data)), positions
    except ValidationError as error:
        raise FileErrors(describe(error, model, positions)) from None


def parse(text: str, file: str) -> tuple[Data, Positions]:
    """Plain data and the position of every value and key in it. Raises FileErrors."""
    reader = _Reader(file)
    try:
        return reader.document(YAML(typ="safe", pure=True).parse(text)), reader.positions
    except FileError:
        raise
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = reader.where(mark) if mark is not None else Location(file)
        raise FileErrors([FileError(where, f"not YAML: {error.problem or error.context}")]) from None
    except YAMLError as error:
        raise FileErrors([FileError(Location(file), f"not YAML: {str(error).splitlines()[0]}")]) from None
    except Exception as error:  # the scanner lets ValueError and others escape on odd input
        raise FileErrors([FileError(reader.last, f"not YAML: {error}")]) from error


class _Reader:
    """Builds data from parser events; depth and size are checked as it goes."""

    def __init__(self, file: str) -> None:
        self.positions = Positions(file)
        self.last = Location(file)
        self._nodes = 0

    def where(self, mark: StringMark) -> Location:
        return Location(self.positions.file, mark.line + 1, mark.column + 1)

    def document(self, events: Iterator[Event]) -> Data:
        data: Data = None
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, "a second document", "use a file of its own for each")
            elif isinstance(event, NodeEvent):
                data = self._node(event, events, ())
            elif isinstance(event, StreamEndEvent):
                break
        if documents == 0:
            raise FileErrors([FileError(Location(self.positions.file), "the file is empty")])
        return data

    def _node(self, event: NodeEvent, events: Iterator[Event], path: Path_) -> Data:
        self.last = self.where(event.start_mark)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._refuse(event, f"more than {MAX_NODES} values")
        if len(path) > MAX_DEPTH:
            self._refuse(event, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, AliasEvent) or event.anchor is not None:
            self._refuse(event, "anchors and aliases are not allowed", 'quote what begins with * or &: "*.name"')
        assert isinstance(event, ScalarEvent | SequenceStartEvent | MappingStartEvent)
        if event.tag is not None:
            self._refuse(event, f"the tag {event.tag} is not allowed", "leave it out")
        self.positions.value[path] = self.last
        if isinstance(event, ScalarEvent):
            return self._scalar(event)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(events, path)
        return self._mapping(events, path)

    def _sequence(self, events: Iterator[Event], path: Path_) -> Data:
        items: list[Data] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            items.append(self._node(_value(event), events, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[Event], path: Path_) -> Data:
        items: dict[str, Data] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                self._refuse(event, "a key must be a word")
            key = event.value
            where = self.where(event.start_mark)
            if event.anchor is not None or event.tag is not None or key == "<<":
                self._refuse(event, "anchors, tags and merge keys are not allowed", "write the values out")
            if key in items:
                first = self.positions.key[(*path, key)]
                self._refuse(event, f"duplicate key `{key}`", f"the first one is at line {first.line}: keep one")
            self._check_text(event)
            self.positions.key[(*path, key)] = where
            items[key] = self._node(_value(next(events)), events, (*path, key))
        return items

    def _scalar(self, event: ScalarEvent) -> Data:
        self._check_text(event)
        text: str = event.value
        if not event.implicit[0]:
            return text  # quoted, or a block
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        if _DISPUTED.fullmatch(text):
            self._refuse(event, f"`{text}` is a number to some readers only", f'write it in decimal, or as "{text}"')
        return text

    def _check_text(self, event: ScalarEvent) -> None:
        if any("\ud800" <= c <= "\udfff" for c in event.value):
            self._refuse(event, "half a surrogate pair is not a character")

    def _refuse(self, event: Event, what: str, fix: str = "") -> NoReturn:
        raise FileErrors([FileError(self.where(event.start_mark), what, fix)])


def _value(event: Event) -> NodeEvent:
    assert isinstance(event, NodeEvent)
    return event
