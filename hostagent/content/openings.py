"""What may be the beginning of a match: bytes that a stream holds back when they stand at its end.

One pattern for each of `patterns.PATTERNS`, in RE2 syntax, to be followed by the end of the data. It fits every
beginning of what `exact` fits, and the whole: the byte behind it may make it part of something longer. It may fit more:
that is held for nothing until more comes.
"""

from __future__ import annotations

from typing import Final

_B: Final = rb"\b"


def _word(*words: bytes) -> bytes:
    """All beginnings of those words, the longest first."""
    return b"|".join(word[: size + 1] for word in words for size in reversed(range(len(word))))


_PEM: Final = rb"-{1,5}|-----(?:" + _word(b"BEGIN") + rb")|-----BEGIN [A-Z0-9 ]{0,72}-{0,5}"

OPENINGS: Final[dict[str, bytes]] = {
    "card": _B + rb"[2-6][0-9]{0,18}(?:[ -][0-9]{0,15}){0,4}",
    "iban": _B + rb"[A-Z]{1,2}(?:[0-9]{1,2}(?: ?[A-Z0-9]){0,30} ?)?",
    "us_ssn": _B + rb"[0-9]{1,3}(?:-(?:[0-9]{1,2}(?:-[0-9]{0,4})?)?)?",
    "br_cpf": _B + rb"[0-9]{1,3}(?:\.(?:[0-9]{1,3}(?:\.(?:[0-9]{1,3}(?:-[0-9]{0,2})?)?)?)?)?",
    "fr_nir": _B + rb"[12](?: ?[0-9AB]){0,14} ?",
    "it_codice_fiscale": _B + rb"[A-Z]{1,6}(?:[0-9A-Z]{0,10})",
    "cn_resident_id": _B + rb"[1-9][0-9]{0,16}[0-9X]?",
    "private_key": _PEM,
    "aws_access_key": _B + rb"A(?:[KS](?:I(?:A[A-Z2-7]{0,16})?)?)?",
    "github_token": _B
    + rb"(?:gh[pousr]?|gh[pousr]_[A-Za-z0-9]{0,36}|"
    + _word(b"github_pat_")
    + rb"|github_pat_[A-Za-z0-9]{0,22}_?)",
    "slack_token": _B
    + rb"(?:xo?|xox[abeoprs]?|xox[abeoprs]-[0-9A-Za-z-]{0,10}|xap?|xapp-?|xapp-[0-9]-?|xapp-[0-9]-[0-9A-Za-z-]{0,10})",
    "stripe_key": _B + rb"(?:[rs]k?|[rs]k_(?:" + _word(b"live") + rb")?|[rs]k_live_[0-9A-Za-z]{0,16})",
    "google_api_key": _B + rb"(?:" + _word(b"AIza") + rb"|AIza[0-9A-Za-z_-]{0,35})",
    "jwt": _B + rb"(?:ey?|eyJ[0-9A-Za-z_-]{0,900}(?:\.(?:ey?J?)?)?)",
    "bearer": _B + rb"(?i:" + _word(b"bearer") + rb"|bearer[ :=]{0,3}[0-9a-z._~+/-]{0,64})",
}
