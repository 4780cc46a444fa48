"""A command line → the simple commands that `sh -c` makes of it, each its argv, and the files that it redirects.

This is no shell. It accepts only what dash and bash are known to read in the same way: literal words, quoted with `'`,
`"` and `\\`, joined by `;`, `&&`, `||`, `|` and newlines, with plain redirections. Everything else is `NotKnown`, with
what it is: an allow-list of characters and forms, so that what nobody thought of is refused.

- Outside quotes stand only `PLAIN` characters, blanks and operators; inside them, only printable ones, newline and tab.
- A word that the shell itself acts on (`if`, `eval`, `export`, `alias` …) does not begin a command: what is said of the
  rest of the line would not hold.
- What a program makes of its arguments and its input is its own affair, and that of who allows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from hostagent.ssh.paths import canonical

MAX_TEXT = 65_536  # characters; Linux takes at most 128 KiB in one argument, and `sh -c` gets the line as one
MAX_WORDS = 4_096  # of a command
MAX_COMMANDS = 256  # of a line; each is compared with each pattern, while others wait
STAR = "\ue000"  # stands for an unquoted `*` in the words of a pattern; not printable, so in no word of a command

PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-")
_BLANK = frozenset(" \t")
_ENDS = frozenset(" \t\n;|&<>")
_IN_QUOTES = frozenset("\n\t")
_SPECIAL = {
    "$": "`$` is replaced by the host's shell: write its value",
    "`": "a command in backticks is run by the host's shell: send it by itself",
    "*": "`*` is replaced by the host's shell: name the files, or quote it",
    "?": "`?` is replaced by the host's shell: name the files, or quote it",
    "[": "`[` is replaced by the host's shell: name the files, or quote it",
    "~": "`~` is replaced by the host's shell: write the directory, or quote it",
    "{": "shells do not agree on `{`: write the words out, or quote it",
    "(": "`(` begins a subshell or a function: send its commands by themselves",
    "#": "`#` can begin a comment: leave the comment out, or quote it",
    "!": "shells do not agree on `!`: put it in single quotes",
    "^": "shells do not agree on `^`: quote it",
}
# Reserved words of dash, bash, ksh and zsh; then builtins that run their arguments, or change what the rest means.
_OWN = """
if then else elif fi do done case esac while until for in select function time coproc { } ! [[ ]] repeat foreach end
nocorrect noglob namespace
eval exec command builtin source . trap alias unalias set unset export readonly declare typeset local let read readarray
mapfile getopts hash enable shopt shift return break continue jobs fg bg fc history compgen complete compopt bind caller
wait autoload emulate zmodload functions setopt unsetopt
"""
_SHELL_WORDS = frozenset(_OWN.split())
MOVES = frozenset(("cd", "chdir", "pushd", "popd"))


class NotKnown(ValueError):
    """What the host's shell would make of a command line is not known exactly; says why, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Line:
    """A command line taken apart. `files` are those that redirections open, canonical; /dev/null is not among them."""

    commands: tuple[tuple[str, ...], ...]
    files: tuple[str, ...] = ()


def parse(text: str) -> Line:
    """What `sh -c text` runs. Raises NotKnown."""
    if len(text) > MAX_TEXT:
        raise NotKnown(f"a command line has at most {MAX_TEXT} characters")
    line = _Reader(text, star=False).line()
    if any(command[0] in MOVES for command in line.commands) and any(f[0] != "/" for f in line.files):
        raise NotKnown("a relative redirection beside `cd`: write its path from `/` on")
    return line


def pattern_words(pattern: str) -> tuple[str, ...]:
    """The words of one simple command in which each unquoted `*` is STAR. Raises NotKnown."""
    line = _Reader(pattern, star=True).line()
    if len(line.commands) != 1 or line.files:
        raise NotKnown("a pattern is one command, without redirections")
    return line.commands[0]


@dataclass(slots=True)
class _Reader:
    text: str
    star: bool  # whether an unquoted `*` is read as STAR
    at: int = 0

    def line(self) -> Line:
        """All commands of the text."""
        commands: list[tuple[str, ...]] = []
        files: list[str] = []
        joined = ""  # the operator that waits for its second command
        while True:
            words = self._simple(files)
            operator = self._operator()
            if words:
                _check_command(words)
                commands.append(tuple(words))
                if len(commands) > MAX_COMMANDS:
                    raise NotKnown(f"a command line has at most {MAX_COMMANDS} commands")
                joined = operator if operator in ("&&", "||", "|") else ""
            elif joined or operator not in ("\n", ""):
                raise NotKnown(f"there is no command {'after' if joined else 'before'} `{joined or operator}`")
            if not operator:
                break
        if not commands:
            raise NotKnown("there is no command")
        return Line(tuple(commands), tuple(files))

    def _simple(self, files: list[str]) -> list[str]:
        """The words of the next simple command; the files that it redirects are added."""
        words: list[str] = []
        redirected = False
        while self._skip_blanks() not in ("", "\n", ";", "|", "&"):
            if self._peek() in "<>":
                self._redirection(files)
                redirected = True
                continue
            start = self.at
            word = self._word()
            if not (self._peek() in ("<", ">") and self.text[start : self.at].isdigit()):
                words.append(word)
            elif self.at - start > 1:
                raise NotKnown(f"shells do not agree on the redirection {self.text[start : self.at + 1]}")
            if len(words) > MAX_WORDS:
                raise NotKnown(f"a command has at most {MAX_WORDS} words")
        if redirected and not words:
            raise NotKnown("a redirection without a command")
        return words

    def _operator(self) -> str:
        """The operator after a command; empty at the end of the text."""
        one, two = self._peek(), self.text[self.at : self.at + 2]
        if two in ("&&", "||"):
            self.at += 2
            return two
        if one == "&":
            raise NotKnown("`&` runs a command in the background: nothing would wait for it")
        self.at += 1
        return one

    def _redirection(self, files: list[str]) -> None:
        operator = self.text[self.at : self.at + 2]
        if operator in ("<<", "<>", ">|"):
            raise NotKnown("a here-document: send its text as input" if operator == "<<" else f"`{operator}`: use `>`")
        if operator in (">&", "<&"):
            end = self.text[self.at + 3 : self.at + 4]
            if self.text[self.at + 2 : self.at + 3] not in tuple("0123456789") or (end and end not in " \t\n;|&"):
                raise NotKnown(f"`{operator}` is followed by one digit")
            self.at += 3
            return
        self.at += 2 if operator == ">>" else 1
        if self._skip_blanks() in ("", *_ENDS):
            raise NotKnown("a redirection without a file")
        file = self._word()
        if not file:
            raise NotKnown("a redirection without a file")
        if self._peek() in ("<", ">"):
            raise NotKnown("shells do not agree on two redirections without a blank between them")
        if STAR in file:
            raise NotKnown("a pattern is one command, without redirections")
        path = canonical(file)
        if path.startswith(("/dev/tcp/", "/dev/udp/")):
            raise NotKnown(f"bash makes a network connection of {path}")
        if file != "/dev/null":
            files.append(path)

    def _word(self) -> str:
        parts: list[str] = []
        if self._peek() == "=":
            raise NotKnown("shells do not agree on a word that begins with `=`: quote it")
        while (char := self._peek()) and char not in _ENDS:
            self.at += 1
            if char in PLAIN:
                parts.append(char)
            elif char == "'":
                parts.append(self._single_quoted())
            elif char == '"':
                parts.append(self._double_quoted())
            elif char == "\\":
                parts.append(self._escaped())
            elif char == "*" and self.star:
                parts.append(STAR)
            else:
                raise NotKnown(_why(char))
        return "".join(parts)

    def _single_quoted(self) -> str:
        end = self.text.find("'", self.at)
        if end < 0:
            raise NotKnown("a quote is not closed")
        quoted = self.text[self.at : end]
        for char in quoted:
            _check_quoted(char)
        self.at = end + 1
        return quoted

    def _double_quoted(self) -> str:
        parts: list[str] = []
        while char := self._peek():
            self.at += 1
            if char == '"':
                return "".join(parts)
            if char in "$`!":
                raise NotKnown(_SPECIAL[char])
            if char == "\\":
                if parts and not parts[-1].isascii():
                    raise NotKnown("encodings do not agree on `\\` here: use single quotes")
                char = self._escaped_in_quotes()
            _check_quoted(char[-1])
            parts.append(char)
        raise NotKnown("a quote is not closed")

    def _escaped_in_quotes(self) -> str:
        escaped = self._peek()
        if escaped == "\n":
            raise NotKnown("a line that goes on after `\\`: write it as one line")
        if escaped not in ("$", "`", '"', "\\"):
            return "\\"
        self.at += 1
        return escaped

    def _escaped(self) -> str:
        char = self._peek()
        if char == "\n":
            raise NotKnown("a line that goes on after `\\`: write it as one line")
        if not char or not (char.isascii() and char.isprintable()):
            raise NotKnown("`\\` is followed by a printable ASCII character")
        self.at += 1
        return char

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _skip_blanks(self) -> str:
        while (char := self._peek()) and char in _BLANK:
            self.at += 1
        return char


def _check_command(words: list[str]) -> None:
    """Raises NotKnown for what the shell itself acts on. `sh -c +x` is an option of sh, `%1` a job of bash."""
    name = words[0]
    if name in _SHELL_WORDS:
        raise NotKnown(f"`{name}` is the shell's own word: it changes what the line means")
    if not name or name[0] in "-+%" or "=" in name:
        raise NotKnown("a command begins with the name of a program, not with an assignment or option")
    evaluated = name in ("test", "[") and ("-v" in words or "-R" in words)
    if evaluated or (name == "printf" and words[1:] and words[1].startswith("-")):
        raise NotKnown(f"shells evaluate what follows an option of `{name}`")


def _check_quoted(char: str) -> None:
    if not (char.isprintable() or char in _IN_QUOTES):
        raise NotKnown(_why(char))


def _why(char: str) -> str:
    if "\ud800" <= char <= "\udfff":
        return "the command line is not UTF-8"
    if not char.isprintable():
        return f"the character U+{ord(char):04X} cannot be seen"
    if not char.isascii():
        return f"`{char}` stands outside quotes: put it in single quotes"
    return _SPECIAL.get(char, f"`{char}` stands outside quotes")
