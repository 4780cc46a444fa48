"""Event builders of SSH: OCSF SSH Activity (4007). The words that `runtime.gate.Words` asks for, as a module.

    session_opened   the client is let in            decided    an operation was decided, before it goes on
    finished         what was let through has ended  recording_grew

A request's `context` holds `name=value` facts for its event: kind, login, channel, and what the kind brings with it.
"""

from __future__ import annotations

from hostagent.protocols.base import FinishedWith, Request
from hostagent.recording import event, ssh_notes
from hostagent.recording.encode import MAX_TEXT, Json, brief_actor, encoded, endpoint, members, metadata, now_ms
from hostagent.recording.event import Digest, FlowContext
from hostagent.values.decision import Decision, Ruling, Verdict

SSH = 4007
OPEN, TRAFFIC, OTHER = 1, 6, 99  # activity_id
_ACTIONS = {  # verdict → action_id, disposition_id
    Verdict.ALLOW: (1, 1),
    Verdict.OBSERVE: (3, 15),
    Verdict.DENY: (2, 2),
    Verdict.APPROVE: (99, 14),
}
RIDES = "on the connection that the flow's actor made, whichever process asked for the channel"


def session_opened(context: FlowContext) -> bytes:
    """The client is let in; `FlowContext.describe` was told under which login name."""
    fields: Json = {"status_id": 1, "action_id": 1, "disposition_id": 1}
    return _whole(context, "session_opened", OPEN, fields, {})


def recording_grew(context: FlowContext, digest: Digest) -> bytes:
    """How the session's recording stands."""
    return _whole(context, "recording_grew", OTHER, {"activity_name": "Record"}, {"recording": digest.to_json()})


def decided(context: FlowContext, request: Request, decision: Decision) -> bytes:
    """A decision; what is recorded is the ruling's text where it has one, else the request's."""
    ruling, text = decision.ruling, _text(request, decision)
    facts: Json = {"decision": decision.id, **_ruling_facts(ruling), **_facts(request)}
    if len(text) > MAX_TEXT:
        facts["text_characters"] = len(text)
    action, disposition = _ACTIONS[ruling.verdict]
    fields: Json = {
        "action_id": action,
        "disposition_id": disposition,
        "status_id": 1 if ruling.verdict.forwards else 2,
        "message": text[:MAX_TEXT],
    }
    if ruling.reason:
        fields["status_detail"] = ruling.reason
    if ruling.rule:
        fields["policy"] = {"name": ruling.rule, "is_applied": ruling.verdict is not Verdict.OBSERVE}
    severity = event.INFORMATIONAL if ruling.verdict.forwards else event.MEDIUM
    return _whole(context, "decided", TRAFFIC, fields, facts, severity, decision.id)


def finished(context: FlowContext, command: FinishedWith, took_us: int) -> bytes:
    """How what was let through ended, `took_us` microseconds after it was. Its decision says who asked."""
    outcome = command.outcome
    fields: Json = {"time": now_ms(), **_head(OTHER, event.INFORMATIONAL), "activity_name": "Finish"}
    fields |= {"duration": took_us // 1000, "status_id": 2 if outcome.error else 1}
    if outcome.error:
        fields["status_detail"] = outcome.error
    fields["metadata"] = {**metadata("finished", ()), "correlation_uid": command.decision_id}
    fields |= {"actor": brief_actor(context.actor), "src_endpoint": endpoint(context.key.source)}
    fields["dst_endpoint"] = endpoint(context.key.destination)
    facts: Json = {"decision": command.decision_id, "bytes": outcome.bytes, "duration_us": took_us}
    facts |= {"error": outcome.error, **dict(command.facts)}
    if outcome.detected:
        facts["detected"] = outcome.detected
    facts |= {"flow": context.flow_id, "target": context.target.name if context.target else ""}
    return encoded({**fields, "unmapped": facts})


def note(context: FlowContext, request: Request, decision: Decision) -> bytes:
    """The marker of a decision within the session's recording."""
    encoded_note = event.decision_note(context, decision)
    channel = _facts(request).get("channel")
    return encoded_note if channel is None else ssh_notes.decided(int(channel), encoded_note, _text(request, decision))


def _text(request: Request, decision: Decision) -> str:
    """What is recorded of the request: the ruling's text where it has one."""
    return request.text if decision.ruling.text is None else decision.ruling.text


def _facts(request: Request) -> Json:
    """The request's own facts. A channel rides on the flow's connection, so its actor is the flow's."""
    facts: Json = dict(word.split("=", 1) for word in request.context)
    if "channel" in facts:
        facts |= {"channel": int(facts["channel"]), "rides": RIDES}
    return facts


def _ruling_facts(ruling: Ruling) -> Json:
    facts: Json = {"verdict": ruling.verdict.value, "rule": ruling.rule, "reason": ruling.reason}
    facts["kinds"] = list(ruling.kinds)
    if ruling.would is not None:
        facts["would"] = ruling.would.value
    return facts


def _head(activity: int, severity: int) -> Json:
    return {
        "class_uid": SSH,
        "category_uid": SSH // 1000,
        "activity_id": activity,
        "type_uid": SSH * 100 + activity,
        "severity_id": severity,
    }


def _whole(
    context: FlowContext,
    code: str,
    activity: int,
    fields: Json,
    facts: Json,
    severity: int = event.INFORMATIONAL,
    decision: str = "",
) -> bytes:
    about: Json = metadata(code)
    if decision:
        about["correlation_uid"] = decision
    own = {"time": now_ms(), **_head(activity, severity), **fields, "metadata": about}
    separator = b"," if facts else b""
    return b'{%b,%b,"unmapped":{%b%b%b}}' % (
        members(own), context.network, members(facts), separator, context.unmapped
    )  # fmt: skip
