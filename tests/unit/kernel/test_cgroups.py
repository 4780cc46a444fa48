from __future__ import annotations

from pathlib import Path

import pytest

from hostagent.errors import HostError
from hostagent.kernel import cgroups

V1 = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n"


@pytest.mark.parametrize(
    ("mounts", "root"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n", "/sys/fs/cgroup"),
        (V1 + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n", "/sys/fs/cgroup/unified"),
        ("none /mnt/a\\040b cgroup2 rw 0 0\n", "/mnt/a b"),
        ("none /chroot/sys/fs/cgroup cgroup2 rw 0 0\nnone /sys/fs/cgroup cgroup2 rw 0 0\n", "/sys/fs/cgroup"),
    ],
)
def test_the_v2_root_is_found_on_pure_and_hybrid_hosts(tmp_path: Path, mounts: str, root: str) -> None:
    (tmp_path / "mounts").write_text("proc /proc proc rw 0 0\n" + mounts)
    assert cgroups.find_cgroup2_root(tmp_path / "mounts") == Path(root)


def test_a_host_with_v1_only_is_a_host_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(V1)
    with pytest.raises(HostError, match="no cgroup v2") as caught:
        cgroups.find_cgroup2_root(tmp_path / "mounts")
    assert "unified_cgroup_hierarchy" in caught.value.hint


def test_walk_gives_paths_and_ids_that_lead_back(tmp_path: Path) -> None:
    (tmp_path / "a.slice" / "b.service").mkdir(parents=True)
    found = dict(cgroups.walk(tmp_path))
    assert set(found) == {"/", "/a.slice", "/a.slice/b.service"}
    assert found["/a.slice/b.service"] == cgroups.cgroup_id(tmp_path / "a.slice" / "b.service")
    assert cgroups.path_of(found["/a.slice"], tmp_path) == "/a.slice"
    assert cgroups.path_of(0, tmp_path) is None
