"""Requests and grants as JSON: what `hostagent approvals` and the webhook show."""

from __future__ import annotations

from typing import Any

from hostagent.approvals.queue import Request, digest_of
from hostagent.approvals.values import Answer, Grant

SHOWN = 200  # characters of a statement in a list


def summary(request: Request) -> dict[str, Any]:
    """One line of a list: no bound values, and the beginning of the text."""
    asked, who = request.asked, request.asked.requester
    return {
        "id": asked.id,
        "state": request.state.value,
        "asked_at": asked.asked_at,
        "expires_at": asked.expires_at,
        "actor": {"user": who.user, "uid": who.uid, "unit": who.unit, "cgroup": who.cgroup, "pid": who.pid},
        "target": asked.target,
        "what": asked.what,
        "text": asked.text if len(asked.text) <= SHOWN else f"{asked.text[:SHOWN]}…",
        "values": len(asked.values),
        "rules": list(asked.rules),
        "minimum": request.terms.minimum,
        "approved_by": [str(answer.approver) for answer in request.answers if answer.approves],
    }


def whole(request: Request) -> dict[str, Any]:
    """All of a request, with its exact text and values."""
    asked, who, terms = request.asked, request.asked.requester, request.terms
    return {
        **summary(request),
        "actor": {
            "user": who.user,
            "uid": who.uid,
            "login_user": who.login_user,
            "login_uid": who.login_uid,
            "unit": who.unit,
            "cgroup": who.cgroup,
            "executable": who.executable,
            "pid": who.pid,
        },
        "flow": asked.flow,
        "what": asked.what,
        "text": asked.text,
        "values": [{"form": bound.form, "value": bound.value} for bound in asked.values],
        "digest": digest_of(asked),
        "terms": {"reason_required": terms.reason_required, "longest_grant_seconds": terms.grant},
        "answers": [_answer(answer) for answer in request.answers],
        "settled_at": request.settled_at or None,
        "reason": request.reason,
    }


def grant_json(grant: Grant) -> dict[str, Any]:
    """A grant."""
    asked = grant.request
    return {
        "id": grant.id,
        "until": grant.until,
        "made_at": grant.made_at,
        "approvers": [str(approver) for approver in grant.approvers],
        "actor": {"unit": asked.requester.unit, "cgroup": asked.requester.cgroup, "uid": asked.requester.uid},
        "target": asked.target,
        "rules": list(asked.rules),
        "statement": grant.template and asked.text,
        "flows": len(grant.flows),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "approver": str(answer.approver),
        "uid": answer.approver.uid,
        "via": answer.approver.via.value,
        "verdict": "approve" if answer.approves else "deny",
        "reason": answer.reason,
        "at": answer.at,
        "window_seconds": answer.window,
        "any_statement": answer.any_statement,
    }
