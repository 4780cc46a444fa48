"""Actor: who made a flow. Each attribute carries the grade of its proof and never a better one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Grade(StrEnum):
    """How an attribute is known. Order of trust: kernel, then runtime, then claimed."""

    KERNEL = "kernel-attested"  # the kernel said so at connect()
    RUNTIME = "runtime-attested"  # a container runtime, systemd or kubelet said so
    CLAIMED = "claimed"  # the workload could have written it itself

    @property
    def rank(self) -> int:
        """2 for the best proof, 0 for a claim."""
        return {Grade.KERNEL: 2, Grade.RUNTIME: 1, Grade.CLAIMED: 0}[self]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One fact about an actor, such as `unit=actions.runner.x.service`, with its grade."""

    name: str
    value: str
    grade: Grade


@dataclass(frozen=True, slots=True)
class Process:
    """One process of an actor's chain. `executable` is empty where the process was gone before it could be read."""

    pid: int
    start_time: int  # nanoseconds since boot
    executable: str
    command_line: tuple[str, ...]
    comm: str
    uid: int


@dataclass(frozen=True, slots=True)
class Actor:
    """Who made a flow, as the kernel attests it.

    `parents` run from the parent up to the session leader. `attributes` hold what was derived from the cgroup
    (names: unit, slice, user_unit, login_session, container_id, container_runtime, pod_uid, ci_provider, ci_scope,
    ci_job …), each once.
    """

    process: Process
    parents: tuple[Process, ...]
    uid: int
    user: str
    gid: int
    group: str
    login_uid: int | None
    login_user: str
    cgroup: str
    attributes: tuple[Attribute, ...] = ()

    def attribute(self, name: str) -> Attribute | None:
        """The attribute of that name, or None."""
        return next((a for a in self.attributes if a.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` gives the actor back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Actor:
        """The actor that `to_json` described. Raises KeyError, TypeError or ValueError on another shape."""

        def process(p: dict[str, Any]) -> Process:
            return Process(**{**p, "command_line": tuple(p["command_line"])})

        return cls(
            **{
                **data,
                "process": process(data["process"]),
                "parents": tuple(process(p) for p in data["parents"]),
                "attributes": tuple(Attribute(a["name"], a["value"], Grade(a["grade"])) for a in data["attributes"]),
            }
        )
