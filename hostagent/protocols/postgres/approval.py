"""What a PostgreSQL session needs while a human is asked: the values of a Bind, the notice, and the last word.

Source: PostgreSQL documentation, "Message Formats": Bind, NoticeResponse.
"""

from __future__ import annotations

import struct

from hostagent.approvals.values import CANCELLED, Bound
from hostagent.errors import PeerError
from hostagent.protocols.postgres import messages
from hostagent.protocols.postgres.denial import Denial, by_policy
from hostagent.values.decision import Decision

MAX_HELD = 256 << 10  # bytes of a message that is held: a human has to look at it
TOO_LARGE = f"a message of more than {MAX_HELD} bytes is not shown to a human: it cannot be approved"

_COUNT = struct.Struct(">H")
_LENGTH = struct.Struct(">i")
_NULL = -1


def bind_values(body: bytes, codec: str) -> tuple[Bound, ...]:
    """The values of a whole Bind message, without its header: text where it is valid in the session's encoding, else
    hex. Raises PeerError."""
    _, pos = messages.cstring(body, 0)
    _, pos = messages.cstring(body, pos)
    try:
        formats, pos = _numbers(body, pos)
        (count,) = _COUNT.unpack_from(body, pos)
        pos += 2
        if len(formats) not in (0, 1, count) or any(form not in (0, 1) for form in formats):
            raise PeerError("a Bind message with unknown formats")
        binary = [form == 1 for form in (formats * count if len(formats) == 1 else formats or (0,) * count)]
        values: list[Bound] = []
        for is_binary in binary:
            (length,) = _LENGTH.unpack_from(body, pos)
            pos += 4
            if length < _NULL or pos + max(0, length) > len(body):
                raise PeerError("a Bind message with a value of impossible length")
            values.append(_bound(None if length == _NULL else body[pos : pos + length], is_binary, codec))
            pos += max(0, length)
        _, pos = _numbers(body, pos)
    except struct.error:
        raise PeerError("a Bind message that ends too early") from None
    if pos != len(body):
        raise PeerError("a Bind message of the wrong length")
    return tuple(values)


def notice(decision_id: str, seconds: int, minimum: int) -> bytes:
    """The NoticeResponse for a client that waits."""
    people = "a human" if minimum == 1 else f"{minimum} humans"
    text = f"this statement waits for {people} to approve it: decision {decision_id}, for at most {seconds} s"
    hint = f"On this host: hostagent approvals show {decision_id}. Cancel, and it is withdrawn."
    fields = messages.error_response("NOTICE", "00000", text, hint=hint)[messages.HEADER_SIZE :]
    return messages.message(messages.NOTICE, fields)


def not_approved(decision: Decision) -> Denial:
    """The denial of a statement that no human let through; a cancelled one reads as the server's own word for it."""
    if decision.ruling.reason == CANCELLED:
        return Denial("57014", "canceling statement due to user request", "It waited for a human to approve it.")
    return by_policy(decision)


def _bound(raw: bytes | None, is_binary: bool, codec: str) -> Bound:
    if raw is None:
        return Bound("null")
    if not is_binary:
        try:
            return Bound("text", raw.decode(codec))
        except UnicodeDecodeError:
            pass  # shown as what it is
    return Bound("hex", raw.hex())


def _numbers(body: bytes, pos: int) -> tuple[tuple[int, ...], int]:
    (count,) = _COUNT.unpack_from(body, pos)
    return struct.unpack_from(f">{count}H", body, pos + 2), pos + 2 + 2 * count
