"""What is taken out of everything that leaves in a support bundle: values of secrets, and what looks like one.

Three sieves, each enough by itself for what it knows: fields by their name, in parsed files; text by its form (private
keys, passwords in URLs, `password=…`, tokens); and the very secrets of this host, wherever they turn up.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

GONE = "[redacted]"
LEAST = 4  # characters; a shorter value would take ordinary words out
MAX_SECRET = 64 << 10
_NAMED = re.compile(
    r"passw|pwd|passphrase|secret|token|api_?key|private|role_id|namespace$|^key$|^env|^value$|authorization|cookie",
    re.IGNORECASE,
)
_PLACES = ("file", "systemd", "ca_file", "cert_file", "key_file")  # say where something is, and are kept
_FORMS = (
    re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"(?<=://)[^\s/@\"']+(?=@)"),
    re.compile(r"(?<=[?&])[^\s\"'#]+"),
    re.compile(r"\b(?:eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|hv[sb]\.[\w-]{8,}|gh[pousr]_\w{16,}|AKIA\w{12,})"),
    re.compile(r"(?<=bearer )[^\s\"']+|(?<=basic )[^\s\"']+", re.IGNORECASE),
)
_SAID = re.compile(
    r"((?:passw\w*|pwd|passphrase|secret\w*|token|api_?key|pgpassword|mysql_pwd)[\"']?\s*(?::=|[=:]|\bis\b)\s*)"
    r"(?:(?P<quote>[\"'])(?:\\.|(?!(?P=quote))[^\n\\])*(?P=quote)|[\"'][^\n]*|(?!(?:null|true|false)\b)[^\s,;\"'{}\[\]]+)",
    re.IGNORECASE,
)


class Redaction:
    """The sieves, with the secrets of this host."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {form for secret in secrets for form in _forms(secret)}
        self._secrets = sorted(found, key=len, reverse=True)  # the longest first: one may begin another

    def text(self, text: str) -> str:
        """A text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, GONE)
        for form in _FORMS:
            text = form.sub(GONE, text)
        return _SAID.sub(lambda said: f"{said[1]}{said['quote'] or ''}{GONE}{said['quote'] or ''}", text)

    def data(self, value: Any, name: str = "") -> Any:
        """Plain data without secrets; `name` is the key that it stands under."""
        if isinstance(value, dict):
            return {key: self._member(str(key), inner) for key, inner in value.items()}
        if isinstance(value, list):
            if name == "command" and value:  # a helper's arguments: a secret among them is nobody's business
                return [self.data(value[0]), *[GONE] * (len(value) - 1)]
            return [self.data(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def _member(self, name: str, value: Any) -> Any:
        plain = isinstance(value, str | int | float) and not isinstance(value, bool)
        if plain and _NAMED.search(name) and name not in _PLACES:
            return GONE
        return self.data(value, name)


def secret_files(data: Any) -> Iterator[Path]:
    """The files with secrets that policy files or hostagent.yaml name: each `file` and `key_file` in them."""
    if isinstance(data, dict):
        for name, value in data.items():
            if name in ("file", "key_file") and isinstance(value, str):
                yield Path(value)
            else:
                yield from secret_files(value)
    elif isinstance(data, list):
        for item in data:
            yield from secret_files(item)


def secrets_in(files: Iterable[Path]) -> Iterator[str]:
    """What stands in them, whole and line by line; of those that cannot be read nothing can get out either."""
    for file in files:
        try:
            with file.open("rb") as stream:
                data = stream.read(MAX_SECRET)
        except OSError:
            continue
        text = data.decode("utf-8", "replace")
        yield text.strip()
        yield from (line.strip() for line in text.splitlines() if "-----" not in line)
        yield from (data.hex(), base64.b64encode(data).decode())


def _forms(secret: str) -> Iterator[str]:
    if len(secret) >= LEAST:
        yield secret
        yield json.dumps(secret)[1:-1]
        yield json.dumps(secret, ensure_ascii=False)[1:-1]
