"""The system-wide known_hosts of SSH clients: one line of ours in it, which makes our CA vouch for every host.

    @cert-authority * ecdsa-sha2-nistp256 AAAA… NAME-ca         /etc/ssh/ssh_known_hosts (GlobalKnownHostsFile)

Rule: other lines stay as they are; installing twice is installing once. Source: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hostagent.errors import HostError

SYSTEM_FILE = Path("/etc/ssh/ssh_known_hosts")


def install(file: Path, name: str, public_key: str) -> bool:
    """Have the file vouch for that CA under this name; False when it does. Raises HostError, PermissionError."""
    line = f"@cert-authority * {' '.join(public_key.split()[:2])} {name}-ca"
    lines = _lines(file)
    if line in lines and _ours(lines, name) == [line]:
        return False
    _write(file, [*(other for other in lines if other not in _ours(lines, name)), line])
    return True


def uninstall(file: Path, name: str) -> bool:
    """Take our line out; False when it is not there. Raises HostError, PermissionError."""
    lines = _lines(file)
    ours = _ours(lines, name)
    if ours:
        _write(file, [line for line in lines if line not in ours])
    return bool(ours)


def trusts(file: Path, public_key: str) -> bool:
    """Whether clients that read this file take host certificates of that CA. Raises HostError."""
    key = public_key.split()[:2]
    return any(line.split()[:1] == ["@cert-authority"] and line.split()[1:4] == ["*", *key] for line in _lines(file))


def _ours(lines: list[str], name: str) -> list[str]:
    return [line for line in lines if line.startswith("@cert-authority * ") and line.split()[4:] == [f"{name}-ca"]]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise HostError(f"{file} cannot be read: {error.strerror}") from None


def _write(file: Path, lines: list[str]) -> None:
    """In one step, so that no client ever reads half of it."""
    if file.is_symlink():
        raise HostError(f"{file} is a link", "name the file that it leads to")
    if not file.parent.is_dir():
        raise HostError(f"{file.parent} is no directory", "is an SSH client installed here?")
    if not lines:
        file.unlink(missing_ok=True)
        return
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o644
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, errors="surrogateescape") as made:
        made.write("\n".join(lines) + "\n")
    temporary = Path(made.name)
    temporary.chmod(mode)
    temporary.replace(file)
