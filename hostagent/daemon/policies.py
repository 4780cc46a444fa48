"""The policy in force. A bad reload never replaces a good policy: it changes nothing but `error`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from hostagent.errors import FileError, HostError, Location
from hostagent.policy.load import load_policy
from hostagent.policy.locate import place_of
from hostagent.policy.login import CredentialEntry
from hostagent.policy.model import Policy
from hostagent.policy.targets import TargetEntry


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

    def target(self, name: str) -> TargetEntry:
        """A target of the policy in force. Raises HostError for a name that it does not have."""
        for target in self.current.targets:
            if target.name == name:
                return target
        raise HostError(f"the policy in force has no target {name!r}")

    def place_of(self, which: str, name: str) -> Location:
        """Where the files say that entry, such as the credential `orders`; the directory where they do not any more."""
        return place_of(self.directory, which, name) or Location(str(self.directory))

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
