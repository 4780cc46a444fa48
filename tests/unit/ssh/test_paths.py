from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.ssh.paths import anywhere, canonical, climbs


@pytest.mark.parametrize(
    ("path", "made"),
    [
        ("/", "/"),
        ("//", "/"),
        ("/..", "/"),
        ("/a/../../b", "/b"),
        ("/a//b/./c/", "/a/b/c"),
        ("/a/b/..", "/a"),
        ("", "."),
        (".", "."),
        ("a/..", "."),
        ("a/../..", ".."),
        ("../a/../../b", "../../b"),
        ("./a b", "a b"),
        ("...", "..."),
        ("~/a", "~/a"),
    ],
)
def test_canonical(path: str, made: str) -> None:
    assert canonical(path) == made


PATHS = st.lists(st.sampled_from(["a", "b", "..", ".", "", "..."]), max_size=8).map("/".join)


@given(PATHS)
def test_canonical_is_what_the_text_says(path: str) -> None:
    made = canonical(path)
    assert canonical(made) == made
    assert made == posixpath.normpath(path).replace("//", "/")
    assert ".." not in made.lstrip("./").split("/")


@pytest.mark.parametrize("path", ["/a/..", "a/../b", "../a/..", "/a/b/../c"])
def test_climbs(path: str) -> None:
    assert climbs(path)


@pytest.mark.parametrize("path", ["/..", "../a", "../../a", "/a/b", "./../a", "a..b/c"])
def test_does_not_climb(path: str) -> None:
    assert not climbs(path)


@pytest.mark.parametrize(
    ("path", "is_anywhere"),
    [
        ("..", True),
        ("../a", True),
        ("~x", True),
        ("a", False),
        ("/a", False),
        ("/a" * 256, False),
        ("/a" * 257, True),
        ("/" + "a" * 4096, True),
    ],
)
def test_anywhere(path: str, is_anywhere: bool) -> None:
    assert anywhere(path) is is_anywhere
