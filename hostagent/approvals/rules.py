"""Who may answer a request, and what an answer must hold. Pure checks; each raises NotTaken.

Rules
1.  Nobody approves what they asked for: not the account it runs as, not whoever logged in, not a process of its own
    service. Behind an approver stand its uid and its login uid: `sudo` makes nobody else of a human.
2.  Several approvers are several humans: no uid and no login uid may come twice. All names that the webhook claims are
    one approver: its key is all that is proven.
3.  Denying needs less: whoever may approve some day may deny, also what is their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from hostagent.approvals.values import MAX_REASON, Answer, Approver, Asked, NotTaken, Problem, Via
from hostagent.policy.span import words
from hostagent.policy.terms import AllTerms

APPROVERS_GROUP = "hostagent-approvers"


def check_answer(asked: Asked, terms: AllTerms, given: Sequence[Answer], answer: Answer) -> None:
    """Whether the answer may be taken beside those that were given before."""
    _check_admitted(terms, answer.approver)
    if len(answer.reason) > MAX_REASON:
        raise NotTaken(Problem.WRONG, f"a reason has at most {MAX_REASON} characters")
    if not answer.approves:
        return
    _check_stranger(asked, answer.approver)
    _check_distinct(given, answer.approver)
    if terms.reason_required and not answer.reason.strip():
        raise NotTaken(Problem.WRONG, "the policy asks for a reason", "give one: --reason")
    _check_window(terms, answer)


def _check_admitted(terms: AllTerms, approver: Approver) -> None:
    if approver.via is Via.WEBHOOK:
        if not terms.admits_claim(approver.name):
            what = f"the policy takes no answer of {approver.name} through the webhook"
            raise NotTaken(Problem.FORBIDDEN, what, "it would have to name it: approvers: {webhook: …}")
    elif not terms.admits(approver.name, approver.groups):
        raise NotTaken(Problem.FORBIDDEN, f"{approver.name} is not among the approvers that the policy names")


def _check_stranger(asked: Asked, approver: Approver) -> None:
    who = asked.requester
    if not who.humans.isdisjoint(approver.humans):
        raise NotTaken(Problem.FORBIDDEN, "nobody approves what they asked for", "somebody else has to")
    if approver.via is Via.WEBHOOK and approver.name in (who.user, who.login_user):
        raise NotTaken(Problem.FORBIDDEN, "nobody approves what they asked for", "somebody else has to")
    if approver.via is Via.SOCKET and who.contains(approver.cgroup):
        raise NotTaken(Problem.FORBIDDEN, f"a process of {who.service} approves nothing that {who.service} asked for")


def _check_distinct(given: Sequence[Answer], approver: Approver) -> None:
    for before in (answer.approver for answer in given):
        claims = {before.via, approver.via}
        same_name = Via.WEBHOOK in claims and before.name == approver.name
        if claims == {Via.WEBHOOK} or same_name or not before.humans.isdisjoint(approver.humans):
            raise NotTaken(Problem.FORBIDDEN, f"{before} has approved already", "another human has to")


def _check_window(terms: AllTerms, answer: Answer) -> None:
    if answer.window < 0 or (answer.any_statement and not answer.window):
        raise NotTaken(Problem.WRONG, "any statement: that goes with a window of time", "give one: --for")
    if answer.window and answer.approver.via is Via.WEBHOOK:
        raise NotTaken(Problem.FORBIDDEN, "a window of time is not opened through the webhook")
    if answer.window > terms.grant:
        longest = f"of more than {words(terms.grant)}" if terms.grant else "at all"
        raise NotTaken(Problem.FORBIDDEN, f"the policy lets nobody open a window of time {longest}")
