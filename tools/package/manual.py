"""The manual pages: prose written by hand (packaging/man), and for its `@NAME@` lines what programs themselves say.

@COMMANDS@        of hostagent(1): every command, its synopsis and options, from the parser tree
@OPTIONS@         of hostagentd(8): the same of the daemon's parser
@CONFIGURATION@   of hostagentd(8): every key of hostagent.yaml, from its model
@POLICY@          of hostagent-policy(5): every key of a policy file, from the JSON Schema that editors use
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import hostagent
from hostagent.cli.main import parser as cli_parser
from hostagent.daemon.app import parser as daemon_parser
from hostagent.daemon.config import Config
from hostagent.policy.schema import policy_schema
from tools.package.description import PACKAGING

if TYPE_CHECKING:
    from tools.package.tree import Tree

PAGES = ("hostagent.1", "hostagentd.8", "hostagent-policy.5")


def stage(tree: Tree, seconds: int) -> None:
    """Put the pages where man(1) looks for them."""
    for name in PAGES:
        section = name.rpartition(".")[2]
        tree.put(f"usr/share/man/man{section}/{name}.gz", gzip.compress(page(name, seconds).encode(), mtime=0))


def page(name: str, seconds: int = 0) -> str:
    """One page as roff, with what is generated in it."""
    text = (PACKAGING / "man" / name).read_text()
    day = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    text = text.replace("@DATE@", day).replace("@VERSION@", hostagent.__version__)
    return re.sub(r"^@([A-Z]+)@\n", lambda found: _PARTS[found.group(1)](), text, flags=re.MULTILINE)


def _commands() -> str:
    return "".join(_command(cli_parser(), (), top=True))


def _options() -> str:
    return "".join(_arguments(daemon_parser()))


def _configuration() -> str:
    schema = Config.model_json_schema(by_alias=True)
    return "".join(_model(schema, schema["$defs"], ""))


def _policy() -> str:
    schema = policy_schema()
    parts = [f".SS Keys of the file\n{''.join(_model(schema, schema['$defs'], '', deep=False))}"]
    for name, section in schema["properties"].items():
        if "$ref" in (items := section.get("items", {})):
            entry = _resolved(items, schema["$defs"])
            parts.append(f".SS {_escaped(name)}\n{_said(entry)}{''.join(_model(entry, schema['$defs'], ''))}")
    return "".join(parts)


def _command(parser: argparse.ArgumentParser, words: tuple[str, ...], top: bool = False) -> Iterator[str]:
    children = _children(parser)
    if not top:
        yield f".SS {_escaped(' '.join(words))}\n"
        yield f".B {_escaped(' '.join(parser.format_usage().removeprefix('usage: ').split()))}\n.PP\n"
    yield from _arguments(parser)
    for name, help_text, child in children:
        if not top:
            yield f".TP\n.B {_escaped(name)}\n{_line(help_text)}"
        else:
            yield from _told(child, help_text, (name,))
    if not top:
        for name, help_text, child in children:
            yield from _told(child, help_text, (*words, name))


def _told(child: argparse.ArgumentParser, help_text: str, words: tuple[str, ...]) -> Iterator[str]:
    head, *rest = _command(child, words)
    yield f"{head}{_line(help_text.capitalize())}.PP\n"
    yield from rest


def _children(parser: argparse.ArgumentParser) -> list[tuple[str, str, argparse.ArgumentParser]]:
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            help_of = {choice.dest: choice.help or "" for choice in action._choices_actions}
            found += [(name, help_of.get(name, ""), child) for name, child in action.choices.items()]
    return found


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction | argparse._HelpAction) or action.help == argparse.SUPPRESS:
            continue
        value = "" if action.nargs == 0 else f" \\fI{_escaped(_value_name(action))}\\fR"
        head = ", ".join(f"\\fB{_escaped(option)}\\fR" for option in action.option_strings) + value
        yield f".TP\n{head.strip()}\n{_line((action.help or '') % _fillings(action))}"


def _fillings(action: argparse.Action) -> dict[str, Any]:
    return vars(action) | {"prog": "hostagent"}


def _value_name(action: argparse.Action) -> str:
    if isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    if action.choices is not None and action.metavar is None:
        return "|".join(map(str, action.choices))
    return action.metavar or (action.dest.upper() if action.option_strings else action.dest)


def _model(schema: dict[str, Any], defs: dict[str, Any], above: str, deep: bool = True) -> Iterator[str]:
    """One paragraph for each key; keys of keys as `outer.inner`."""
    required = schema.get("required", ())
    for key, field in schema.get("properties", {}).items():
        name = f"{above}{key}"
        default = field.get("default")
        notes = ["required"] if key in required else []
        if default not in (None, [], {}) and not isinstance(default, dict):
            notes.append(f"default {json.dumps(default, ensure_ascii=False)}")
        inner = _inner(field, defs)
        text = field.get("description") or inner.get("description", "")
        if "enum" in (kind := _inner(field, defs, "enum")):
            notes.append("one of " + ", ".join(map(str, kind["enum"])))
        told = f" ({'; '.join(notes)})" if notes else ""
        yield f".TP\n\\fB{_escaped(name)}\\fR{_escaped(told)}\n{_line(text)}"
        if deep and inner:
            yield from _model(inner, defs, f"{name}.")


def _inner(field: dict[str, Any], defs: dict[str, Any], holding: str = "properties") -> dict[str, Any]:
    """The first schema behind a field, through references, alternatives and lists, that holds `holding`."""
    field = _resolved(field, defs)
    if holding in field:
        return field
    for part in (*field.get("anyOf", ()), *field.get("oneOf", ()), *field.get("allOf", ()), field.get("items", {})):
        if part and (found := _inner(part, defs, holding)):
            return found
    return {}


def _resolved(field: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = defs[field["$ref"].rpartition("/")[2]] if "$ref" in field else field
    return found


def _said(schema: dict[str, Any]) -> str:
    return f"{_line(schema['description'])}.PP\n" if "description" in schema else ""


def _line(text: str) -> str:
    """Text as one line of roff; a paragraph of its own is kept a paragraph."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return "\n.IP\n".join(_escaped(part) for part in paragraphs if part) + "\n"


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text[:1] in (".", "'") else text


_PARTS = {"COMMANDS": _commands, "OPTIONS": _options, "CONFIGURATION": _configuration, "POLICY": _policy}
