"""The variables that a client wants set for what it runs: which of them go on."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from hostagent.policy.groups import HARMLESS_ENVIRONMENT
from hostagent.ssh.operation import Operation, SshKind

if TYPE_CHECKING:
    from hostagent.runtime.ssh.bridge import Bridge
    from hostagent.runtime.ssh.channel import SessionChannel

MAX_VARIABLES = 64


async def allowed_variables(
    bridge: Bridge, channel: SessionChannel, asked: Mapping[bytes, bytes]
) -> dict[bytes, bytes]:
    """Those of the locale, and those that the policy allows."""
    kept: dict[bytes, bytes] = {}
    for name, value in list(asked.items())[:MAX_VARIABLES]:
        text = name.decode("utf-8", "backslashreplace")
        operation = Operation(SshKind.ENV, bridge.user, f"environment variable {text}", name=text)
        if (
            any(fnmatchcase(text, pattern) for pattern in HARMLESS_ENVIRONMENT)
            and bridge.ruling(operation).verdict.forwards
        ):
            kept[name] = value  # every client sends some: no event each
        elif (await bridge.decide(operation, channel, channel.number)).forwards:
            kept[name] = value
    return kept
