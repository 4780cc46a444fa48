"""Containers outside Kubernetes, by the names of their cgroups: docker, containerd, CRI-O and podman.

A container id is 64 lower-case hex digits or it is none. The runtime made the name, hence *runtime-attested*; where
the path does not say who made the cgroup (a custom parent), or a user's own runtime did, it is *claimed*.
conmon's scopes (`libpod-conmon-…`, `crio-conmon-…`) hold no container's process: they stay plain units.
"""

from __future__ import annotations

from hostagent.identity.form import HEX64, Form, Place, form
from hostagent.values.actor import Grade

_ID = f"(?P<container_id>{HEX64})"
_SYSTEM = (Place.SLICE, Place.MACHINE, Place.LOGIN, Place.POD_SLICE)
_USER = (Place.USER_MANAGER,)


def _scopes(prefix: str, runtime: str) -> tuple[Form, Form]:
    scope = rf"{prefix}-{_ID}\.scope"
    return (
        form(_SYSTEM, f"(?P<unit>{scope})", Place.CONTAINER, container_runtime=runtime),
        form(_USER, f"(?P<user_unit>{scope})", Place.CONTAINER, container_runtime=runtime),
    )


FORMS = (
    # systemd driver: a scope in some slice; rootless: the same scope below user@UID.service
    *_scopes("docker", "docker"),
    *_scopes("nerdctl", "containerd"),
    *_scopes("cri-containerd", "containerd"),
    *_scopes("crio", "cri-o"),
    *_scopes("libpod", "podman"),
    # cgroupfs driver: /docker/ID, /docker/buildx/ID, /default/ID and /k8s.io/ID (namespaces), /libpod_parent/libpod-ID
    form((Place.ROOT,), "docker", Place.DOCKER),
    form((Place.DOCKER,), "buildx", Place.DOCKER),
    form((Place.DOCKER,), _ID, Place.CONTAINER, container_runtime="docker"),
    form((Place.ROOT,), r"default|k8s\.io", Place.CONTAINERD),
    form((Place.CONTAINERD,), _ID, Place.CONTAINER, container_runtime="containerd"),
    form((Place.ROOT,), "libpod_parent", Place.LIBPOD),
    form((Place.LIBPOD,), f"libpod-{_ID}", Place.CONTAINER, container_runtime="podman"),
)

# docker --cgroup-parent or another containerd namespace: /PARENT/ID. Whoever owns PARENT could have made it.
CUSTOM_PARENT_FORMS = (
    form((Place.ROOT,), "[A-Za-z0-9_.:@-]+", Place.CUSTOM_PARENT),
    form((Place.CUSTOM_PARENT,), _ID, Place.CONTAINER, Grade.CLAIMED),
)
