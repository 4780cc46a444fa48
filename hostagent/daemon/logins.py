"""What a worker needs to log in to a target, and to let its clients in: handed out by the target's name alone.

A worker is given the secret of the moment, the client certificate, and of the placeholder password only what checks a
proof. It names no file and no source; what goes wrong is told to the operator, with the place in the policy, and to the
worker in one sentence that names neither.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostagent.credentials.certificate import read_client_certificate
from hostagent.credentials.secret import Secret, Unavailable
from hostagent.credentials.sources import read_secret
from hostagent.credentials.store import Credentials, Entry
from hostagent.daemon import log
from hostagent.daemon.policies import PolicyInForce
from hostagent.errors import FileError, HostError
from hostagent.policy.login import SecretFile
from hostagent.policy.targets import TargetEntry
from hostagent.protocols.postgres.scram_server import SALT_BYTES, Verifier

Stamp = tuple[str, int, int, int]


class Logins:
    """The logins of the policy in force."""

    def __init__(self, policies: PolicyInForce, failed: Callable[[str], None]) -> None:
        """`failed` hears what went wrong, for `hostagent status`."""
        self._policies = policies
        self._failed = failed
        self._verifiers: dict[str, tuple[bytes, Verifier]] = {}
        self._certificates: dict[str, tuple[tuple[Stamp, Stamp], str]] = {}
        self.credentials = Credentials(self._credential_failed)

    async def of(self, target: str) -> dict[str, Any]:
        """The login of a target: `credential`, `placeholder` and `client_pem`. Raises HostError."""
        entry = self._policies.target(target)
        secret = await self.secret(entry.credential) if entry.credential is not None else None
        try:
            placeholder = self._placeholder(entry)
            client_pem = self._client_pem(entry)
        except FileError as error:
            self._tell("targets", target, error)
            raise HostError("what this target is logged in to with cannot be read") from None
        return {
            "credential": None if secret is None else {"user": secret.user, "secret": secret.secret},
            "placeholder": None if placeholder is None else placeholder.to_json(),
            "client_pem": client_pem,
        }

    async def secret(self, credential: str) -> Secret:
        """The secret of a credential. Raises HostError, which says no more than that there is none."""
        try:
            return await self.credentials.get(self._policies.credential(credential))
        except (FileError, Unavailable):
            raise HostError("the credential of this target cannot be read") from None

    def unusable(self, credential: str, error: HostError | FileError) -> HostError:
        """What a worker is told of a secret that cannot be used; the operator is told what is wrong with it."""
        self._tell("credentials", credential, error)
        return HostError("the credential of this target cannot be used")

    def reloaded(self) -> None:
        """The policy was read again: forget what it does not name, and ask again for what it does."""
        self.credentials.reload(self._policies.current.credentials)
        self._verifiers.clear()
        self._certificates.clear()

    def _placeholder(self, entry: TargetEntry) -> Verifier | None:
        """Kept while the file says the same: deriving it costs a millisecond, and its salt stays for clients that
        remember salted passwords."""
        source: SecretFile | None = entry.placeholder_password
        if source is None:
            return None
        password = read_secret(source, f"target {entry.name}: placeholder_password")
        digest = hashlib.sha256(password.encode()).digest()
        kept = self._verifiers.get(entry.name)
        if kept is None or kept[0] != digest:
            kept = self._verifiers[entry.name] = digest, Verifier.of(password, os.urandom(SALT_BYTES))
        return kept[1]

    def _client_pem(self, entry: TargetEntry) -> str:
        """Kept while both files stay as they are: checking an RSA key costs milliseconds."""
        cert_file, key_file = entry.tls.cert_file, entry.tls.key_file
        if cert_file is None or key_file is None:
            return ""
        stamps = _stamp(cert_file), _stamp(key_file)
        kept = self._certificates.get(entry.name)
        if kept is None or kept[0] != stamps:
            kept = self._certificates[entry.name] = stamps, read_client_certificate(cert_file, key_file, entry.name)
        return kept[1]

    def _credential_failed(self, entry: Entry, error: HostError | FileError) -> None:
        self._tell("credentials", entry.name, error)

    def _tell(self, which: str, name: str, error: HostError | FileError) -> None:
        place = self._policies.place_of(which, name)
        log.error("credential_unavailable", name=name, policy=place, error=error)
        self._failed(f"{place}: {error}")


def _stamp(file: str) -> Stamp:
    """What changes when the file or who can read it does."""
    try:
        status = Path(file).stat()
    except OSError:
        return file, 0, 0, 0  # reading it says what is wrong
    return file, status.st_ino, status.st_mode, status.st_ctime_ns
