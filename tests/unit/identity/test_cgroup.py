"""The table of cgroup paths: what each says, with its grade, and what hostile ones do not say."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.identity import cgroup
from hostagent.values.actor import Grade

ID = "0123456789abcdef" * 4
OTHER = "f" * 64
UID = "8dbc5577-d0e2-4706-8787-57d52c03ddf2"
UID_ = UID.replace("-", "_")
HASH = "89abcdef" * 4
USER = "/user.slice/user-1000.slice/user@1000.service"
LOGIN = {"slice": "user-1000.slice", "owner_uid": "1000"}
MANAGER = {**LOGIN, "unit": "user@1000.service"}
RUNNER = "actions.runner.acme-shop.build-1.service"
GITHUB = {"slice": "system.slice", "unit": RUNNER, "ci_scope": "acme-shop", "ci_runner": "build-1"} | {
    "ci_provider": "github"
}


def claimed(**names: str) -> dict[str, str]:
    return {name: f"?{value}" for name, value in names.items()}


def docker(container_id: str = ID) -> dict[str, str]:
    return {"container_id": container_id, "container_runtime": "docker"}


def scope(prefix: str, runtime: str, parent: str = "system.slice") -> dict[str, str]:
    unit = f"{prefix}-{ID}.scope"
    return {"slice": parent, "unit": unit, "container_id": ID, "container_runtime": runtime}


# path → attributes; a value that begins with "?" is claimed, the others are runtime-attested
SYSTEMD = {
    "/": {},
    "/init.scope": {"unit": "init.scope"},
    "/system.slice": {"slice": "system.slice"},
    "/system.slice/cron.service": {"slice": "system.slice", "unit": "cron.service"},
    "/system.slice/cups.socket": {"slice": "system.slice", "unit": "cups.socket"},
    "/system.slice/system-getty.slice/getty@tty1.service": {
        "slice": "system-getty.slice",
        "unit": "getty@tty1.service",
        "unit_instance": "tty1",
    },
    r"/system.slice/system-agent\x2dpool.slice/agent-pool@a\x2db.service": {
        "slice": r"system-agent\x2dpool.slice",
        "unit": r"agent-pool@a\x2db.service",
        "unit_instance": "a-b",
    },
    r"/system.slice/a\x2db.service": {"slice": "system.slice", "unit": r"a\x2db.service"},
    r"/system.slice/t@\xc3\xa4.service": {
        "slice": "system.slice",
        "unit": r"t@\xc3\xa4.service",
        "unit_instance": "ä",
    },
    "/system.slice/run-r0a1b2c3d.scope": {"slice": "system.slice", "unit": "run-r0a1b2c3d.scope"},
    "/user.slice/user-1000.slice/session-3.scope": {**LOGIN, "unit": "session-3.scope", "login_session": "3"},
    "/user.slice/user-1000.slice/session-c2.scope": {**LOGIN, "unit": "session-c2.scope", "login_session": "c2"},
    "/user.slice/user-1000.slice/user-runtime-dir@1000.service": {
        **LOGIN,
        "unit": "user-runtime-dir@1000.service",
        "unit_instance": "1000",
    },
    f"{USER}/init.scope": {**MANAGER, **claimed(user_unit="init.scope")},
    f"{USER}/app.slice/agent.service": {**MANAGER, **claimed(user_slice="app.slice", user_unit="agent.service")},
    f"{USER}/app.slice/app-org.gnome.Terminal.slice/vte-1.scope": {
        **MANAGER,
        **claimed(user_slice="app-org.gnome.Terminal.slice", user_unit="vte-1.scope"),
    },
    f"{USER}/session.slice/dbus.service": {**MANAGER, **claimed(user_slice="session.slice", user_unit="dbus.service")},
    r"/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/emulator": {
        "slice": "machine.slice",
        "unit": r"machine-qemu\x2d1\x2dvm.scope",
        "machine": "qemu-1-vm",
    },
    "/machine.slice/systemd-nspawn@web.service/payload": {
        "slice": "machine.slice",
        "unit": "systemd-nspawn@web.service",
        "machine": "web",
    },
}
CONTAINERS = {
    f"/docker/{ID}": docker(),
    f"/docker/{ID}/": None,
    f"/docker/buildx/{ID}/buildkit/xyz": docker(),
    f"/system.slice/docker-{ID}.scope": scope("docker", "docker"),
    f"/ci.slice/docker-{ID}.scope": scope("docker", "docker", "ci.slice"),
    f"/team/{ID}": claimed(container_id=ID),
    f"{USER}/user.slice/docker-{ID}.scope": {
        **MANAGER,
        **claimed(user_slice="user.slice", user_unit=f"docker-{ID}.scope", **docker()),
    },
    f"/default/{ID}": {"container_id": ID, "container_runtime": "containerd"},
    f"/k8s.io/{ID}": {"container_id": ID, "container_runtime": "containerd"},
    "/default/redis": {},
    f"/system.slice/nerdctl-{ID}.scope": scope("nerdctl", "containerd"),
    f"/system.slice/cri-containerd-{ID}.scope": scope("cri-containerd", "containerd"),
    f"/machine.slice/libpod-{ID}.scope": scope("libpod", "podman", "machine.slice"),
    f"/machine.slice/libpod-{ID}.scope/container": scope("libpod", "podman", "machine.slice"),
    f"/machine.slice/machine-libpod_pod_{OTHER}.slice/libpod-{ID}.scope": scope(
        "libpod", "podman", f"machine-libpod_pod_{OTHER}.slice"
    ),
    f"/machine.slice/libpod-conmon-{ID}.scope": {"slice": "machine.slice", "unit": f"libpod-conmon-{ID}.scope"},
    f"/libpod_parent/libpod-{ID}": {"container_id": ID, "container_runtime": "podman"},
    f"{USER}/user.slice/libpod-{ID}.scope/container": {
        **MANAGER,
        **claimed(user_slice="user.slice", user_unit=f"libpod-{ID}.scope", container_id=ID, container_runtime="podman"),
    },
    f"{USER}/user.slice/libpod-conmon-{ID}.scope": {
        **MANAGER,
        **claimed(user_slice="user.slice", user_unit=f"libpod-conmon-{ID}.scope"),
    },
}
_BURSTABLE = f"kubepods-burstable-pod{UID_}.slice"
_BEST_EFFORT = f"kubepods-besteffort-pod{UID_}.slice"
_BURSTABLE_SLICES = f"/kubepods.slice/kubepods-burstable.slice/{_BURSTABLE}"
KUBERNETES = {
    f"/kubepods/pod{UID}/{ID}": {"pod_uid": UID, "container_id": ID},
    f"/kubepods/burstable/pod{UID}/{ID}": {"pod_uid": UID, "container_id": ID},
    f"/kubepods/besteffort/pod{UID}/{ID}": {"pod_uid": UID, "container_id": ID},
    f"/kubepods/besteffort/pod{UID}": {"pod_uid": UID},
    f"/kubepods/burstable/pod{HASH}/{ID}": {"static_pod_hash": HASH, "container_id": ID},
    f"/kubepods/pod{UID}/crio-{ID}": {"pod_uid": UID, "container_id": ID, "container_runtime": "cri-o"},
    f"/kubepods/pod{UID}/crio-conmon-{ID}": {"pod_uid": UID},
    f"/kubelet/kubepods/burstable/pod{UID}/{ID}": {"pod_uid": UID, "container_id": ID},
    f"{_BURSTABLE_SLICES}/cri-containerd-{ID}.scope": {
        **scope("cri-containerd", "containerd", _BURSTABLE),
        "pod_uid": UID,
    },
    f"/kubepods.slice/kubepods-besteffort.slice/{_BEST_EFFORT}/docker-{ID}.scope": {
        **scope("docker", "docker", _BEST_EFFORT),
        "pod_uid": UID,
    },
    f"/kubepods.slice/kubepods-pod{UID_}.slice/crio-{ID}.scope/container": {
        **scope("crio", "cri-o", f"kubepods-pod{UID_}.slice"),
        "pod_uid": UID,
    },
    f"/kubepods.slice/kubepods-pod{UID_}.slice/crio-conmon-{ID}.scope": {
        "slice": f"kubepods-pod{UID_}.slice",
        "pod_uid": UID,
        "unit": f"crio-conmon-{ID}.scope",
    },
    f"/kubepods.slice/kubepods-pod{HASH}.slice/cri-containerd-{ID}.scope": {
        **scope("cri-containerd", "containerd", f"kubepods-pod{HASH}.slice"),
        "static_pod_hash": HASH,
    },
    f"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{UID_}.slice/cri-containerd-{ID}.scope": {
        **scope("cri-containerd", "containerd", f"kubelet-kubepods-pod{UID_}.slice"),
        "pod_uid": UID,
    },
    f"/kubepods-burstable-pod{UID_}.slice:cri-containerd:{ID}": {
        "pod_uid": UID,
        "container_id": ID,
        "container_runtime": "containerd",
    },
    f"/system.slice/containerd.service/kubepods-pod{UID_}.slice:cri-containerd:{ID}": {
        "slice": "system.slice",
        "unit": "containerd.service",
        "pod_uid": UID,
        "container_id": ID,
        "container_runtime": "containerd",
    },
    # kind and k3s in a container: the outer container is attested, what its inside says is a claim of another name
    f"/docker/{ID}/kubepods/burstable/pod{UID}/{OTHER}": {
        **docker(),
        **claimed(nested_pod_uid=UID, nested_container_id=OTHER),
    },
    f"/system.slice/docker-{ID}.scope/kubelet/kubepods/pod{UID}/{OTHER}": {
        **scope("docker", "docker"),
        **claimed(nested_pod_uid=UID, nested_container_id=OTHER),
    },
    f"/docker/{ID}/system.slice/k3s.service": {
        **docker(),
        **claimed(nested_slice="system.slice", nested_unit="k3s.service"),
    },
}
CI = {
    f"/system.slice/{RUNNER}": GITHUB,
    f"/system.slice/{RUNNER}/job-123": {**GITHUB, **claimed(ci_job="123")},
    f"/system.slice/{RUNNER}/job-123/deeper": {**GITHUB, **claimed(ci_job="123")},
    "/system.slice/actions.runner.acme-my.repo.build.1.service": {
        "slice": "system.slice",
        "unit": "actions.runner.acme-my.repo.build.1.service",
        "ci_provider": "github",
    },
    f"/actions_job/{ID}": {"ci_provider": "github", **docker()},
    "/system.slice/gitlab-runner.service": {
        "slice": "system.slice",
        "unit": "gitlab-runner.service",
        "ci_provider": "gitlab",
    },
    f"/runner.slice/runner-slot.slice/runner-slot-4.slice/docker-{ID}.scope": {
        **scope("docker", "docker", "runner-slot-4.slice"),
        "ci_slot": "4",
        "ci_provider": "gitlab",
    },
    "/system.slice/buildkite-agent.service": {
        "slice": "system.slice",
        "unit": "buildkite-agent.service",
        "ci_provider": "buildkite",
    },
    "/system.slice/system-buildkite\\x2dagent.slice/buildkite-agent@2.service/job-9": {
        "slice": "system-buildkite\\x2dagent.slice",
        "unit": "buildkite-agent@2.service",
        "ci_runner": "2",
        "ci_provider": "buildkite",
        "ci_job": "?9",
    },
    "/system.slice/jenkins-agent.service": {
        "slice": "system.slice",
        "unit": "jenkins-agent.service",
        "ci_provider": "jenkins",
    },
}
_MIXED_CASE = ID.replace("a", "A")
HOSTILE = {
    # a child cgroup that a workload made in its own subtree and gave a fine name
    f"/system.slice/cron.service/docker-{ID}.scope": {"slice": "system.slice", "unit": "cron.service"},
    f"/system.slice/cron.service/kubepods/pod{UID}/{ID}": {"slice": "system.slice", "unit": "cron.service"},
    "/system.slice/cron.service/job-1": {"slice": "system.slice", "unit": "cron.service"},
    "/user.slice/user-1000.slice/session-3.scope/sshd.service": {
        **LOGIN,
        "unit": "session-3.scope",
        "login_session": "3",
    },
    f"/system.slice/{RUNNER}/docker-{ID}.scope": GITHUB,
    f"/system.slice/{RUNNER}/{RUNNER}": GITHUB,
    f"{USER}/system.slice/sshd.service": {
        **MANAGER,
        **claimed(user_slice="system.slice", user_unit="sshd.service"),
    },
    f"{USER}/kubepods/pod{UID}/{ID}": MANAGER,
    f"{USER}/app.slice/{RUNNER}": {**MANAGER, **claimed(user_slice="app.slice", user_unit=RUNNER)},
    f"/docker/{ID}/docker/{OTHER}": {
        **docker(),
        **claimed(nested_container_id=OTHER, nested_container_runtime="docker"),
    },
    f"/docker/{ID}/docker/{OTHER}/kubepods/pod{UID}": {
        **docker(),
        **claimed(nested_container_id=OTHER, nested_container_runtime="docker"),
    },
    f"/docker/{ID}/system.slice/{RUNNER}": {
        **docker(),
        "nested_slice": "?system.slice",
        "nested_unit": f"?{RUNNER}",
        "nested_ci_scope": "?acme-shop",
        "nested_ci_runner": "?build-1",
        "nested_ci_provider": "?github",
    },
    # not quite an id, a UID or a name
    f"/docker/{ID[:63]}": {},
    f"/docker/{ID}0": {},
    f"/docker/{_MIXED_CASE}": {},
    f"/docker/x{ID}": {},
    f"/docker/{ID}x/{ID}": {},
    f"/system.slice/docker-{ID[:63]}.scope": {"slice": "system.slice", "unit": f"docker-{ID[:63]}.scope"},
    f"/system.slice/docker-{_MIXED_CASE}.scope": {"slice": "system.slice", "unit": f"docker-{_MIXED_CASE}.scope"},
    f"/system.slice/xdocker-{ID}.scope": {"slice": "system.slice", "unit": f"xdocker-{ID}.scope"},
    f"/kubepods/pod{UID_}/{ID}": {},
    f"/kubepods/pod{UID}x/{ID}": {},
    f"/kubepods/burstable/besteffort/pod{UID}/{ID}": {},
    f"/kubepods/pod{HASH[:31]}/{ID}": {},
    f"/a/b/{ID}": {},
    f"/{ID}": {},
    "/system.slice/actions.runner.service": {"slice": "system.slice", "unit": "actions.runner.service"},
    "/system.slice/jenkinsish.service": {"slice": "system.slice", "unit": "jenkinsish.service"},
    # slices where systemd does not put them, and a manager of another user
    f"/kubepods-pod{UID_}.slice/cri-containerd-{ID}.scope": {},
    f"/kubepods.slice/{_BURSTABLE}/cri-containerd-{ID}.scope": {"slice": "kubepods.slice"},
    "/system.slice/user-0.slice/session-1.scope": {"slice": "system.slice"},
    "/user.slice/user-1000.slice/user@0.service/app.slice/x.service": LOGIN,
    "/system.slice/user@1000.service/app.slice/x.service": {
        "slice": "system.slice",
        "unit": "user@1000.service",
        "unit_instance": "1000",
    },
    # what does not unescape to printable text stays as it is
    r"/system.slice/t@a\x0ab.service": {
        "slice": "system.slice",
        "unit": r"t@a\x0ab.service",
        "unit_instance": r"a\x0ab",
    },
    r"/system.slice/t@\xff.service": {"slice": "system.slice", "unit": r"t@\xff.service", "unit_instance": r"\xff"},
    "/system.slice/cron.service (deleted)": {"slice": "system.slice"},
    "/" + "/".join(["a"] * 2000): {},
}
NO_PATHS = (
    "",
    "docker",
    f"docker/{ID}",
    f"//docker/{ID}",
    f"/docker//{ID}",
    f"/docker/{ID}\n",
    "/system.slice/cron.service\n/docker",
    f"/../docker/{ID}",
    f"/docker/../{ID}",
    f"/./docker/{ID}",
    f"/docker/{ID}\0",
    "/system.slice/",
    "/" + "a" * 256,
    "/a" * 2049,
    "/system.slice/\udcff.service",
)


def as_text(path: str) -> dict[str, str]:
    found = cgroup.attributes(path)
    assert len({a.name for a in found}) == len(found)
    assert not any(a.grade is Grade.KERNEL for a in found)
    return {a.name: ("?" if a.grade is Grade.CLAIMED else "") + a.value for a in found}


@pytest.mark.parametrize(("path", "expected"), (SYSTEMD | CONTAINERS | KUBERNETES | CI | HOSTILE).items())
def test_a_path_says(path: str, expected: dict[str, str] | None) -> None:
    assert cgroup.is_path(path) is (expected is not None)
    assert as_text(path) == (expected or {})


@pytest.mark.parametrize("path", NO_PATHS)
def test_what_is_no_path_says_nothing(path: str) -> None:
    assert not cgroup.is_path(path)
    assert cgroup.attributes(path) == ()


_SEGMENTS = st.sampled_from(
    [segment for path in (SYSTEMD | CONTAINERS | KUBERNETES | CI | HOSTILE) for segment in path.split("/")[:9]]
)
_PATHS = st.one_of(st.text(), st.lists(st.one_of(_SEGMENTS, st.text()), max_size=9).map(lambda s: "/" + "/".join(s)))


@given(_PATHS)
def test_any_text_gives_attributes_that_hold_their_promise(path: str) -> None:
    found = {a.name: a for a in cgroup.attributes(path)}
    for name, attribute in found.items():
        assert attribute.value.isprintable()
        if name.endswith("container_id"):
            assert re.fullmatch("[0-9a-f]{64}", attribute.value)
        if name.endswith("pod_uid"):
            assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", attribute.value)
        if name.startswith(("nested_", "user_", "ci_job")):
            assert attribute.grade is Grade.CLAIMED


@given(st.lists(_SEGMENTS.filter(lambda s: s not in ("", ".", "..")), max_size=6))
def test_a_container_cannot_change_what_is_said_of_it(below: list[str]) -> None:
    for outer in (f"/docker/{ID}", f"/kubepods/pod{UID}/{ID}", f"/machine.slice/libpod-{ID}.scope/container"):
        inner = cgroup.attributes("/".join([outer, *below]))
        assert tuple(a for a in inner if not a.name.startswith("nested_")) == (
            cgroup.attributes(outer) if cgroup.is_path("/".join([outer, *below])) else ()
        )


@given(
    st.sampled_from([path for path in SYSTEMD | CONTAINERS | KUBERNETES | CI if path != "/" and cgroup.is_path(path)]),
    st.lists(_SEGMENTS, min_size=1, max_size=3),
)
def test_a_longer_path_never_changes_what_a_shorter_one_said(path: str, below: list[str]) -> None:
    longer = "/".join([path, *below])
    found = {a.name: a for a in cgroup.attributes(longer)}
    for attribute in cgroup.attributes(path) if cgroup.is_path(longer) else ():
        assert attribute.name in ("slice", "user_slice") or found[attribute.name] == attribute
