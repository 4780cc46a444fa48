"""Kubernetes pods, by the names that the kubelet gives their cgroups: hence *runtime-attested*.

Source: kubernetes pkg/kubelet/cm/{pod_container_manager,cgroup_manager}_linux.go. The cgroupfs driver writes the pod's
UID with dashes, the systemd driver with underscores; `pod_uid` always has dashes. A static pod's name carries the
hash of its manifest, which is not a UID that the API knows: `static_pod_hash`.
"""

from __future__ import annotations

from hostagent.identity.form import HEX64, Place, form

_ID = f"(?P<container_id>{HEX64})"
_STATIC = "(?P<static_pod_hash>[0-9a-f]{32})"
_POD = f"pod(?:(?P<pod_uid>[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})|{_STATIC})"
_POD_UNDERSCORES = f"pod(?:(?P<pod_uid>[0-9a-f]{{8}}(?:_[0-9a-f]{{4}}){{3}}_[0-9a-f]{{12}})|{_STATIC})"
_POD_SLICE = rf"(?:kubelet-)?kubepods(?:-burstable|-besteffort)?-{_POD_UNDERSCORES}\.slice"

FORMS = (
    # systemd driver; "a.slice:cri-containerd:ID" is what a cgroupfs containerd makes of a systemd kubelet's path
    form((Place.SLICE,), f"(?P<slice>{_POD_SLICE})", Place.POD_SLICE),
    form(
        (Place.ROOT, Place.SLICE, Place.QOS, Place.CONTAINERD_SERVICE),
        f"{_POD_SLICE}:cri-containerd:{_ID}",
        Place.CONTAINER,
        container_runtime="containerd",
    ),
    form((Place.SLICE,), r"(?P<unit>containerd\.service)", Place.CONTAINERD_SERVICE),
    # cgroupfs driver; kind puts it below /kubelet. A guaranteed pod has no class above it
    form((Place.ROOT,), "kubelet", Place.KUBELET),
    form((Place.ROOT, Place.KUBELET), "kubepods", Place.KUBEPODS),
    form((Place.KUBEPODS,), "burstable|besteffort", Place.QOS),
    form((Place.KUBEPODS, Place.QOS), _POD, Place.POD),
    form((Place.POD,), f"crio-{_ID}", Place.CONTAINER, container_runtime="cri-o"),
    form((Place.POD,), _ID, Place.CONTAINER),
)
