"""The policy in force. A bad reload never replaces a good policy: it changes nothing but `error`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from hostagent.errors import FileError, HostError
from hostagent.policy.load import load_policy
from hostagent.policy.model import CredentialEntry, Policy


class PolicyInForce:
    """The policy that workers decide by, and why the last reload failed (empty when it did not)."""

    def __init__(self, directory: Path) -> None:
        """Load the first policy. Raises FileError."""
        self.directory = directory
        self.current: Policy = load_policy(directory)
        self.loaded_at = time.time()
        self.error = ""

    def credential(self, name: str) -> CredentialEntry:
        """A credential of the policy in force. Raises HostError for a name that it does not have."""
        for credential in self.current.credentials:
            if credential.name == name:
                return credential
        raise HostError(f"the policy in force has no credential {name!r}")

    def hosts(self) -> Iterator[str]:
        """The host names that targets of the policy in force are given by."""
        for target in self.current.targets:
            yield from target.match.hosts or ()

    def reload(self) -> bool:
        """Read the files again; whether a policy took force. Does not raise: `error` says what is wrong."""
        try:
            policy = load_policy(self.directory)
        except FileError as error:
            self.error = str(error)
            return False
        self.current, self.loaded_at, self.error = policy, time.time(), ""
        return True
