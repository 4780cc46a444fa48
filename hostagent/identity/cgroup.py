"""A cgroup v2 path → attributes: a walk from the root downwards over a literal table of forms.

It is no reader of files: the path is what the kernel wrote at connect(). It looks nothing up; systemd, container,
kubernetes and ci hold the rows.

Rules
1.  Each segment must match a row of the place where it stands as a whole; the first row decides, nothing is tried
    twice. A segment that no row matches ends the walk: what was found above it stays, nothing below is guessed.
2.  The outermost container wins. Names below a delegated cgroup (a container, a user manager, a runner's service) are
    the workload's own: *claimed*. Those below a container moreover get other names: `nested_pod_uid`, never `pod_uid`.
3.  The kernel attests the path, which is `Actor.cgroup`. What the names in it mean is the word of who made them
    (systemd, a runtime, the kubelet): never better than *runtime-attested*. Whoever is root on the host can make any
    cgroup; against root these attributes prove nothing.
4.  A contradiction (a slice in the wrong slice, another user's manager) ends the walk.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from hostagent.identity import ci, container, kubernetes, systemd
from hostagent.identity.form import MAX_SEGMENT, Form, Place
from hostagent.values.actor import Attribute, Grade

MAX_PATH = 4096  # PATH_MAX, the size of the kernel's own buffer in /proc/PID/cgroup
CACHED_PATHS = 4096  # some tens of bytes each; a host has hundreds of cgroups

_ROWS = (*ci.FORMS, *kubernetes.FORMS, *container.FORMS, *systemd.FORMS, *container.CUSTOM_PARENT_FORMS)
_TABLE: dict[Place, tuple[Form, ...]] = {place: tuple(row for row in _ROWS if place in row.at) for place in Place}
_SLICES = ("slice", "user_slice")


def is_path(path: str) -> bool:
    """Whether `path` can be one of the kernel's: absolute, no empty, `.` or `..` segment, no control character."""
    if path == "/":
        return True
    segments = path.split("/")
    return (
        len(path) <= MAX_PATH
        and len(segments) > 1
        and segments[0] == ""
        and all(0 < len(segment) <= MAX_SEGMENT and segment not in (".", "..") for segment in segments[1:])
        and path.isprintable()
    )


@lru_cache(CACHED_PATHS)
def attributes(path: str) -> tuple[Attribute, ...]:
    """What the names in `path` say, each attribute once, in the order of the path; none where it is no path."""
    if path == "/" or not is_path(path):
        return ()
    found, below = _walk(path.split("/")[1:], Grade.RUNTIME)
    if below[:1] == ["container"]:  # CRI-O and podman put the payload in a child of that name
        below = below[1:]
    nested, _ = _walk(below, Grade.CLAIMED)
    return (*found, *(Attribute(f"nested_{a.name}", a.value, a.grade) for a in nested))


def _walk(segments: list[str], ceiling: Grade) -> tuple[list[Attribute], list[str]]:
    """The attributes up to the outermost container, and the segments below it (none where there is no container)."""
    found: dict[str, Attribute] = {}
    place = Place.ROOT
    for position, segment in enumerate(segments):
        step = _step(place, segment)
        if step is None:
            break
        row, names = step
        if _contradicts(names, found):
            break
        grade = _worst((ceiling, row.grade, Grade.CLAIMED if place is Place.USER_MANAGER else Grade.RUNTIME))
        found |= {name: Attribute(name, value, grade) for name, value in names.items()}
        place = row.below
        if place is Place.CONTAINER:
            return list(found.values()), segments[position + 1 :]
    return list(found.values()), []


def _step(place: Place, segment: str) -> tuple[Form, dict[str, str]] | None:
    for row in _TABLE[place]:
        if match := row.pattern.fullmatch(segment):
            names = {name: _plain(name, value) for name, value in match.groupdict().items() if value is not None}
            return row, names | dict(row.also)
    return None


def _plain(name: str, value: str) -> str:
    if name in ("machine", "unit_instance"):
        return systemd.unescaped(value)
    return value.replace("_", "-") if name == "pod_uid" else value


def _contradicts(names: dict[str, str], found: dict[str, Attribute]) -> bool:
    for name, value in names.items():
        before = found[name].value if name in found else None
        if name in _SLICES:
            if systemd.parent_slice(value) != before:
                return True
        elif before is not None and before != value:
            return True
    return False


def _worst(grades: Iterable[Grade]) -> Grade:
    return min(grades, key=lambda grade: grade.rank)
