"""What must be true before anything on the host is touched. Each failure is one clear error with its exit code."""

from __future__ import annotations

import os
import socket

from hostagent.daemon.config import Config
from hostagent.errors import HostError


class CannotStart(HostError):
    """The daemon cannot start here; `code` is its exit code (sysexits.h)."""

    def __init__(self, code: int, what: str, hint: str = "") -> None:
        self.code = code
        super().__init__(what, hint)


def require_root() -> None:
    """Raises CannotStart for another user than root."""
    if os.geteuid() != 0:
        hint = "start it by systemd (systemctl start hostagentd), or as root"
        raise CannotStart(os.EX_NOPERM, "hostagentd must start as root", hint)


def require_features(checks: list[tuple[str, str, str]]) -> None:
    """Raises CannotStart naming every kernel feature that is missing: (name, evidence, fix) each."""
    if checks:
        what = "this kernel lacks what enforcement needs: " + "; ".join(f"{n}: {evidence}" for n, evidence, _ in checks)
        raise CannotStart(os.EX_UNAVAILABLE, what, "; ".join(dict.fromkeys(fix for *_, fix in checks if fix)))


def require_own_listeners(config: Config, sockets: list[socket.socket]) -> None:
    """Raises CannotStart unless inherited listeners are one per family, on our port."""
    found = sorted((sock.family, sock.getsockname()[1]) for sock in sockets)
    if found != sorted([(socket.AF_INET, config.port), (socket.AF_INET6, config.port)]):
        hint = "ListenStream= in hostagentd.socket and `port` in hostagent.yaml must agree"
        raise CannotStart(os.EX_CONFIG, f"the inherited listeners do not fit port {config.port}", hint)
