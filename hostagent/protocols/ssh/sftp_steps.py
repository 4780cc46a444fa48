"""What handling one SFTP request waits for, and how it ends. A handler is a generator: it yields Question and Ask, is
sent their answers, and returns Forward or Answered. Nothing of a request is sent on before its handler has returned."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from hostagent.protocols.ssh.sftp_messages import PERMISSION_DENIED, status
from hostagent.ssh.operation import Operation


@dataclass(frozen=True, slots=True)
class Question:
    """Requests of our own for the server: type and encoded fields of each. Answered by its replies, in that order."""

    requests: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """An operation to be decided. Answered by a Verdict."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided; `reason` is for the client."""

    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Forward:
    """The request goes to the server as `packet`, and its reply, of one of those types or STATUS, to the client.

    `answered` is given the reply and gives what the client gets.
    """

    packet: bytes
    replies: tuple[int, ...] = ()
    answered: Callable[[bytes], bytes] | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The client gets this reply, and the server nothing."""

    packet: bytes


End = Forward | Answered
Answer = list[bytes] | Verdict
Result = TypeVar("Result")
Steps = Generator[Question | Ask, Answer, Result]


def question(*requests: tuple[int, bytes]) -> Steps[list[bytes]]:
    """The server's replies."""
    answer = yield Question(requests)
    if not isinstance(answer, list):
        raise TypeError("a question is answered by replies")
    return answer


def denied(request_id: int, operation: Operation) -> Steps[Answered | None]:
    """Have it decided: None when it is allowed, else what the client is told."""
    answer = yield Ask(operation)
    if not isinstance(answer, Verdict):
        raise TypeError("an operation is answered by a verdict")
    return None if answer.allowed else Answered(status(request_id, PERMISSION_DENIED, answer.reason))
