"""The cgroup v2 tree: where it is mounted, its directories, and what their ids are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hostagent.errors import HostError

MOUNTS = Path("/proc/self/mounts")
USUAL = Path("/sys/fs/cgroup")  # systemd's mount point, and everybody's


def find_cgroup2_root(mounts: Path = MOUNTS) -> Path:
    """Where cgroup v2 is mounted: `/sys/fs/cgroup`, or `…/unified` on a hybrid host. HostError where only v1 is.

    A mount elsewhere, such as a chroot's, is taken only where there is none.
    """
    lines = [line.split(" ") for line in mounts.read_text().splitlines()]
    found = [_unescape(fields[1]) for fields in lines if len(fields) > 2 and fields[2] == "cgroup2"]
    if found:
        return Path(min(found, key=lambda path: not path.startswith(str(USUAL))))
    raise HostError(
        "no cgroup v2 hierarchy is mounted",
        "boot with systemd.unified_cgroup_hierarchy=1, or: mount -t cgroup2 none /sys/fs/cgroup/unified",
    )


def cgroup_id(directory: Path) -> int:
    """The id that the kernel gives a cgroup: on 64-bit kernels the inode number of its directory."""
    return directory.stat().st_ino


def path_in_tree(directory: Path, root: Path) -> str:
    """The cgroup path of a directory below `root`, as /proc/PID/cgroup shows it: `/` or `/a.slice/b.service`."""
    relative = directory.relative_to(root).as_posix()
    return "/" if relative == "." else f"/{relative}"


def walk(root: Path) -> Iterator[tuple[str, int]]:
    """(path, id) of each cgroup there is, parents before children; one that goes meanwhile is left out."""
    for directory, _, _ in os.walk(root):
        try:
            yield path_in_tree(Path(directory), root), cgroup_id(Path(directory))
        except FileNotFoundError:
            continue


def path_of(number: int, root: Path) -> str | None:
    """The path of the live cgroup with that id, or None."""
    return next((path for path, found in walk(root) if found == number), None)


def _unescape(field: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field
