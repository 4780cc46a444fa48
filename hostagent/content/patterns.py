"""What each detector looks for: patterns in RE2 syntax over bytes, and what must hold of what they find.

Three parts, each implied by the one before, and each bounded, so that the cost is linear and a stream can be cut:

1. `exact` finds candidates; `\\b` is between ASCII letters, digits or `_` and anything else. A candidate is at most
   `reach` bytes long. `confirm` gives how many of its bytes are a match, 0 for none.
2. `loose` stands in every match, with at most two bytes before it. It is looked for in whole messages, so it takes
   what may stand beside a value, such as a length field that ends like a digit, for what it may be: see `_APART`.
   `bare` is that without what stands beside it, for messages in which any byte may.
3. `tail` are bytes that belong to a match for as long as they follow it: the rest of a token, the body of a key.

A match that a byte of `joins` ties to another digit is part of something longer (`0.4111111111111111`), and is none;
nor is one that stands behind such a byte at the beginning of a value (`.4111111111111111`).

A pattern may be wrong on either side: this is a second net. Where a number has no check digit it must be written in
the one form that nothing else has, since what is found is destroyed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hostagent.content import checks

_DIGITS: Final = b"0123456789"
_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN: Final = _LETTERS + _DIGITS + b"_-"


class Pattern:
    """One detector's patterns. `confirm` is given the candidate."""

    __slots__ = ("bare", "confirm", "exact", "joins", "loose", "name", "reach", "tail")

    def __init__(
        self,
        name: str,
        loose: bytes,
        exact: bytes,
        reach: int,
        confirm: Callable[[bytes], int] = len,
        tail: bytes = b"",
        joins: bytes = b"",
    ) -> None:
        self.name: Final = name
        self.loose: Final = loose
        self.bare: Final = loose.removeprefix(_APART).removesuffix(_ENDS)
        self.exact: Final = exact
        self.reach: Final = reach
        self.confirm: Final = confirm
        self.tail: Final = tail
        self.joins: Final = joins


def _card(candidate: bytes) -> int:
    """The longest run of whole groups that is a card number: what follows one may be its code, or another number."""
    found = 0
    digits = b""
    for separators, group in enumerate(candidate.replace(b"-", b" ").split(b" ")):
        digits += group
        if len(digits) > 19:
            break
        if len(digits) >= 13 and checks.card(digits):
            found = len(digits) + separators
    return found


def _iban(candidate: bytes) -> int:
    length = checks.IBAN_LENGTHS.get(candidate[:2].decode("ascii"), 0)
    plain = candidate.replace(b" ", b"")[:length]
    if length == 0 or len(plain) < length or not checks.iban(plain):
        return 0
    taken = length
    while len(candidate[:taken].replace(b" ", b"")) < length:
        taken += 1
    return taken if candidate[taken : taken + 1] in (b"", b" ") else 0


def _checked(holds: Callable[[bytes], bool]) -> Callable[[bytes], int]:
    def confirm(candidate: bytes) -> int:
        return len(candidate) if holds(candidate) else 0

    return confirm


def _bearer(candidate: bytes) -> int:
    """A token has digits and letters; `bearer certificates-of-deposit` has none."""
    token = candidate[6:].lstrip(b" :=")
    return len(candidate) if any(c in _DIGITS for c in token) and any(c in _LETTERS for c in token) else 0


# Where a number may begin: at the beginning of the text; behind what is neither digit nor point; behind a point that
# is behind no digit; behind a length field up to 1 MiB that ends like a digit or point. The last are written so that
# they do not fit 0.4111111111111111 behind its own length field, \0\0\0\x12: columns of such numbers are frequent.
_APART: Final = rb"(?s:^|[^0-9.]|[^0-9]\.|\x00\x00.[0-9.]|\x00[\x01-\x10].[0-9.])"
_ENDS: Final = rb"(?:[^0-9]|$)"  # behind a value stands a length field, a message type, or nothing: never a digit
_SSN: Final = rb"[0-9]{3}-[0-9]{2}-[0-9]{4}"
_CPF: Final = rb"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"
_NIR: Final = rb"[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"
_CODICE: Final = rb"[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]"
_CN: Final = rb"[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9X]"
_PEM: Final = rb"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_GITHUB: Final = rb"gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{22}_"
_SLACK: Final = rb"xox[abeoprs]-[0-9A-Za-z-]{10}|xapp-[0-9]-[0-9A-Za-z-]{10}"
_STRIPE: Final = rb"[rs]k_live_[0-9A-Za-z]{16}"

PATTERNS: Final = (
    Pattern(
        "card",
        _APART
        + rb"[2-6](?:[0-9]{12,18}|[0-9]{6,}[ -][0-9]{3,}|[0-9]{3,}[ -](?:[0-9]{7,}|[0-9]{4,}[ -][0-9]{3,}))"
        + _ENDS,
        rb"\b[2-6][0-9]{3,18}(?:[ -][0-9]{4,15}){0,3}(?:[ -][0-9]{3,15})?\b",
        84,
        _card,
        joins=b".",
    ),
    Pattern(
        "iban",
        rb"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11}",
        rb"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}\b",
        64,
        _iban,
    ),
    Pattern("us_ssn", _SSN, rb"\b" + _SSN + rb"\b", 11, _checked(checks.us_ssn), joins=b"-."),
    Pattern("br_cpf", _CPF, rb"\b" + _CPF + rb"\b", 14, _checked(checks.br_cpf), joins=b"-."),
    Pattern("fr_nir", _APART + _NIR + _ENDS, rb"\b" + _NIR + rb"\b", 21, _checked(checks.fr_nir), joins=b"."),
    Pattern("it_codice_fiscale", _CODICE, rb"\b" + _CODICE + rb"\b", 16, _checked(checks.it_codice_fiscale)),
    Pattern("cn_resident_id", _APART + _CN, rb"\b" + _CN + rb"\b", 18, _checked(checks.cn_resident_id), joins=b"."),
    Pattern("private_key", _PEM, _PEM, 96, tail=_TOKEN + b"+/=\\ \t\r\n:,.()@"),
    Pattern("aws_access_key", rb"A(?:KIA|SIA)[A-Z2-7]{16}", rb"\bA(?:KIA|SIA)[A-Z2-7]{16}\b", 20),
    Pattern("github_token", _GITHUB, rb"\b(?:" + _GITHUB + rb")", 40, tail=_TOKEN),
    Pattern("slack_token", _SLACK, rb"\b(?:" + _SLACK + rb")", 20, tail=_TOKEN),
    Pattern("stripe_key", _STRIPE, rb"\b" + _STRIPE, 24, tail=_TOKEN),
    Pattern("google_api_key", rb"AIza[0-9A-Za-z_-]{35}", rb"\bAIza[0-9A-Za-z_-]{35}", 39, tail=_TOKEN),
    Pattern(
        "jwt",
        rb"eyJ[0-9A-Za-z_-]{8,}\.eyJ",
        rb"\beyJ[0-9A-Za-z_-]{8,900}\.eyJ",
        907,
        tail=_TOKEN + b".=",
    ),
    Pattern(
        "bearer",
        rb"(?i)bearer[ :=]{1,3}[0-9a-z._~+/-]{20}",
        rb"(?i)\bbearer[ :=]{1,3}[0-9a-z._~+/-]{20,64}",
        73,
        _bearer,
        tail=_TOKEN + b".~+/=",
    ),
)
NAMES: Final = tuple(pattern.name for pattern in PATTERNS)
