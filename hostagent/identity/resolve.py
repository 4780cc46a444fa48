"""Flow record → Actor: the one verb that the rest of the host agent uses of this package.

Grades: pid, uid, gid, login uid, cgroup and the executable are the kernel's; so are `socket_cgroup` and `left_cgroup`.
What the names in the cgroup path say is graded in `cgroup`. Command lines are claims.

Not here: labels that an engine keeps (GitLab's job and project), and a pod's service account, which only the kubelet or
the API server knows. The container id and the pod UID are the keys with which to ask for them.
"""

from __future__ import annotations

from hostagent.errors import HostError
from hostagent.identity import cgroup
from hostagent.identity.process import Proc, up_to_leader
from hostagent.identity.users import Users
from hostagent.values.actor import Actor, Attribute, Grade, Process
from hostagent.values.flow import FlowRecord, GovernedBy


class Unattributed(HostError):
    """Nobody can say who made the flow: it is denied. `reason` is for the operator's event."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"flow not attributed: {reason}", "see the counters of the kernel hooks: hostagent doctor")


class Resolver:
    """Turns flow records into actors. Not thread-safe; blocks for /proc and, once a minute a user, the name service."""

    def __init__(self, users: Users | None = None, proc: Proc | None = None) -> None:
        self._users = users or Users()
        self._proc = proc or Proc()

    def resolve(self, record: FlowRecord) -> Actor:
        """The actor of that flow. Raises Unattributed where the record lacks what must be known."""
        _require_complete(record)
        process = record.process
        login_uid = record.login_uid
        return Actor(
            process=Process(
                pid=process.pid,
                start_time=process.start_time,
                executable=record.executable,
                command_line=record.command_line,
                comm=process.comm,
                uid=process.uid,
            ),
            parents=tuple(map(self._proc.process, up_to_leader(record.parents, record.session_leader_pid))),
            uid=process.uid,
            user=self._users.user(process.uid),
            gid=record.gid,
            group=self._users.group(record.gid),
            login_uid=login_uid,
            login_user="" if login_uid is None else self._users.user(login_uid),
            cgroup=record.cgroup_path,
            attributes=cgroup.attributes(record.cgroup_path) + _departures(record),
        )


def _require_complete(record: FlowRecord) -> None:
    if record.process.pid <= 0:
        raise Unattributed("the kernel recorded no process")
    if record.process.start_time <= 0:
        raise Unattributed(f"the kernel recorded no start time of pid {record.process.pid}")
    if not record.cgroup_path:
        raise Unattributed(f"the kernel recorded no cgroup path of pid {record.process.pid}")
    if not cgroup.is_path(record.cgroup_path):
        raise Unattributed(f"not a cgroup path: {record.cgroup_path!r}")


def _departures(record: FlowRecord) -> tuple[Attribute, ...]:
    """What sets the flow apart from one that a process made with a socket of its own cgroup."""
    found = []
    if record.socket_cgroup_id != record.cgroup_id or record.socket_cgroup_path != record.cgroup_path:
        path = record.socket_cgroup_path or "unknown"
        found.append(Attribute("socket_cgroup", path, Grade.KERNEL))
    if record.governed_by is GovernedBy.STICKY:
        found.append(Attribute("left_cgroup", "true", Grade.KERNEL))
    return tuple(found)
