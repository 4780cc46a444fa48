"""Pieces of OCSF events, encoded: what the builders in `event` put together. JSON in ASCII, as bytes.

Source: OCSF schema (github.com/ocsf/ocsf-schema), objects process, user, network_endpoint, device, metadata.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any, Final

import hostagent
from hostagent.values.actor import Actor, Process
from hostagent.values.flow import Endpoint

OCSF_VERSION: Final = "1.5.0"
MAX_TEXT: Final = 64 << 10  # characters of a statement in an event; beyond it the session recording has the rest
_encoder: Final = json.JSONEncoder(separators=(",", ":"))
_encode_text: Final = json.encoder.encode_basestring_ascii
_TOLD_AGAIN: Final = ("pid", "name", "cmd_line", "file")  # of a process, in each of a flow's thousands of events
_time: Final = time.time
_CLOCK_BOOTTIME: Final = time.CLOCK_BOOTTIME

Json = dict[str, Any]


def encoded(value: object) -> bytes:
    """A JSON value."""
    if isinstance(value, str):
        return _encode_text(value).encode()
    return _encoder.encode(value).encode()


def members(value: Json) -> bytes:
    """The members of an object, without its braces."""
    return encoded(value)[1:-1]


def device() -> Json:
    """This host."""
    return {"hostname": socket.gethostname(), "type_id": 1}


def metadata(code: str, profiles: tuple[str, ...] = ("host", "security_control")) -> Json:
    """Metadata without the event's own uid."""
    product = {"name": "hostagent", "vendor_name": "hostagent", "version": hostagent.__version__}
    return {
        "version": OCSF_VERSION,
        "product": product,
        "event_code": code,
        "profiles": list(profiles),
    }


def endpoint(end: Endpoint) -> Json:
    """A network endpoint."""
    return {"ip": end.address, "port": end.port}


def actor(who: Actor) -> Json:
    """The OCSF actor: its user, and its process with all parents nested."""
    parents: Json | None = None
    boot = boot_time_ms()
    for parent in reversed(who.parents):
        parents = _parent(parent, parents)
    process = _process(who.process, boot, parents)
    user: Json = {"name": who.user or str(who.uid), "uid": str(who.uid), "type_id": 1 if who.uid else 2}
    process["user"] = user
    return {"process": process, "user": {**user, "groups": [{"name": who.group, "uid": str(who.gid)}]}}


def known_actor(whole: Json) -> Json:
    """The same OCSF actor once its flow's opening told all of it: who, and which process."""
    process = {name: value for name, value in whole["process"].items() if name in _TOLD_AGAIN}
    user = {name: value for name, value in whole["user"].items() if name != "groups"}
    return {"process": process, "user": user}


def brief_actor(who: Actor | None) -> Json:
    """Enough of an actor for an event that only adds to another."""
    if who is None:
        return {"app_name": "unknown"}
    return {"process": {"pid": who.process.pid, "name": who.process.comm}}


def actor_facts(who: Actor) -> Json:
    """What OCSF has no word for: cgroup, login user, and the attributes with their grades."""
    return {
        "cgroup": who.cgroup,
        "login_uid": who.login_uid,
        "login_user": who.login_user,
        "attributes": {a.name: {"value": a.value, "grade": a.grade.value} for a in who.attributes},
    }


def boot_time_ms() -> int:
    """When this host's boot-time clock was zero, in milliseconds since the epoch."""
    return (time.time_ns() - time.clock_gettime_ns(_CLOCK_BOOTTIME)) // 1_000_000


def now_ms() -> int:
    """Milliseconds since the epoch, as OCSF counts time."""
    return int(_time() * 1000.0)


def _parent(process: Process, parent: Json | None) -> Json:
    """Enough to know a process above: every event of the flow carries all of them."""
    value: Json = {"pid": process.pid, "name": process.comm, "cmd_line": " ".join(process.command_line)}
    return _completed(value, process, parent)


def _process(process: Process, boot: int, parent: Json | None) -> Json:
    value: Json = {
        "pid": process.pid,
        "name": process.comm,
        "created_time": boot + process.start_time // 1_000_000,
        "cmd_line": " ".join(process.command_line),
        "user": {"uid": str(process.uid), "type_id": 1 if process.uid else 2},
    }
    return _completed(value, process, parent)


def _completed(value: Json, process: Process, parent: Json | None) -> Json:
    if process.executable:
        name = process.executable.rpartition("/")[2] or process.executable
        value["file"] = {"name": name, "path": process.executable, "type_id": 1}
    if parent is not None:
        value["parent_process"] = parent
    return value
