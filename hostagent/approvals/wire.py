"""A request between worker and supervisor, as JSON values. Times, worker and terms are not in it: they are ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hostagent.approvals.values import Asked, Bound, Requester
from hostagent.values.actor import Actor

MAX_RULES = 16  # that ask about one statement
MAX_TARGET = 64  # characters of a target's name
_FORMS = ("text", "hex", "null")


class Held(NamedTuple):
    """A request that a worker holds. `template` is its text with literals taken out, or the text itself; `what` is what
    humans call it."""

    id: str
    flow: str
    actor: Actor
    target: str
    text: str
    values: tuple[Bound, ...]
    template: str
    rules: tuple[str, ...]
    cancel_keys: tuple[str, ...] = ()
    what: str = "statement"


def to_json(held: Held) -> dict[str, Any]:
    """Plain JSON values; `asked_from` takes them."""
    return {**held._asdict(), "actor": held.actor.to_json(), "values": [[*bound] for bound in held.values]}


def asked_from(args: dict[str, Any], worker: str, asked_at: float, expires_at: float) -> Asked:
    """The request that `to_json` described. Raises KeyError, TypeError or ValueError on another shape."""
    return Asked(
        id=_text(args["id"], 64),
        worker=worker,
        flow=_text(args["flow"], 64),
        requester=Requester.of(Actor.from_json(args["actor"])),
        target=_text(args["target"], MAX_TARGET),
        text=_text(args["text"]),
        values=tuple(_bound(pair) for pair in args["values"]),
        template=_text(args["template"]),
        rules=rules_of(args),
        asked_at=asked_at,
        expires_at=expires_at,
        cancel_keys=frozenset(_text(key, 128) for key in args["cancel_keys"]),
        what=_text(args["what"], 32),
    )


def rules_of(args: dict[str, Any]) -> tuple[str, ...]:
    """The names of the rules and limits that ask. Raises KeyError, TypeError or ValueError."""
    rules = tuple(_text(rule, 63) for rule in args["rules"])
    if not 0 < len(rules) <= MAX_RULES:
        raise ValueError(f"a request names 1 to {MAX_RULES} rules")
    return rules


def _bound(pair: Sequence[object]) -> Bound:
    form, value = pair
    if form not in _FORMS:
        raise ValueError("a bound value is text, hex or null")
    return Bound(str(form), _text(value))


def _text(value: object, most: int | None = None) -> str:
    if not isinstance(value, str) or (most is not None and len(value) > most):
        raise ValueError("a text is needed, of a bounded length")
    return value
