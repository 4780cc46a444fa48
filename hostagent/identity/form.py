"""The vocabulary of the cgroup tables: a place in the cgroup tree, and one form that a segment may have there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from hostagent.values.actor import Grade

HEX64 = "[0-9a-f]{64}"
UNIT_CHARACTERS = r"[A-Za-z0-9:_.\\@-]"  # systemd.unit(5), VALID_CHARS of src/basic/unit-name.c
MAX_SEGMENT = 255  # NAME_MAX: neither the kernel nor systemd makes a longer name


class Place(StrEnum):
    """Where a walk from the root downwards stands: which forms the next segment may have."""

    ROOT = "root"
    SLICE = "slice"
    LOGIN = "login"  # user-UID.slice
    MACHINE = "machine"  # machine.slice
    USER_MANAGER = "user manager"  # user@UID.service: delegated to the user
    CONTAINERD_SERVICE = "containerd.service"
    CI_RUNNER = "CI runner"  # a runner's service: delegated to the runner's user
    ACTIONS_JOB = "actions_job"
    DOCKER = "docker"
    CONTAINERD = "containerd"
    LIBPOD = "libpod_parent"
    CUSTOM_PARENT = "custom parent"
    KUBELET = "kubelet"
    KUBEPODS = "kubepods"
    QOS = "kubepods class"
    POD = "pod"
    POD_SLICE = "pod slice"
    CONTAINER = "container"  # delegated to the container
    NOTHING = "nothing"  # no name below means anything to us


@dataclass(frozen=True, slots=True)
class Form:
    """One row: at one of `at`, a segment that `pattern` matches as a whole leads to `below`.

    Each named group of the pattern becomes an attribute of that name; `also` are attributes that the form itself
    says. `grade` is the best that these attributes can have; the walk lowers it below a delegated cgroup.
    """

    at: tuple[Place, ...]
    pattern: re.Pattern[str]
    below: Place
    also: tuple[tuple[str, str], ...] = ()
    grade: Grade = Grade.RUNTIME


def form(at: tuple[Place, ...], pattern: str, below: Place, grade: Grade = Grade.RUNTIME, **also: str) -> Form:
    """A row of a table; keyword arguments are the attributes that the form itself says."""
    return Form(at, re.compile(pattern, re.ASCII), below, tuple(also.items()), grade)
