"""Row: one event as people look at it: the columns of the index and of tables, read from its OCSF line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One event, flat. `time` in milliseconds since the epoch; None where the event has no such number."""

    time: int
    kind: str
    flow: str = ""
    decision: str = ""
    verdict: str = ""
    pid: int | None = None
    executable: str = ""
    unit: str = ""
    cgroup: str = ""
    actor: str = ""
    target: str = ""
    destination: str = ""
    user: str = ""
    database: str = ""
    text: str = ""
    rule: str = ""
    reason: str = ""
    rows: int | None = None
    bytes: int | None = None
    duration_us: int | None = None
    error: str = ""
    bytes_client: int | None = None
    bytes_upstream: int | None = None
    recording: str = ""


def read_rows(line: bytes) -> list[Row]:
    """The rows of a journal line: one, or one for each outcome that it tells; none where it is no event (a torn record,
    or no JSON object)."""
    try:
        event: Any = json.loads(line)
    except ValueError:
        return []
    if not isinstance(event, dict) or "metadata" not in event:
        return []
    return [_row(each, each.get("unmapped", {})) for each in single(event)]


def single(event: dict[str, Any]) -> list[dict[str, Any]]:
    """An event that tells how several requests ended as one event for each; any other as it is."""
    facts = event.get("unmapped", {})
    if "outcomes" not in facts:
        return [event]
    shared = {name: value for name, value in facts.items() if name != "outcomes"}
    return [{**event, "unmapped": {**shared, **outcome}} for outcome in facts["outcomes"]]


def _row(event: dict[str, Any], facts: dict[str, Any]) -> Row:
    process = event.get("actor", {}).get("process", {})
    unit = _attribute(facts, "unit")
    destination = event.get("dst_endpoint", {})
    session = facts.get("session", {})
    legs = facts.get("bytes_from", {})
    return Row(
        time=event["time"],
        kind=event["metadata"]["event_code"],
        flow=facts.get("flow", ""),
        decision=facts.get("decision", ""),
        verdict=facts.get("verdict", ""),
        pid=process.get("pid"),
        executable=process.get("file", {}).get("path", "") or process.get("name", ""),
        unit=unit,
        cgroup=facts.get("cgroup", ""),
        actor=_actor_words(event, facts),
        target=facts.get("target", ""),
        destination=f"{destination['ip']}:{destination['port']}" if destination else "",
        user=session.get("user", ""),
        database=session.get("database", ""),
        text=event.get("query_info", {}).get("query_string", "") or event.get("message", ""),
        rule=facts.get("rule", ""),
        reason=facts.get("reason", "") or _host_facts(facts),
        rows=facts.get("rows"),
        bytes=facts.get("bytes"),
        duration_us=facts.get("duration_us"),
        error=facts.get("error", ""),
        bytes_client=legs.get("client"),
        bytes_upstream=legs.get("upstream"),
        recording=facts.get("recording", {}).get("name", ""),
    )


def _attribute(facts: dict[str, Any], name: str) -> str:
    value: str = facts.get("attributes", {}).get(name, {}).get("value", "")
    return value


def _actor_words(event: dict[str, Any], facts: dict[str, Any]) -> str:
    process = event.get("actor", {}).get("process", {})
    words = [event.get("actor", {}).get("user", {}).get("name", ""), process.get("file", {}).get("path", "")]
    words += [process.get("cmd_line", ""), facts.get("cgroup", "")]
    words += [attribute["value"] for attribute in facts.get("attributes", {}).values()]
    return " ".join(word for word in words if word)


def _host_facts(facts: dict[str, Any]) -> str:
    plain = {name: value for name, value in facts.get("facts", {}).items() if not isinstance(value, list | dict)}
    return " ".join(f"{name}={value}" for name, value in plain.items())
