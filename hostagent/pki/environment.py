"""An environment for runtimes with trust stores of their own: a directory with a bundle, and variables that name it.

    ca-bundle.pem    what the system trusts, and the host CA        truststore.jks   the same for Java
    hostagent-ca.env VARIABLE=VALUE lines: EnvironmentFile= of a unit, `docker run --env-file`, or `set -a; . FILE`

The variables replace a runtime's own list, so the bundle is the system's list as it is now and the host CA: a file for
hosts whose list changes is made again (`hostagent ca install` after an update of ca-certificates).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from hostagent.errors import HostError
from hostagent.pki.system_store import bundle, holds

BUNDLE, TRUSTSTORE, VARIABLES = "ca-bundle.pem", "truststore.jks", "hostagent-ca.env"
_JAVA_STORES = (Path("/etc/ssl/certs/java/cacerts"), Path("/etc/pki/java/cacerts"))
_PASSWORD = "changeit"  # noqa: S105  what every Java trust store is closed with; it guards nothing
_ALIAS = "hostagent"
KEYTOOL_SECONDS = 60.0


def install(directory: Path, pem: str) -> bool:
    """Make the directory's files for this certificate; False when they are there already. Raises HostError."""
    _require_plain(directory)
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    system = bundle()
    text = system.read_text("ascii", "replace").rstrip() + "\n" if system is not None else ""
    changed = _replace(directory / BUNDLE, text if holds(system, pem) else text + pem)
    java = shutil.which("keytool") is not None
    if java and (changed or not (directory / TRUSTSTORE).is_file()):
        _make_truststore(directory / TRUSTSTORE, pem)
    lines = [f"{name}={value}\n" for name, value in variables(directory, java).items()]
    return _replace(directory / VARIABLES, "".join(lines)) or changed


def uninstall(directory: Path) -> bool:
    """Remove the files, and the directory when nothing else is in it; False when none was there."""
    found = [file for name in (BUNDLE, TRUSTSTORE, VARIABLES) if (file := directory / name).is_file()]
    for file in found:
        file.unlink()
    if found and not any(directory.iterdir()):
        directory.rmdir()
    return bool(found)


def variables(directory: Path, java: bool) -> dict[str, str]:
    """The variables by name; each names who reads it in the manual (docs/credentials.md)."""
    file = str(directory / BUNDLE)
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
             "PGSSLROOTCERT")  # fmt: skip
    options = {"JAVA_TOOL_OPTIONS": f"-Djavax.net.ssl.trustStore={directory / TRUSTSTORE}"} if java else {}
    return dict.fromkeys(names, file) | options


def read_variables(directory: Path) -> dict[str, str]:
    """What the directory's file says. Raises HostError when there is none."""
    try:
        lines = (directory / VARIABLES).read_text().splitlines()
    except OSError as error:
        what = f"{directory / VARIABLES} cannot be read: {error.strerror}"
        raise HostError(what, f"hostagent ca install --environment {directory}") from None
    cut = (line.partition("=") for line in lines)
    return {name: value for name, found, value in cut if found}


def _require_plain(directory: Path) -> None:
    """The path stands in a file that shells, systemd and Docker read by rules of their own."""
    text = str(directory)
    if not directory.is_absolute() or not all(c.isalnum() or c in "/._-+@" for c in text):
        raise HostError(f"{text!r} cannot be named in an environment file", "give an absolute path of plain characters")


def _replace(file: Path, text: str) -> bool:
    if file.is_file() and file.read_text() == text:
        return False
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
    Path(name).chmod(0o644)
    Path(name).replace(file)
    return True


def _make_truststore(file: Path, pem: str) -> None:
    """The system's Java store (or none) with our certificate. JKS: one that is read needs no password for it."""
    with tempfile.TemporaryDirectory(dir=file.parent) as name:
        made, certificate = Path(name) / "store", Path(name) / "ca.pem"
        certificate.write_text(pem)
        system = next((path for path in _JAVA_STORES if path.is_file()), None)
        if system is not None:
            _keytool("-importkeystore", "-srckeystore", system, "-srcstorepass", _PASSWORD, "-destkeystore", made)
            _keytool("-delete", "-alias", _ALIAS, "-keystore", made, check=False)
        _keytool("-importcert", "-alias", _ALIAS, "-file", certificate, "-keystore", made)
        made.chmod(0o644)
        made.replace(file)


def _keytool(*arguments: object, check: bool = True) -> None:
    ending = ("-deststorepass", _PASSWORD, "-deststoretype", "JKS") if "-destkeystore" in arguments else (
        "-storepass", _PASSWORD, "-storetype", "JKS")  # fmt: skip
    command = ["keytool", *map(str, arguments), *ending, "-noprompt"]
    environment = {name: value for name, value in os.environ.items() if name != "JAVA_TOOL_OPTIONS"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=KEYTOOL_SECONDS, check=False,
            env=environment,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"keytool cannot be run: {error}") from None
    if check and done.returncode:
        last = (done.stdout.strip().splitlines() or [""])[-1]
        raise HostError(f"keytool {arguments[0]} failed: {last}", "is the Java of this host whole?")
