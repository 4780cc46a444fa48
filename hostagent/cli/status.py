"""`hostagent status`: one panel that says whether this host is enforced, by what, and what is wrong."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any

from hostagent.cli.control_client import call, socket_path
from hostagent.cli.output import add_output, print_json, print_panel


def register(verbs: Any) -> None:
    """Add the verb."""
    parser: argparse.ArgumentParser = verbs.add_parser("status", help="what the daemon governs, and how it is")
    add_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 when everything is in force, 1 when the daemon runs and something is wrong."""
    status = call(socket_path(arguments.socket), "status")
    if arguments.output == "json":
        print_json("Status", status)
    else:
        print_panel(facts(status))
    return os.EX_OK if status["state"] == "ready" else 1


def facts(status: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The lines of the panel: name and value."""
    policy, governed = status["policy"], status["governed"]
    yield "state", f"{status['state']}, {_duration(status['uptime_seconds'])}"
    yield "version", f"{status['version']}, instance {status['instance']}, pid {status['pid']}"
    yield "policy", f"{policy['version']}, {policy['rules']} rules from {policy['directory']}"
    if policy["error"]:
        yield "policy error", f"{policy['error']}\nthe last good policy stays in force"
    yield "governed", _lines(governed["patterns"], "nothing")
    yield "cgroups", f"{len(governed['cgroups'])} governed now\n{_some(governed['cgroups'])}".rstrip()
    for kind in ("workers", "analyzers"):
        yield kind, _lines([_child(child) for child in status[kind]], "none")
    yield "flows", _counters(status["flows"])
    yield "requests", _counters(status["requests"])
    yield "kernel", _counters({name: count for name, count in status["counters"].items() if count}) or "nothing counted"
    yield "refused", _counters(status["refused"]) or "nothing"
    yield "swept", f"{status['swept']} connections that were open before they were governed"
    drift = status["drift"]
    yield "drift", f"{drift['count']} times, last {drift['last']}" if drift["count"] else "none"
    if status["last_error"]:
        yield "last error", status["last_error"]


def _child(child: dict[str, Any]) -> str:
    state = f"pid {child['pid']}" if child["pid"] else "down"
    restarts = f", {child['restarts']} restarts, {child['error']}" if child["restarts"] or child["error"] else ""
    return f"{child['name']}: {state}{restarts}"


def _counters(counters: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counters.items())


def _lines(items: list[str], none: str) -> str:
    return "\n".join(items) or none


def _some(items: list[str], most: int = 8) -> str:
    shown = items[:most]
    return "\n".join(shown + ([f"… {len(items) - most} more (-o json)"] if len(items) > most else []))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    return "for " + " ".join([f"{n} {unit}" for n, unit in parts if n][:2] or ["0 s"])
