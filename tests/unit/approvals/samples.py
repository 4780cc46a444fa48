"""Requests, approvers and terms for the tests of approvals."""

from __future__ import annotations

from hostagent.approvals.values import Answer, Approver, Asked, Bound, Requester, Via
from hostagent.policy.terms import AllTerms, Approvers, Terms

AGENT = Requester(
    uid=990,
    user="agent",
    login_uid=1000,
    login_user="alice",
    cgroup="/system.slice/agent.service/job",
    service="/system.slice/agent.service",
    unit="agent.service",
    executable="/usr/bin/python3",
    pid=4242,
)
UIDS = {"alice": 1000, "bob": 1001, "carol": 1002, "dave": 1003}


def terms(**given: object) -> AllTerms:
    """One rule's terms; those that are not given have their defaults."""
    return AllTerms([Terms.model_validate(given)])


def named(**lists: tuple[str, ...]) -> Approvers:
    """Approvers that terms name."""
    return Approvers.model_validate({name: list(names) for name, names in lists.items()})


def asked(request: str = "f-1.1", at: float = 0.0, until: float = 300.0, **other: object) -> Asked:
    """A DELETE of the agent."""
    fields: dict[str, object] = {
        "id": request,
        "worker": "worker0",
        "flow": "f-1",
        "requester": AGENT,
        "target": "db",
        "text": "DELETE FROM app.t WHERE id = $1",
        "values": (Bound("text", "7"),),
        "template": "DELETE FROM app.t WHERE id = $1",
        "rules": ("writes",),
        "asked_at": at,
        "expires_at": until,
        **other,
    }
    return Asked(**fields)  # type: ignore[arg-type]


def human(who: str = "bob", **other: object) -> Approver:
    """Somebody who is logged in as themselves, on a terminal of their own."""
    uid = UIDS[who]
    fields: dict[str, object] = {
        "name": who,
        "via": Via.SOCKET,
        "uid": uid,
        "login_uid": uid,
        "groups": frozenset({"hostagent-approvers"}),
        "cgroup": f"/user.slice/user-{uid}.slice/session-3.scope",
        **other,
    }
    return Approver(**fields)  # type: ignore[arg-type]


def claimed(name: str = "ann") -> Approver:
    """A name that the webhook claims."""
    return Approver(name, Via.WEBHOOK)


def yes(
    who: Approver | None = None, at: float = 1.0, reason: str = "", window: int = 0, any_statement: bool = False
) -> Answer:
    """An approval; of bob where nobody is given."""
    return Answer(who or human(), True, reason, at, window, any_statement)


def no(who: Approver | None = None, at: float = 1.0, reason: str = "") -> Answer:
    """A denial."""
    return Answer(who or human(), False, reason, at)
