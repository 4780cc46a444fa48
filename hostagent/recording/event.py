"""Event builders: what happened → one OCSF JSON object in one line, as bytes. Nothing is written here.

    flow_opened, flow_refused, flow_closed     Network Activity (4001): Open, Refuse, Close
    session_opened, decided, finished,         Datastore Activity (6005)
    recording_grew
    host_event                                 Application Lifecycle (6002), Network Activity (4001) for refusals

`metadata.event_code` holds the builder's word. `decided` is written before its request is forwarded. `finished` tells
what came of the requests that ended since the flow's last one: decision, rows, bytes, duration and error of each, in
`unmapped.outcomes`. The processes above the actor's, its groups and the device stand in a flow's opening, its first
decision, and every denial, not in each of thousands. What OCSF has no word for is in `unmapped`. A `FlowContext`
encodes what all events share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hostagent.recording.encode import (
    MAX_TEXT,
    Json,
    actor,
    actor_facts,
    brief_actor,
    device,
    encoded,
    endpoint,
    known_actor,
    members,
    metadata,
    now_ms,
)
from hostagent.values.actor import Actor
from hostagent.values.decision import Decision, Outcome, Ruling, Verdict
from hostagent.values.flow import FlowId, FlowKey
from hostagent.values.target import Target

NETWORK: Final = 4001
LIFECYCLE: Final = 6002
DATASTORE: Final = 6005
INFORMATIONAL, LOW, MEDIUM, HIGH = 1, 2, 3, 4  # severity_id
OPEN, CLOSE, REFUSE = 1, 2, 5  # activity_id of 4001
CONNECT, OTHER = 3, 99  # activity_id of 6005
_ACTIVITIES: Final = {  # statement kind → activity_id of 6005; a text of several kinds is what changes most
    "drop": 7,
    "truncate": 7,
    "delete": 7,
    "create": 6,
    "alter": 2,
    "update": 2,
    "merge": 2,
    "insert": 5,
    "copy_from": 5,
    "select": 4,
    "copy_to": 1,
    "cursor": 1,
}
_DISPOSITIONS: Final = {  # verdict → action_id, disposition_id (security_control profile)
    Verdict.ALLOW: (1, 1),  # Allowed, Allowed
    Verdict.OBSERVE: (3, 15),  # Observed, Detected
    Verdict.DENY: (2, 2),  # Denied, Blocked
    Verdict.APPROVE: (99, 14),  # Other, Delayed
}
_HOST_ACTIVITIES: Final = {"ready": (3, INFORMATIONAL), "stopped": (4, INFORMATIONAL), "policy": (8, INFORMATIONAL)}
_REMEMBERED_RULINGS: Final = 256


@dataclass(frozen=True, slots=True)
class Digest:
    """A recording as far as it is written: its name below the sessions directory, SHA-256 and length in bytes."""

    name: str
    sha256: str
    bytes: int

    def to_json(self) -> Json:
        """Plain JSON values."""
        return {"name": self.name, "sha256": self.sha256, "bytes": self.bytes}


class FlowContext:
    """What all events of a flow share. `actor` is None for a flow that nobody could be named for."""

    def __init__(self, flow_id: FlowId, key: FlowKey, actor: Actor | None, target: Target | None) -> None:
        self.flow_id = flow_id
        self.key = key
        self.actor = actor
        self.target = target
        self.facts: dict[str, str] = {}
        self._rulings: dict[int, tuple[Ruling, bytes, bytes]] = {}
        self._text = ""
        self._encoded_text = b'""'
        self._encode()

    def text(self, text: str) -> bytes:
        """A statement's text, encoded; the last one is remembered, as prepared statements come again."""
        if text != self._text:
            self._text, self._encoded_text = text, encoded(text)
        return self._encoded_text

    def describe(self, facts: Mapping[str, str]) -> None:
        """Add what the session has learnt, such as `user` and `database`; for the events from now on."""
        self.facts.update(facts)
        self._encode()

    def _encode(self) -> None:
        shared: Json = {
            "actor": actor(self.actor) if self.actor else {"app_name": "unknown"},
            "src_endpoint": endpoint(self.key.source),
            "dst_endpoint": endpoint(self.key.destination),
            "device": device(),
        }
        facts: Json = {"flow": self.flow_id, "target": self.target.name if self.target else ""}
        if self.actor is not None:
            facts |= actor_facts(self.actor)
        if self.facts:
            facts["session"] = self.facts
        database = {"name": self.facts.get("database") or "unknown", "type_id": 1}
        self.network = members(shared)
        whole: Json = {**shared, "database": database, "type_id": 1}
        self.datastore = members(whole)
        again = {name: value for name, value in whole.items() if name != "device"}
        self.datastore_again = members({**again, "actor": known_actor(shared["actor"])} if self.actor else again)
        self.told = False
        self.unmapped = members(facts)
        brief: Json = {"actor": brief_actor(self.actor), "src_endpoint": shared["src_endpoint"]}
        self.brief = members({**brief, "database": database, "type_id": 1})
        self.brief_unmapped = members({"flow": self.flow_id, "target": facts["target"]})
        self.decided_metadata = members(metadata("decided"))
        self.finished_metadata = members(metadata("finished", ()))

    def ruling(self, ruling: Ruling) -> tuple[bytes, bytes]:
        """The members for the event and for its `unmapped` that a ruling gives; remembered, as rulings come again."""
        kept = self._rulings.get(id(ruling))
        if kept is None:
            if len(self._rulings) >= _REMEMBERED_RULINGS:
                self._rulings.clear()
            kept = self._rulings[id(ruling)] = (ruling, *_ruling(ruling))
        return kept[1], kept[2]


def flow_opened(context: FlowContext) -> bytes:
    """The flow was attributed; written before anything is read from the client."""
    return _flow(context, "flow_opened", OPEN, {"status_id": 1, "action_id": 1, "disposition_id": 1}, {})


def flow_refused(context: FlowContext, reason: str) -> bytes:
    """The flow was not opened. `reason` is for the operator."""
    fields = {
        "status_id": 2,
        "status_detail": reason,
        "action_id": 2,
        "disposition_id": 2,
        "message": f"a flow was refused: {reason}",
    }
    return _flow(context, "flow_refused", REFUSE, fields, {"verdict": "deny", "reason": reason}, MEDIUM)


def flow_closed(context: FlowContext, reason: str, bytes_from: Mapping[str, int], digest: Digest | None) -> bytes:
    """The flow ended. `reason` is empty for an ordinary end; `bytes_from` counts what each leg sent."""
    fields: Json = {"status_id": 2 if reason else 1, "action_id": 1, "disposition_id": 1}
    if reason:
        fields["status_detail"] = reason
    facts: Json = {"reason": reason, "bytes_from": {str(leg): count for leg, count in bytes_from.items()}}
    if digest is not None:
        facts["recording"] = digest.to_json()
    return _flow(context, "flow_closed", CLOSE, fields, facts)


def session_opened(context: FlowContext) -> bytes:
    """The client's session with the server is up; `FlowContext.describe` was told as whom and to what."""
    return _session(context, "session_opened", CONNECT, {"status_id": 1, "action_id": 1, "disposition_id": 1}, {})


def recording_grew(context: FlowContext, digest: Digest) -> bytes:
    """How the session's recording stands: so that cutting what a crash left is noticed."""
    return _session(context, "recording_grew", OTHER, {"activity_name": "Record"}, {"recording": digest.to_json()})


def decided(context: FlowContext, text: str, decision: Decision) -> bytes:
    """A decision. What is recorded is the ruling's text (passwords taken out) where it has one, else `text`."""
    fields, facts = context.ruling(decision.ruling)
    recorded = text if decision.ruling.text is None else decision.ruling.text
    cut = b""
    if len(recorded) > MAX_TEXT:
        cut = b'"text_characters":%d,' % len(recorded)
        recorded = recorded[:MAX_TEXT]
    uid = b'"%b"' % decision.id.encode()  # of our own making: nothing in it needs an escape
    shared = context.datastore_again if context.told and decision.forwards else context.datastore
    context.told = True
    return b"".join(
        (
            b'{"time":%d,' % now_ms(),
            fields,
            b',"metadata":{',
            context.decided_metadata,
            b',"correlation_uid":',
            uid,
            b'},"query_info":{"query_string":',
            context.text(recorded),
            b"},",
            shared,
            b',"unmapped":{"decision":',
            uid,
            b",",
            cut,
            facts,
            b",",
            context.unmapped,
            b"}}",
        )
    )


def outcome(decision_id: str, outcome: Outcome, took_us: int) -> bytes:
    """How one forwarded request ended, `took_us` microseconds after it went on: an entry for `finished`."""
    error = encoded(outcome.error) if outcome.error else b'""'
    detected = b',"detected":' + encoded(outcome.detected) if outcome.detected else b""
    return b'{"decision":"%b","rows":%d,"bytes":%d,"duration_us":%d,"error":%b%b}' % (
        decision_id.encode(),
        outcome.rows,
        outcome.bytes,
        took_us,
        error,
        detected,
    )


def finished(context: FlowContext, outcomes: list[bytes], failed: bool) -> bytes:
    """How requests of a flow ended that were forwarded lately, in order. Their decisions say who asked.

    `failed`: one of them at least with an error.
    """
    return b"".join(
        (
            b'{"time":%d,' % now_ms(),
            _FINISHED,
            b"2" if failed else b"1",
            b',"metadata":{',
            context.finished_metadata,
            b"},",
            context.brief,
            b',"unmapped":{"outcomes":[',
            b",".join(outcomes),
            b"],",
            context.brief_unmapped,
            b"}}",
        )
    )


def host_event(kind: str, message: str, facts: Mapping[str, object]) -> bytes:
    """Something of the host itself: `kind` is its stable word (ready, stopped, policy, drift, refused, …)."""
    plain = {name: value if isinstance(value, int | list | dict) else str(value) for name, value in facts.items()}
    fields: Json = {"message": message, "device": device(), "metadata": metadata(kind, ("host",))}
    unmapped: Json = {"facts": plain}
    if kind == "refused":
        fields |= {"action_id": 2, "disposition_id": 2, "status_id": 2}
        fields["src_endpoint"] = {"hostname": device()["hostname"]}
        fields["metadata"] = metadata(kind)
        unmapped["verdict"] = "deny"
        return _whole(NETWORK, REFUSE, MEDIUM, {**fields, "unmapped": unmapped})
    activity, severity = _HOST_ACTIVITIES.get(kind, (OTHER, HIGH if kind.startswith("drift") else LOW))
    if activity == OTHER:
        fields["activity_name"] = kind
    fields["app"] = {"name": "hostagent", "vendor_name": "hostagent"}
    return _whole(LIFECYCLE, activity, severity, {**fields, "unmapped": unmapped})


def decision_note(context: FlowContext, decision: Decision) -> bytes:
    """The marker of a decision within a session recording; the statement itself is among the captured bytes."""
    _, facts = context.ruling(decision.ruling)
    return b'{"kind":"decision","decision":"%b",%b}' % (decision.id.encode(), facts)


def _head(class_uid: int, activity: int, severity: int) -> Json:
    return {
        "class_uid": class_uid,
        "category_uid": class_uid // 1000,
        "activity_id": activity,
        "type_uid": class_uid * 100 + activity,
        "severity_id": severity,
    }


def _whole(class_uid: int, activity: int, severity: int, fields: Json) -> bytes:
    return encoded({"time": now_ms(), **_head(class_uid, activity, severity), **fields})


def _flow(
    context: FlowContext, code: str, activity: int, fields: Json, facts: Json, severity: int = INFORMATIONAL
) -> bytes:
    own = {"time": now_ms(), **_head(NETWORK, activity, severity), **fields, "metadata": metadata(code)}
    return _joined(own, context.network, facts, context.unmapped)


def _session(context: FlowContext, code: str, activity: int, fields: Json, facts: Json) -> bytes:
    own = {"time": now_ms(), **_head(DATASTORE, activity, INFORMATIONAL), **fields, "metadata": metadata(code)}
    return _joined(own, context.datastore, facts, context.unmapped)


def _joined(own: Json, shared: bytes, facts: Json, unmapped: bytes) -> bytes:
    separator = b"," if facts else b""
    return b"{%b,%b,%b{%b%b%b}}" % (members(own), shared, b'"unmapped":', members(facts), separator, unmapped)


def _ruling(ruling: Ruling) -> tuple[bytes, bytes]:
    action, disposition = _DISPOSITIONS[ruling.verdict]
    activity = next((number for kind, number in _ACTIVITIES.items() if kind in ruling.kinds), OTHER)
    severity = INFORMATIONAL if ruling.verdict.forwards else MEDIUM
    fields: Json = {**_head(DATASTORE, activity, severity), "action_id": action, "disposition_id": disposition}
    if activity == OTHER:
        fields["activity_name"] = ruling.kinds[0] if ruling.kinds else "unclassified"
    fields |= {"status_id": 1 if ruling.verdict.forwards else 2}
    if ruling.reason:
        fields["status_detail"] = ruling.reason
    if ruling.rule:
        fields["policy"] = {"name": ruling.rule, "is_applied": ruling.verdict is not Verdict.OBSERVE}
    facts: Json = {
        "verdict": ruling.verdict.value,
        "rule": ruling.rule,
        "reason": ruling.reason,
        "kinds": list(ruling.kinds),
        "relations": list(ruling.relations),
    }
    if ruling.masked:
        facts["masked"] = list(ruling.masked)
    if ruling.would is not None:
        facts["would"] = ruling.would.value
    return members(fields), members(facts)


_FINISHED: Final = members({**_head(DATASTORE, OTHER, INFORMATIONAL), "activity_name": "Finish"}) + b',"status_id":'
