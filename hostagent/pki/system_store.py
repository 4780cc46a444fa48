"""The trust store of the distribution: one file of ours in it, and the distribution's own command that takes it up.

    Debian, Ubuntu, Alpine   /usr/local/share/ca-certificates/NAME.crt    update-ca-certificates
    Fedora, RHEL             /etc/pki/ca-trust/source/anchors/NAME.pem    update-ca-trust extract
    SUSE                     /etc/pki/trust/anchors/NAME.pem              update-ca-certificates

What it is not: a list of who trusts us (`trust_probe`). Rule: installing twice is installing once, and uninstalling
leaves what was there before.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hostagent.errors import HostError

UPDATE_SECONDS = 600.0  # a hundred links by a shell script: minutes where the processor is emulated
_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
    Path("/etc/ssl/ca-bundle.pem"),
)


@dataclass(frozen=True, slots=True)
class SystemStore:
    """Where anchors are put, how they are named, and the commands that take up a new one and forget an old one."""

    anchors: Path
    suffix: str
    add: tuple[str, ...]
    forget: tuple[str, ...]

    def install(self, name: str, pem: str) -> bool:
        """Make the system trust this certificate; False when it did. Raises HostError, PermissionError."""
        file = self.file(name)
        if file.is_file() and file.read_text() == pem and holds(bundle(), pem):
            return False
        file.write_text(pem)
        file.chmod(0o644)
        _run(self.add)
        if not holds(bundle(), pem):
            raise HostError(f"{self.add[0]} did not take up {file}", "run it by hand to see why")
        return True

    def uninstall(self, name: str) -> bool:
        """Make the system forget it; False when nothing was there. Raises HostError, PermissionError."""
        file = self.file(name)
        if not file.is_file():
            return False
        pem = file.read_text()
        file.unlink()
        _run(self.forget)
        if holds(bundle(), pem):
            raise HostError(
                f"{self.forget[0]} still keeps what stood in {file}", "was it installed by another name too?"
            )
        return True

    def file(self, name: str) -> Path:
        """Our file in the store."""
        return self.anchors / f"{name}{self.suffix}"


_STORES = (
    SystemStore(Path("/etc/pki/ca-trust/source/anchors"), ".pem", ("update-ca-trust", "extract"),
                ("update-ca-trust", "extract")),
    SystemStore(Path("/etc/pki/trust/anchors"), ".pem", ("update-ca-certificates",), ("update-ca-certificates",)),
    SystemStore(Path("/usr/local/share/ca-certificates"), ".crt", ("update-ca-certificates",),
                ("update-ca-certificates", "--fresh")),  # without it the link to the removed file would stay
)  # fmt: skip


def system_store() -> SystemStore:
    """The store of this distribution. Raises HostError where there is none that we know."""
    for store in _STORES:
        if store.anchors.is_dir() and shutil.which(store.add[0]) is not None:
            return store
    raise HostError("this system has no trust store that is known here", "install the package ca-certificates")


def bundle() -> Path | None:
    """The file with all certificates that the system trusts, or None."""
    return next((path for path in _BUNDLES if path.is_file()), None)


def holds(file: Path | None, pem: str) -> bool:
    """Whether that certificate stands in a file of certificates."""
    return file is not None and file.is_file() and _body(pem) in "".join(file.read_text("ascii", "replace").split())


def _body(pem: str) -> str:
    """A certificate without line ends: writers fold the base64 at widths of their own."""
    return "".join(pem.split("-----")[2].split())


def _run(command: tuple[str, ...]) -> None:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=UPDATE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"{command[0]} cannot be run: {error}") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        raise HostError(f"{' '.join(command)} ended with status {done.returncode}: {last}", "run it by hand to see why")
