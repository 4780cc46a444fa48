"""Past: a recorded decision, read back from its event as policy looked at it."""

from __future__ import annotations

from hostagent.policy.replay import Past
from hostagent.recording.encode import Json
from hostagent.values.actor import Actor, Attribute, Grade, Process
from hostagent.values.decision import Verdict
from hostagent.values.flow import Endpoint

SSH_ACTIVITY = 4007  # class_uid


def past(decided: Json, opening: Json) -> Past:
    """The decision of a `decided` event; `opening` is its flow's, which has the whole actor."""
    facts = decided["unmapped"]
    over_ssh = decided["class_uid"] == SSH_ACTIVITY
    text = decided.get("message", "") if over_ssh else decided["query_info"]["query_string"]
    destination = decided["dst_endpoint"]
    return Past(
        decision=facts["decision"],
        actor=actor(opening),
        target=facts["target"],
        destination=Endpoint(destination["ip"], destination["port"]),
        text=None if "text_characters" in facts else text,
        verdict=Verdict(facts["verdict"]),
        rule=facts["rule"],
        database=facts.get("session", {}).get("database", ""),
        ssh_kind=facts.get("kind", "") if over_ssh else "",
        ssh_login=facts.get("login", "") if over_ssh else "",
        ssh_destination=facts.get("destination", "") if over_ssh else "",
    )


def actor(event: Json) -> Actor:
    """Who made the flow of an event, as far as the event says it."""
    process, facts = event["actor"]["process"], event["unmapped"]
    user = event["actor"]["user"]
    group = user["groups"][0]
    return Actor(
        process=_process(process),
        parents=tuple(_parents(process)),
        uid=int(user["uid"]),
        user=user["name"],
        gid=int(group["uid"]),
        group=group["name"],
        login_uid=facts["login_uid"],
        login_user=facts["login_user"],
        cgroup=facts["cgroup"],
        attributes=tuple(Attribute(n, a["value"], Grade(a["grade"])) for n, a in facts["attributes"].items()),
    )


def _process(value: Json) -> Process:
    """The command line is one word: events join it, and policy compares it joined."""
    uid = int(value.get("user", {}).get("uid", -1))
    return Process(value["pid"], 0, value.get("file", {}).get("path", ""), (value["cmd_line"],), value["name"], uid)


def _parents(value: Json) -> list[Process]:
    found = []
    while (parent := value.get("parent_process")) is not None:
        found.append(_process(parent))
        value = parent
    return found
