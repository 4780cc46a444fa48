"""The lexer: a text cut into tokens exactly as the server cuts it (sql/sql_lex.cc of MariaDB and MySQL).

It knows no grammar and finds no statement. Three rules:

1. What the server executes is never a comment: `/*! … */`, `/*!50101 … */` and MariaDB's `/*M!… */` are expanded by the
   server's version, or left out where the server leaves them out.
2. What it is not sure of is Unread: a number glued to a letter, a control character, an unclosed quote, a nested
   executable comment, an identifier with characters that no server takes.
3. A token says where it stands, so that a text can be edited without touching the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from hostagent.sql.mysql.modes import Reading
from hostagent.sql.mysql.tokens import Token, Type, Unread

MAX_TOKENS = 400_000  # takes about two seconds

_WORD = r"[A-Za-z_$\x80-\uffff][A-Za-z0-9_$\x80-\uffff]*"
# possessive: a doubled quote is never taken for two single ones
_BACKSLASHED = {"'": r"'(?:[^'\\]++|\\.|'')*+'", '"': r'"(?:[^"\\]++|\\.|"")*+"'}
_PLAIN = {"'": r"'(?:[^']++|'')*+'", '"': r'"(?:[^"]++|"")*+"'}
_NUMBER = r"0x[0-9A-Fa-f]+|0b[01]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_SIGN = r"<=>|->>|:=|<=|>=|<>|!=|<<|>>|\|\||&&|->|[-+*/%(),.;=<>!~^&|{}:]"
_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_COMMENT_START = re.compile(r"#|--(?=[\x00-\x20\x7f]|\Z)|/\*")
_VERSION = re.compile(r"[0-9]{5,6}")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_LOWER = {ord(c): ord(c) + 32 for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}  # keywords are ASCII, and so is their case


def _pattern(*, backslash: bool) -> re.Pattern[str]:
    quotes = _BACKSLASHED if backslash else _PLAIN
    single, double, back = quotes["'"], quotes['"'], "`(?:[^`]++|``)++`"
    part = r"[A-Za-z_][A-Za-z0-9_$]*"
    return re.compile(
        rf"(?P<space>[ \t\n\v\f\r]+)|(?P<word>{_WORD})|(?P<number>{_NUMBER})|(?P<single>{single})|(?P<double>{double})"
        rf"|(?P<back>{back})|(?P<system>@@{part}(?:\.{part}){{0,2}})"
        rf"|(?P<variable>@(?:[A-Za-z0-9_.$]+|{single}|{double}|{back}))|(?P<hole>\?)|(?P<sign>{_SIGN})",
        re.DOTALL,
    )


_PATTERNS = {True: _pattern(backslash=True), False: _pattern(backslash=False)}
_IDENTIFIER_CHARACTER = re.compile(r"[A-Za-z0-9_$\x80-\U0010ffff]")


def lex(text: str, how: Reading) -> list[Token]:
    """All tokens of a text and one END. Raises Unread."""
    tokens = list(islice(_Lexer(text, how).tokens(), MAX_TOKENS + 1))
    if len(tokens) > MAX_TOKENS:
        raise Unread(f"the statement has more than {MAX_TOKENS} tokens")
    return tokens


class _Lexer:
    def __init__(self, text: str, how: Reading) -> None:
        self._text = text
        self._how = how
        self._expanded = False  # within an executable comment

    def tokens(self) -> Iterator[Token]:
        """The tokens, in order."""
        text, match = self._text, _PATTERNS[self._how.backslash].match
        at, last = 0, -1
        while at < len(text):
            if text[at] in "#-/" and _COMMENT_START.match(text, at):
                at = self._comment(at)
                continue
            if self._expanded and text.startswith("*/", at):
                self._expanded = False
                at += 2
                continue
            found = match(text, at)
            if found is None:
                raise Unread(f"the statement cannot be read at character {at + 1}")
            if found.lastgroup != "space":
                yield self._token(found, glued=at == last)
                last = found.end()
            at = found.end()
        if self._expanded:
            raise Unread("an executable comment is not closed")
        yield Token(Type.END, "", "", at, at, False)

    def _token(self, found: re.Match[str], *, glued: bool) -> Token:
        group, text = found.lastgroup, found.group()
        start, end = found.span()

        def token(kind: Type, value: str) -> Token:
            return Token(kind, value, text, start, end, glued)

        if group == "word":
            if text[0] == "$" and not self._how.mariadb:
                raise Unread("a name that begins with $ may be a quote")
            if text in ("x", "X", "b", "B"):
                self._check_digits(text, end)
            return token(Type.WORD, text.translate(_LOWER))
        if group == "sign":
            return token(Type.SIGN, text)
        if group == "number":
            self._check_number(start, end)
            return token(Type.NUMBER, text)
        if group == "hole":
            if _IDENTIFIER_CHARACTER.match(self._text, end):
                raise Unread("a placeholder is glued to a name")
            return token(Type.HOLE, "?")
        if group in ("system", "variable") and self._text[end : end + 1] > "\x7f":
            raise Unread("a variable has characters that are not ASCII")
        if group == "system":
            return token(Type.SYSTEM, text[2:].lower())
        if group == "variable":
            return token(Type.VARIABLE, self._variable(text[1:]))
        if group == "back" or (group == "double" and self._how.ansi_quotes):
            return token(Type.QUOTED, self._identifier(text))
        return token(Type.STRING, self._string(text))

    def _check_digits(self, prefix: str, end: int) -> None:
        """x'…' and b'…' are one literal, without any escapes."""
        if self._text[end : end + 1] != "'":
            return
        inside = self._text[end + 1 : self._text.find("'", end + 1)]
        digits = "01" if prefix in "bB" else "0123456789abcdefABCDEF"
        if inside.strip(digits) or (prefix in "xX" and len(inside) % 2):
            raise Unread("a hexadecimal or binary literal has other digits than it may have")

    def _check_number(self, start: int, end: int) -> None:
        text = self._text
        if _IDENTIFIER_CHARACTER.match(text, end) or text.startswith(".", end):
            raise Unread(f"a number is glued to something at character {end + 1}")
        if text[start] == "." and start and (_IDENTIFIER_CHARACTER.match(text, start - 1) or text[start - 1] in "`\"'"):
            raise Unread(f"a number is glued to a name at character {start + 1}")

    def _identifier(self, text: str) -> str:
        quote = text[0]
        name = text[1:-1].replace(quote * 2, quote)
        if not name or name[-1] == " " or any(c > "\uffff" or c < " " or c == "\x7f" for c in name):
            raise Unread("an identifier has characters that no identifier has")
        return name

    def _variable(self, text: str) -> str:
        if text[0] == "`":
            return self._identifier(text).lower()
        return (self._string(text) if text[0] in "'\"" else text).lower()

    def _string(self, text: str) -> str:
        quote, inside = text[0], text[1:-1]
        if not self._how.backslash or "\\" not in inside:
            return inside.replace(quote * 2, quote)

        def plain(match: re.Match[str]) -> str:
            escaped = match.group(1)
            if escaped is None:
                return quote
            return "\\" + escaped if escaped in "%_" else _ESCAPES.get(escaped, escaped)

        return re.sub(rf"\\(.)|{quote}{quote}", plain, inside, flags=re.DOTALL)

    def _comment(self, at: int) -> int:
        """Where reading goes on after the comment that begins here."""
        text = self._text
        if not text.startswith("/*", at):
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            self._check_comment(text[at:end])
            return end
        if text.startswith("/*!", at):
            return self._executable(at, at + 3, own=False)
        if text.startswith("/*M!", at) and self._how.mariadb:
            return self._executable(at, at + 4, own=True)
        end = self._skip(at + 2, 0)
        self._check_comment(text[at:end])
        return end

    def _check_comment(self, comment: str) -> None:
        if _CONTROL.search(comment):
            raise Unread("a comment has control characters")
        if comment.startswith("/*+") and "set_var" in comment.lower():
            raise Unread("a hint that changes settings is refused")

    def _executable(self, at: int, inside: int, *, own: bool) -> int:
        if self._expanded:
            raise Unread("an executable comment within another is refused")
        version = _VERSION.match(self._text, inside)
        if version is None or self._runs(int(version.group()), own=own):
            self._expanded = True
            return inside if version is None else version.end()
        end = self._skip(inside, 1)
        self._check_comment(self._text[at:end])
        return end

    def _runs(self, version: int, *, own: bool) -> bool:
        """Whether the server executes what is for that version: MariaDB leaves out what MySQL 5.7 and later knows."""
        if version > self._how.version:
            return False
        return not self._how.mariadb or own or not 50700 <= version <= 99999

    def _skip(self, at: int, nested: int) -> int:
        """The end of a comment; within one that is left out, comments nest once (consume_comment)."""
        text = self._text
        while True:
            end = text.find("*/", at)
            if end < 0:
                raise Unread("a comment is not closed")
            inner = text.find("/*", at, end + 1) if nested else -1
            if inner < 0:
                return end + 2
            at = self._skip(inner + 2, nested - 1)
