"""Small policies for one SSH target, and operations to ask about."""

from __future__ import annotations

from policy_samples import policy_of

from hostagent.policy.model import Policy
from hostagent.policy.ssh import decide_operation
from hostagent.ssh.exec import operations_of_exec
from hostagent.ssh.operation import Operation, SshKind
from hostagent.ssh.paths import canonical
from hostagent.values.decision import Ruling

HOST = "{name: host, protocol: ssh, match: {addresses: 10.0.0.7}, host_keys: {known_hosts: /k}, credential: own}"
OWN = "{name: own, user: deploy, systemd: key, ssh: {kind: key}}"


def rules(*lines: str, mode: str = "enforce") -> Policy:
    """A policy of rules for everybody at an SSH target; a line is `name effect {conditions}[, more keys]`."""
    text = f"mode: {mode}\ntargets: [{HOST}]\ncredentials: [{OWN}]\nrules:\n"
    for line in lines:
        name, effect, rest = line.split(" ", 2)
        text += f"  - {{name: {name}, actors: '*', targets: '*', {effect}: {rest}}}\n"
    return policy_of(text if lines else text + "  []\n")


def ask(policy: Policy, operation: Operation) -> Ruling:
    """What everybody's policy says at that target."""
    return decide_operation(policy, frozenset(), "host", operation)


def run(command: str, login: str = "deploy") -> Operation:
    """An exec request."""
    return operations_of_exec(command, login)[0]


def op(
    kind: str, *paths: str, login: str = "deploy", destination: str = "", name: str = "", below: bool = False
) -> Operation:
    """Another operation."""
    places = tuple(map(canonical, paths))
    return Operation(SshKind(kind), login, kind, (), places, destination, name, below=below)
