"""The notes of an SSH session's recording: JSON with `kind` and the channel's number, counted from 1 in a flow."""

from __future__ import annotations

from hostagent.protocols.ssh.git_push import Pushed
from hostagent.protocols.ssh.transfer import Transfer
from hostagent.recording.encode import encoded


def channel_opened(channel: int, type: str, destination: str = "") -> bytes:
    """A channel of that type (`session`, `direct-tcpip`, …); `destination` of a forward: host:port or a path."""
    return encoded({"kind": "channel", "channel": channel, "type": type, "destination": destination})


def pty(channel: int, term: str, width: int, height: int) -> bytes:
    """The channel has a terminal, of so many columns and rows."""
    return encoded({"kind": "pty", "channel": channel, "term": term, "width": width, "height": height})


def resized(channel: int, width: int, height: int) -> bytes:
    """The terminal has another size now."""
    return encoded({"kind": "resize", "channel": channel, "width": width, "height": height})


def started(channel: int, request: str, command: str = "") -> bytes:
    """What runs in the channel: `exec`, `shell` or `subsystem`, with the command line or the subsystem's name."""
    return encoded({"kind": "start", "channel": channel, "request": request, "command": command})


def decided(channel: int, decision_note: bytes, text: str = "") -> bytes:
    """What `event.decision_note` gave, for that channel; `text`: the operation, as it may be recorded."""
    return b'{"channel":%d,"text":%b,%b' % (channel, encoded(text), decision_note[1:])


def transferred(channel: int, transfer: Transfer) -> bytes:
    """A file was read or written."""
    return encoded(
        {
            "kind": "transfer",
            "channel": channel,
            "path": transfer.path,
            "direction": transfer.direction,
            "bytes": transfer.bytes,
            "sha256": transfer.sha256,
            "why": transfer.why,
            "complete": transfer.complete,
        }
    )


def pushed(channel: int, push: Pushed) -> bytes:
    """The refs that git was asked to change; `whole`: those are all."""
    refs = [{"ref": update.ref, "old": update.old, "new": update.new} for update in push.refs]
    return encoded({"kind": "push", "channel": channel, "refs": refs, "whole": push.whole})


def ended(channel: int, status: int | None, signal: str, totals: tuple[int, int, int]) -> bytes:
    """The channel ended: exit status or signal where there was one, and bytes of input, output and error in all."""
    return encoded({"kind": "end", "channel": channel, "status": status, "signal": signal, "bytes": list(totals)})
