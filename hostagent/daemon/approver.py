"""Approvals over the control socket: who answers, by the kernel's word, and what `hostagent approvals` asks for."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hostagent.approvals.values import Answer, Approver, NotTaken, Problem, Via
from hostagent.approvals.view import grant_json, summary, whole
from hostagent.daemon.approvals import Approvals
from hostagent.daemon.control import ApproversOperation, Peer
from hostagent.policy.span import seconds

_PROC = Path("/proc")
_UNSET = 0xFFFF_FFFF  # no login uid was set (audit(7))

Arguments = dict[str, Any]


def approver_of(peer: Peer, proc: Path = _PROC) -> Approver:
    """Who is on the other end. Raises NotTaken when /proc does not say: then nobody knows which human it is.

    uid and groups are the kernel's word at connect(); login uid and cgroup are read now, so the client has to stay.
    """
    try:
        login_uid = int((proc / str(peer.pid) / "loginuid").read_text())
        cgroups = (proc / str(peer.pid) / "cgroup").read_text().splitlines()
    except (OSError, ValueError):
        raise NotTaken(Problem.FORBIDDEN, "the asking process is gone or hidden: nobody knows who it is") from None
    cgroup = next((line.split(":", 2)[2] for line in cgroups if line.startswith("0:")), "")
    groups = frozenset(name for gid in peer.groups if (name := _group(gid)))
    return Approver(_user(peer.uid), Via.SOCKET, peer.uid, None if login_uid == _UNSET else login_uid, groups, cgroup)


def approvals_operations(approvals: Approvals) -> Mapping[str, ApproversOperation]:
    """The operations of the control socket, by name."""
    served = _Operations(approvals)
    return {
        "approvals.list": ApproversOperation(served.list),
        "approvals.show": ApproversOperation(served.show),
        "approvals.approve": ApproversOperation(served.approve),
        "approvals.deny": ApproversOperation(served.deny),
        "approvals.grants": ApproversOperation(served.grants),
        "approvals.revoke": ApproversOperation(served.revoke),
    }


class _Operations:
    """The handlers. Each raises HostError or ValueError for what cannot be done."""

    def __init__(self, approvals: Approvals) -> None:
        self._approvals = approvals

    async def list(self, _: Peer, args: Arguments) -> Arguments:
        """What waits; with `all` also what was settled of late."""
        queue = self._approvals.queue
        requests = [*queue.settled(), *queue.waiting()] if args.get("all") is True else queue.waiting()
        return {"requests": [summary(request) for request in requests]}

    async def show(self, _: Peer, args: Arguments) -> Arguments:
        """All of one request."""
        return whole(self._approvals.queue.find(str(args["id"])))

    async def approve(self, peer: Peer, args: Arguments) -> Arguments:
        """Approve one request."""
        window = seconds(str(args["for"])) if args.get("for") else 0
        return self._answer(peer, args, True, window, args.get("any_statement") is True)

    async def deny(self, peer: Peer, args: Arguments) -> Arguments:
        """Deny one request."""
        return self._answer(peer, args, False)

    async def grants(self, _: Peer, __: Arguments) -> Arguments:
        """The grants that are good now."""
        return {"grants": [grant_json(grant) for grant in self._approvals.queue.grants(self._approvals.now())]}

    async def revoke(self, peer: Peer, args: Arguments) -> Arguments:
        """Take a grant back."""
        return {"sessions_ended": self._approvals.revoke(str(args["id"]), approver_of(peer))}

    def _answer(
        self, peer: Peer, args: Arguments, approves: bool, window: int = 0, any_statement: bool = False
    ) -> Arguments:
        reason, now = str(args.get("reason", "")), self._approvals.now()
        answer = Answer(approver_of(peer), approves, reason, now, window, any_statement)
        return summary(self._approvals.answer(str(args["id"]), answer))


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""
