from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.policy import glob


def reference_word(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(reference_word(pattern[1:], text[i:]) for i in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and reference_word(pattern[1:], text[1:])


def reference_path(patterns: list[str], segments: list[str]) -> bool:
    if not patterns:
        return not segments
    if patterns[0] == "**":
        return any(reference_path(patterns[1:], segments[i:]) for i in range(len(segments) + 1))
    return bool(segments) and reference_word(patterns[0], segments[0]) and reference_path(patterns[1:], segments[1:])


@given(st.text("ab*?.", max_size=7), st.text("ab.\n", max_size=8))
def test_words_match_as_the_reference(pattern: str, text: str) -> None:
    assert bool(glob.word(pattern)(text)) == reference_word(pattern, text)


@given(
    st.lists(st.sampled_from(["**", "*", "a", "b", "a*", "?"]), min_size=1, max_size=6),
    st.lists(st.sampled_from(["a", "b", "ab"]), max_size=7),
)
def test_paths_match_as_the_reference(patterns: list[str], segments: list[str]) -> None:
    matched = glob.path_matches("/" + "/".join(patterns), "/" + "/".join(segments))
    assert matched == reference_path(patterns, segments)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/system.slice/x.service", "/system.slice/x.service", True),
        ("/system.slice/x.service", "/system.slice/x.service/child", False),
        ("/system.slice/*.service", "/system.slice/x.service", True),
        ("/system.slice/*", "/system.slice/a/b", False),
        ("/system.slice/**", "/system.slice/a/b", True),
        ("/system.slice/**", "/system.slice", True),
        ("/**/job-*", "/a/b/job-7", True),
        ("/**/job-*", "/a/b/job-7/c", False),
        ("/a\\x2db", "/a\\x2db", True),
        ("/", "/", True),
        ("/**", "/", True),
        ("/*", "/", False),
    ],
)
def test_paths(pattern: str, path: str, matches: bool) -> None:
    glob.check_path(pattern)
    assert glob.path_matches(pattern, path) is matches


@pytest.mark.parametrize("pattern", ["", "a[b]", "{a,b}", "a\nb", "a**", "x" * 5000])
def test_bad_words_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|paths"):
        glob.check_word(pattern)


@pytest.mark.parametrize("pattern", ["", "a/b", "/a**", "/a//b", "/a/", "/a/**b/c", "/[a]"])
def test_bad_paths_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|alone"):
        glob.check_path(pattern)


def test_matching_does_not_explode() -> None:
    started = time.perf_counter()
    assert not glob.word("*a" * 30 + "b")("a" * 4000)
    assert not glob.path_matches("/**/a" * 20 + "/b", "/a" * 1500)
    assert time.perf_counter() - started < 1


def test_the_reference_itself() -> None:
    words = ["".join(w) for n in range(3) for w in itertools.product("ab", repeat=n)]
    assert [w for w in words if reference_word("a*", w)] == ["a", "aa", "ab"]
