"""`hostagent policy replay`: what past decisions would be under another policy. Reads the state directory, changes
nothing.

Exit codes: 0 every decision would be the same, 1 some would be another, 65 the policy is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hostagent.cli.events import open_index, since
from hostagent.cli.output import add_output, console, print_json, print_table, styled
from hostagent.recording.directory import DEFAULT_STATE, Directory
from hostagent.recording.store import Filter, Store

if TYPE_CHECKING:
    from hostagent.policy.replay import Change, Past, Replayed

LIMIT = 200_000  # decisions, the newest: some 300 MB of rows
_COLUMNS = ("was", "would be", "count", "at", "for", "rule now", "such as")
_SHOWN = 80  # characters of an example


def register(actions: Any) -> None:
    """Add the action."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "replay", help="decide past requests again by another policy, and say what would change"
    )
    parser.add_argument("policy", type=Path, help="directory or file of the policy to try")
    parser.add_argument("--since", type=since, default=0, metavar="AGO", help="such as 90s, 15m, 1h, 7d")
    parser.add_argument("--target", default="", help="name of a target")
    parser.add_argument("--actor", default="", help="part of a user, executable, command line, cgroup or unit")
    parser.add_argument(
        "--schemas", default="public", metavar="A,B", help="where unqualified names resolve; `?` when it is not known"
    )
    parser.add_argument("-n", "--limit", type=int, default=LIMIT, help="at most so many (default: %(default)s)")
    parser.add_argument("--state-dir", type=Path, default=DEFAULT_STATE, help="default: %(default)s")
    add_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 when nothing would change, else 1."""
    from hostagent.policy.load import load_policy
    from hostagent.policy.replay import replay

    policy = load_policy(arguments.policy)
    schemas = None if arguments.schemas == "?" else tuple(filter(None, arguments.schemas.split(",")))
    wanted = Filter(
        since_ms=arguments.since, target=arguments.target, actor=arguments.actor, kinds=("decided",), verdict=""
    )
    directory = Directory(arguments.state_dir)
    replayed = replay(policy, _decisions(directory, open_index(directory), wanted, arguments.limit), schemas)
    if arguments.output == "json":
        print_json("PolicyReplay", {"policy": policy.version, "mode": policy.mode, **_plain(replayed)})
    else:
        _show(replayed)
    return 1 if replayed.changed else os.EX_OK


def _decisions(directory: Directory, store: Store, wanted: Filter, limit: int) -> Iterator[Past]:
    """The decisions as they were first made: what a human answered to one is not another."""
    from hostagent.recording.past import past

    openings: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for stored in store.query_events(wanted, limit):
        if stored.row.decision in seen:
            continue
        seen.add(stored.row.decision)
        flow = stored.row.flow
        if flow not in openings:
            found = store.query_events(Filter(flow=flow, kinds=("flow_opened",)), 1)
            openings[flow] = _event(directory, found[0].file, found[0].offset, found[0].length) if found else {}
        event = _event(directory, stored.file, stored.offset, stored.length)
        yield past(event, openings[flow] or event)


def _event(directory: Directory, file: str, offset: int, length: int) -> dict[str, Any]:
    with (directory.journal / file).open("rb") as journal:
        journal.seek(offset)
        event: dict[str, Any] = json.loads(journal.read(length))
        return event


def _show(replayed: Replayed) -> None:
    if replayed.changed:
        print_table(_COLUMNS, (_row(replayed, change, count) for change, count in replayed.changes.most_common()))
    for reason, count in replayed.unknown.most_common():
        console().print(styled(f"WARN {count} not decided again: {reason}"))
    total = replayed.same + replayed.changed + replayed.unknown.total()
    print(f"{total} decisions: {replayed.same} would be the same, {replayed.changed} another")


def _row(replayed: Replayed, change: Change, count: int) -> tuple[object, ...]:
    example, ruling = replayed.examples[change]
    text = " ".join((example.text or "").split())
    shown = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    why = change.now_rule or ruling.reason
    return change.was, change.now, count, change.target, change.who, why, f"{example.decision} {shown}"


def _plain(replayed: Replayed) -> dict[str, Any]:
    changes = []
    for change, count in replayed.changes.most_common():
        example, ruling = replayed.examples[change]
        changes.append(
            {
                "was": change.was,
                "would_be": change.now,
                "was_rule": change.was_rule,
                "rule": change.now_rule,
                "reason": ruling.reason,
                "target": change.target,
                "who": change.who,
                "count": count,
                "decision": example.decision,
                "text": example.text,
            }
        )
    return {"same": replayed.same, "changed": replayed.changed, "unknown": dict(replayed.unknown), "changes": changes}
