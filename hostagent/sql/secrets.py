"""Where a statement may carry a password, by its text alone."""

from __future__ import annotations

import re

MASK = "'***'"

# A word for a secret, or a URL with a password in it.
SECRET = re.compile(
    r"passw|pwd|passphrase|secret|token|credential|conninfo|api_?key|://[^\s/@:]*:[^\s@]*@", re.IGNORECASE
)

# A secret with its value: `password=…`, `password '…'`, a URL.
SECRET_VALUE = re.compile(
    r"(?:passw\w*|pwd|passphrase|secret)[\"\s]*(?:=|:=|'|\$|[eE]'|[uU]&')|://[^\s/@:]*:[^\s@]*@", re.IGNORECASE
)


def cut_at_secret(text: str) -> str:
    """What may be recorded of a text that was not analyzed: all before the first word that may announce a secret."""
    found = SECRET.search(text)
    return text if found is None else f"{text[: found.start()]}***"
