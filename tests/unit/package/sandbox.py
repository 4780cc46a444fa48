"""What a worker and an analyzer are confined by, as unit files, so that the same tool can judge them.

They are children of the daemon and no units. A child inherits the mounts, system call filters and limits of its unit;
what it gives up itself (`hostagent.privilege`, `hostagent.seccomp`, the analyzer's `confine`) is added here, read from
those modules. tests/unit/test_privilege.py and test_seccomp.py try each of these in real processes.
"""

from __future__ import annotations

import re

from hostagent import seccomp
from tools.package.description import ROOT

UNIT = ROOT / "systemd" / "hostagentd.service"
# Settings that a child has of its own, or that are about a service and not about a process.
_ITS_OWN = (
    "CapabilityBoundingSet", "Delegate", "ExecReload", "RestrictAddressFamilies", "RestrictNamespaces", "Sockets",
)  # fmt: skip
_FAMILIES = {1: "AF_UNIX", 2: "AF_INET", 10: "AF_INET6"}


def _inherited() -> str:
    text = UNIT.read_text()
    return re.sub(rf"^({'|'.join(_ITS_OWN)})=.*\n", "", text, flags=re.MULTILINE)


def _given_up() -> str:
    groups = " ".join(f"@{group}" for group in seccomp.GROUPS)
    return (
        # no capability is left, and no_new_privs lets none come back: the bounding set has nobody to give to
        f"CapabilityBoundingSet=\nRestrictNamespaces=yes\nSystemCallFilter=~{groups} {' '.join(seccomp.OTHERS)}\n"
    )


def supervisor() -> str:
    """The daemon itself, as its unit file has it."""
    return UNIT.read_text()


def worker() -> str:
    """A proxy worker."""
    families = " ".join(_FAMILIES[family] for family in seccomp.FAMILIES)
    own = f"User=hostagent-worker\nRestrictAddressFamilies={families}\n{_given_up()}"
    return _inherited().replace("\n[Install]", f"{own}\n[Install]")


def analyzer() -> str:
    """An analyzer: no socket at all, in a network namespace of its own."""
    own = f"User=hostagent-analyzer\nRestrictAddressFamilies=none\nPrivateNetwork=yes\n{_given_up()}"
    return _inherited().replace("\n[Install]", f"{own}SystemCallFilter=~socket connect\n\n[Install]")
