from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from shells import PROGRAMS, SHELLS, Lab

from hostagent.ssh.shell import MAX_COMMANDS, MAX_TEXT, MAX_WORDS, STAR, Line, NotKnown, parse, pattern_words

ACCEPTED: list[tuple[str, Line]] = [
    ("a", Line((("a",),))),
    ("a b  c\td ", Line((("a", "b", "c", "d"),))),
    ("a;b", Line((("a",), ("b",)))),
    ("a; b;", Line((("a",), ("b",)))),
    ("a&&b||cc", Line((("a",), ("b",), ("cc",)))),
    ("a | b|cc", Line((("a",), ("b",), ("cc",)))),
    ("\n a\n\n b \n", Line((("a",), ("b",)))),
    ("a;\nb", Line((("a",), ("b",)))),
    ("a 'b c' \"d e\"", Line((("a", "b c", "d e"),))),
    ("a b'c'\"d\"\\e", Line((("a", "bcde"),))),
    ("a '' \"\"", Line((("a", "", ""),))),
    ("a 'x\ny\tz'", Line((("a", "x\ny\tz"),))),
    ("a '$x `y` \\ \" !'", Line((("a", '$x `y` \\ " !'),))),
    ('a "\\$x \\` \\\\ \\" \\z"', Line((("a", '$x ` \\ " \\z'),))),
    ("a \\$x \\; \\ \\'\\!", Line((("a", "$x", ";", " '!"),))),
    ("a 'x'\\''y'", Line((("a", "x'y"),))),
    ("a 'é世'", Line((("a", "é世"),))),
    ("a x=1 --y=z -- %s @ a:b,c+d", Line((("a", "x=1", "--y=z", "--", "%s", "@", "a:b,c+d"),))),
    ("a 'if' then", Line((("a", "if", "then"),))),
    ("a >f", Line((("a",),), ("f",))),
    ("a > f >>g <h", Line((("a",),), ("f", "g", "h"))),
    (">f a", Line((("a",),), ("f",))),
    ("a 2>f b", Line((("a", "b"),), ("f",))),
    ("a b2>f", Line((("a", "b2"),), ("f",))),
    ("a 2 >f", Line((("a", "2"),), ("f",))),
    ("a '2'>f", Line((("a", "2"),), ("f",))),
    ("a >'f g'", Line((("a",),), ("f g",))),
    ("a >/x/../y//z", Line((("a",),), ("/y/z",))),
    ("a 2>&1 >&2 0<&3", Line((("a",),))),
    ("a >/dev/null 2>/dev/null </dev/null", Line((("a",),))),
    ("a|b 2>&1|cc", Line((("a",), ("b",), ("cc",)))),
    ("cd /x && a >/y", Line((("cd", "/x"), ("a",)), ("/y",))),
    ("printf '%s' x", Line((("printf", "%s", "x"),))),
    ("test -e x", Line((("test", "-e", "x"),))),
]


@pytest.mark.parametrize(("text", "line"), ACCEPTED, ids=[text for text, _ in ACCEPTED])
def test_what_is_known_exactly(text: str, line: Line) -> None:
    assert parse(text) == line


REFUSED = [
    ("", "there is no command"),
    (" \n\t", "there is no command"),
    (";", "there is no command before `;`"),
    ("a;;b", "there is no command before `;`"),
    ("a\n;b", "there is no command before `;`"),
    ("a &&", "there is no command after `&&`"),
    ("a && && b", "there is no command after `&&`"),
    ("a |\nb", "there is no command after `|`"),
    ("| a", "there is no command before `|`"),
    ("a & b", "`&` runs a command in the background"),
    ("a &", "`&` runs"),
    ("a |& b", "`&` runs"),
    ("a &>f", "`&` runs"),
    ("a $b", "`$` is replaced by the host's shell"),
    ("a $", "`$`"),
    ('a "$b"', "`$`"),
    ("a $'b'", "`$`"),
    ("a `b`", "backticks"),
    ('a "`b`"', "backticks"),
    ("a *", "`*` is replaced"),
    ("a b?", "`?` is replaced"),
    ("a [b]", "`[` is replaced"),
    ("a b]", "`]` stands outside quotes"),
    ("a ~", "`~` is replaced"),
    ("a b~", "`~` is replaced"),
    ("a {b,c}", "`{`"),
    ("a (b)", "`(` begins"),
    ("a() { b; }", "`(` begins"),
    ("a #b", "`#` can begin a comment"),
    ("a b#c", "`#`"),
    ("! a", "`!`"),
    ('a "!"', "`!`"),
    ("a ^b", "`^`"),
    ("a =b", "begins with `=`"),
    ("a é", "stands outside quotes: put it in single quotes"),
    ("a \\\nb", "goes on after"),
    ('a "b\\\nc"', "goes on after"),
    ("a \\", "`\\` is followed"),
    ("a \\é", "`\\` is followed"),
    ("a 'b", "a quote is not closed"),
    ('a "b', "a quote is not closed"),
    ('a "b\\"', "a quote is not closed"),
    ('a "表\\\\"', "encodings do not agree"),
    ("a\0b", "U+0000"),
    ("a\rb", "U+000D"),
    ("a '\x1b[2J'", "U+001B"),
    ('a "\x7f"', "U+007F"),
    ("a\u00a0b", "U+00A0"),
    ("a '\u202e'", "U+202E"),
    ("a '\u200b'", "U+200B"),
    (f"a '{STAR}'", "U+E000"),
    ("a \udcff", "not UTF-8"),
    ("a '\udcff'", "not UTF-8"),
    ("a <<b", "here-document"),
    ("a <<<b", "here-document"),
    ("a <>b", "`<>`"),
    ("a >|b", "`>|`"),
    ("a >", "a redirection without a file"),
    ("a >;b", "a redirection without a file"),
    ("a >''", "a redirection without a file"),
    ("a >>>b", "a redirection without a file"),
    ("a >2>b", "two redirections without a blank"),
    ("a <1-2>b", "two redirections without a blank"),
    ("a;" * (MAX_COMMANDS + 1), "at most 256 commands"),
    ("a >&", "`>&` is followed by one digit"),
    ("a >&b", "`>&` is followed by one digit"),
    ("a >&-", "`>&` is followed by one digit"),
    ("a >&12", "`>&` is followed by one digit"),
    ("a >& 2", "`>&` is followed by one digit"),
    ("a 2>&1>b", "`>&` is followed by one digit"),
    ("a <(b)", "`(` begins"),
    (">b", "a redirection without a command"),
    ("a 12>b", "shells do not agree on the redirection 12>"),
    ("a >/dev/tcp/h/1", "bash makes a network connection"),
    ("a >//dev/./tcp/h/1", "bash makes a network connection"),
    ("a </dev/udp/h/1", "bash makes a network connection"),
    ("cd x && a >b", "a relative redirection beside `cd`"),
    ("x=1 a", "not with an assignment"),
    ("x=1", "not with an assignment"),
    ("'x=1' a", "not with an assignment"),
    ("+x", "not with an assignment"),
    ("+|b ", "not with an assignment"),
    ("%1", "not with an assignment"),
    ("-a", "not with an assignment"),
    ("'' a", "not with an assignment"),
    ("if a", "`if` is the shell's own word"),
    ("a; fi", "`fi` is the shell's own word"),
    ("'eval' a", "`eval` is the shell's own word"),
    ("\\alias a=b", "`alias` is the shell's own word"),
    ("a | while b", "`while` is the shell's own word"),
    ("test -v 'x[$(a)]'", "shells evaluate"),
    ("printf -v x y", "shells evaluate"),
    ("a" * (MAX_TEXT + 1), "at most 65536 characters"),
    ("a " * (MAX_WORDS + 1), "at most 4096 words"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED, ids=[text[:20] for text, _ in REFUSED])
def test_what_is_not(text: str, why: str) -> None:
    with pytest.raises(NotKnown) as caught:
        parse(text)
    assert why in str(caught.value)


def test_words_of_a_pattern() -> None:
    assert pattern_words("a * b'*' --c=* **") == ("a", STAR, "b*", f"--c={STAR}", STAR * 2)


@pytest.mark.parametrize("pattern", ["a; b", "a >b", "a >*", "a *>b", "a $b", "a ?", "", "*>b"])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(NotKnown):
        pattern_words(pattern)


# What follows runs real shells. PIECES are what shells give a meaning to, and what they do not.
PIECES = [
    *PROGRAMS, *(f"{program} " for program in PROGRAMS), " ", "  ", "\t", "\n", ";", "&&", "||", "|", "&",
    "'", "'", '"', '"', "\\", "\\\\", "$", "`", "*", "?", "[", "]", "{", "}", "~", "!", "#", "^", "%", "=", "+",
    ",", ".", "-", "@", "_", ":", "<", ">", ">>", ">&2", "2>", "2>&1", "(", ")", "1", "2", "é", "世", "\u0101",
    "$a", "${a}", "$(a)", "if", "then", "in", "a=", "-x", "b c", "'b c'", '"b c"', "''", '""', "\\\n", "\r", "\x81",
]  # fmt: skip
LIKELY = [
    " ",
    " ",
    *PROGRAMS,
    ";",
    "&&",
    "|",
    "\n",
    "'b c'",
    '"b c"',
    "''",
    "\\",
    "-x",
    "%",
    "2>&1",
    " >b ",
    "é",
    "1",
    "=",
]
PIECE = st.one_of(st.sampled_from(LIKELY), st.sampled_from(LIKELY), st.sampled_from(PIECES))
TEXTS = st.lists(PIECE, min_size=1, max_size=10).map("".join)
QUOTED = st.text(st.sampled_from("ab $`\\\"'!*?[]{}~#^&|;<>()\n\té世=%-/"), max_size=6)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("shells"))


def agree(lab: Lab, text: str, line: Line) -> None:
    """The programs that real shells start have the words that were parsed, and no other files are made."""
    expected = sorted(words for words in line.commands if words[0] in PROGRAMS)
    certain = not any(part in text for part in ("&&", "||", "<"))  # all of them run
    for shell in SHELLS:
        ran = lab.run(shell, text)
        if certain:
            assert ran.commands == expected, (shell, text)
        assert all(ran.commands.count(words) <= expected.count(words) for words in ran.commands), (shell, text)
        assert set(ran.files) <= set(line.files), (shell, text)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=TEXTS)
def test_shells_make_the_same_words_of_what_is_accepted(lab: Lab, text: str) -> None:
    try:
        line = parse(text)
    except NotKnown:
        assume(False)
        return
    assume(not any("/" in file or file in (".", "..") for file in line.files))
    agree(lab, text, line)


EXAMPLES = [text for text, _ in ACCEPTED if "/" not in text]


def known(text: str) -> bool:
    """Whether it is accepted."""
    with contextlib.suppress(NotKnown):
        parse(text)
        return True
    return False


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(TEXTS.filter(known) | st.sampled_from(EXAMPLES), min_size=2, max_size=3))
def test_lines_of_a_shells_input_are_each_what_they_are_alone(lab: Lab, lines: list[str]) -> None:
    parsed = [parse(line) for line in lines]
    files = {file for line in parsed for file in line.files}
    assume(not any("/" in file or file in (".", "..") for file in files))
    text = "".join(f"{line}\n" for line in lines)
    expected = sorted(words for line in parsed for words in line.commands if words[0] in PROGRAMS)
    for shell in SHELLS:
        ran = lab.run(shell, text, as_input=True)
        if not any(part in text for part in ("&&", "||", "<")):
            assert ran.commands == expected, (shell, text)
        assert all(ran.commands.count(words) <= expected.count(words) for words in ran.commands), (shell, text)
        assert set(ran.files) <= files, (shell, text)


def single(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(words=st.lists(st.tuples(st.sampled_from(PROGRAMS), st.lists(QUOTED, max_size=3)), min_size=1, max_size=3))
def test_whatever_is_in_single_quotes_is_accepted_and_the_same(lab: Lab, words: list[tuple[str, list[str]]]) -> None:
    text = "; ".join(" ".join([program, *map(single, arguments)]) for program, arguments in words)
    line = parse(text)
    assert line.commands == tuple((program, *arguments) for program, arguments in words)
    agree(lab, text, line)


@pytest.mark.parametrize("text", EXAMPLES)
def test_shells_agree_on_the_examples(lab: Lab, text: str) -> None:
    agree(lab, text, parse(text))


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        line = parse(text)
    except NotKnown as why:
        assert str(why)
    else:
        assert line.commands and all(words[0] for words in line.commands)
