"""Splits a psql script into the statements that psql would send.

Like psql's own lexer: quotes, dollar quotes, nested comments, parentheses, BEGIN ATOMIC; backslash commands are left
out, and so is the data after COPY … FROM STDIN. Variables: `:'x'` and `:"x"` are replaced by x; `:x` only where the
script has set x.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

TOKEN = re.compile(
    r"""
    (?P<string>[eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
  | (?P<line_comment>--[^\n]*)
  | (?P<comment>/\*)
  | (?P<variable>(?<!:):(?:'(?P<vs>\w+)'|"(?P<vq>\w+)"|(?P<vn>[A-Za-z_]\w*)))
  | (?P<backslash>\\(?:;|[^\n]*))
  | (?P<word>[^\W\d][\w$]*)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
SENDS = re.compile(r"\\(?:g|gx|gset|gexec|gdesc|crosstabview|bind|watch|bind_named|parse)\b")
COPY_IN = re.compile(r"\s*copy\b.*\bfrom\s+stdin\b", re.IGNORECASE | re.DOTALL)
ROUTINE = re.compile(r"\s*create\s+(?:or\s+replace\s+)?(?:function|procedure)\b", re.IGNORECASE)


def statements(script: str) -> Iterator[str]:
    """The statements of a script, in order, without their semicolon."""
    splitter = _Splitter(script)
    while (text := splitter.next()) is not None:
        if text.strip():
            yield text.strip()


class _Splitter:
    def __init__(self, script: str) -> None:
        self.script, self.at = script, 0
        self.variables: dict[str, str] = {}

    def next(self) -> str | None:
        buffer: list[str] = []
        parens = blocks = 0
        while self.at < len(self.script):
            match = TOKEN.match(self.script, self.at)
            assert match is not None
            kind, text = str(match.lastgroup), match.group()
            if kind in ("vs", "vq", "vn"):
                kind = "variable"
            if kind == "tag":
                kind = "dollar"
            self.at = match.end()
            if kind == "comment":
                self._comment()
                buffer.append(" ")
            elif kind == "backslash":
                if text == "\\;":
                    buffer.append(";")
                elif self._command(text, buffer):
                    return "".join(buffer)
            elif kind == "variable":
                buffer.append(self._variable(match))
            elif text == ";" and parens == 0 and blocks == 0:
                return self._ended("".join(buffer))
            else:
                parens = max(0, parens + (text == "(") - (text == ")"))
                if kind == "word" and (blocks or text.lower() == "atomic") and ROUTINE.match("".join(buffer)):
                    word = text.lower()
                    blocks += (word in ("atomic", "case")) - (word == "end")
                buffer.append(text)
        return "".join(buffer) if buffer else None

    def _comment(self) -> None:
        depth = 1
        for match in re.compile(r"/\*|\*/").finditer(self.script, self.at):
            depth += 1 if match.group() == "/*" else -1
            self.at = match.end()
            if depth == 0:
                return
        self.at = len(self.script)

    def _command(self, text: str, buffer: list[str]) -> bool:
        if setting := re.match(r"\\set\s+(\w+)\s+(.*)", text):
            self.variables[setting.group(1)] = setting.group(2).strip().strip("'")
        return SENDS.match(text) is not None and bool("".join(buffer).strip())

    def _variable(self, match: re.Match[str]) -> str:
        name = match.group("vs") or match.group("vq") or match.group("vn")
        if match.group("vs"):
            return f"'{name}'"
        if match.group("vq"):
            return f'"{name}"'
        return self.variables.get(name, match.group())

    def _ended(self, text: str) -> str:
        if COPY_IN.match(text):
            end = re.compile(r"^\\\.[^\n]*\n?", re.MULTILINE).search(self.script, self.at)
            if end is not None:
                self.at = end.end()
        return text
