from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.kernel import patterns
from hostagent.kernel.layout import MAX_PATTERNS, PATTERN_BYTES, Verdict


@pytest.mark.parametrize(
    ("text", "path", "matches"),
    [
        ("/", "/", True),
        ("/", "/a", False),
        ("/agents.slice", "/agents.slice", True),
        ("/agents.slice", "/agents.slice/a", False),
        ("/agents.slice", "/agents-slice", False),
        ("/system.slice/actions.runner.*.service", "/system.slice/actions.runner.acme-x.box.service", True),
        ("/system.slice/actions.runner.*.service", "/system.slice/actions.runner./x.service", False),
        ("/system.slice/docker-*.scope", "/system.slice/docker-0f.scope", True),
        ("/system.slice/docker-*.scope", "/system.slice/docker-0f.scope.d", False),
        ("/*/x", "/a/x", True),
        ("/*/x", "/a/b/x", False),
        (r"/dev-disk-by\x2duuid.swap", r"/dev-disk-by\x2duuid.swap", True),
    ],
)
def test_a_pattern_matches_exactly_its_cgroups(text: str, path: str, matches: bool) -> None:
    assert patterns.compile(text).matches(path) is matches


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "agents.slice/x",
        "/a/",
        "//",
        "/a//b",
        "/a/../b",
        "/./a",
        "/**",
        "/a**",
        "/a\0",
        "/a\n",
        "/" + "a" * 247,
    ],
)
def test_a_bad_pattern_is_a_value_error_that_names_it(text: str) -> None:
    with pytest.raises(ValueError, match="cgroup pattern"):
        patterns.compile(text)


def test_the_longest_pattern_fits_the_struct() -> None:
    assert len(patterns.compile("/" + "a" * (PATTERN_BYTES - 2)).text) == PATTERN_BYTES - 1


def test_more_patterns_than_the_table_holds_are_refused() -> None:
    texts = [f"/a{i}" for i in range(MAX_PATTERNS)]
    assert len(patterns.compile_all(texts, [])) == len(patterns.compile_all(texts + texts, [])) == MAX_PATTERNS
    with pytest.raises(ValueError, match=f"at most {MAX_PATTERNS}"):
        patterns.compile_all(texts, ["/b"])


def test_exempt_wins_on_the_same_cgroup() -> None:
    found = patterns.compile_all(["/a", "/b"], ["/a", "/c"])
    verdicts = {path: patterns.verdict_of(path, found) for path in ("/a", "/b", "/c", "/d", "/a/b")}
    assert verdicts == {"/a": Verdict.EXEMPT, "/b": Verdict.GOVERN, "/c": Verdict.EXEMPT, "/d": None, "/a/b": None}


SEGMENT = st.text(alphabet="ab*.", min_size=1, max_size=6).filter(lambda s: s not in (".", "..") and "**" not in s)


@given(pattern=SEGMENT, name=st.text(alphabet="ab.", min_size=1, max_size=8))
def test_within_a_segment_a_star_is_that_of_fnmatch(pattern: str, name: str) -> None:
    assert patterns.compile(f"/{pattern}").matches(f"/{name}") is fnmatchcase(name, pattern)
