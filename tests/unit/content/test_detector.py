"""Detectors: what is found, what is left alone, and that pieces find what the whole does."""

from __future__ import annotations

from itertools import pairwise

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from hostagent.content.checks import luhn
from hostagent.content.detector import Detector, Finder, Text
from hostagent.content.patterns import NAMES, PATTERNS, Pattern
from tests.unit.content.samples import JWT, MATCHES, MISSES, PEM

ALL = Detector(NAMES)
ONE = {name: Detector([name]) for name in NAMES}
AROUND = (b"", b" ", b"(", b"\n", b"\t", b'"', b"\xc3\xa9", b"no: ", b"a\\n", b"\\\\t")


def test_every_detector_has_samples() -> None:
    assert set(NAMES) == set(MATCHES) == set(MISSES)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in MATCHES.items() for value in values])
def test_what_is_found(name: str, value: bytes) -> None:
    for before in AROUND:
        for after in (b"", b'"', b"'"):
            redacted, names = ONE[name].redact(before + value + after)
            assert redacted == before + b"*" * len(value) + after
            assert names == (name,)
    assert ALL.redact(value)[0] == b"*" * len(value)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in MISSES.items() for value in values])
def test_what_is_left_alone(name: str, value: bytes) -> None:
    assert ONE[name].redact(value) == (value, ())


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_what_matches_is_within_reach(pattern: Pattern) -> None:
    """The parts that can be longer are cut by the pattern, not by luck."""
    name = pattern.name
    long = {
        "card": b"4444444444444444444" + b" 444444444444444" * 4,
        "iban": b"MT84" + b" A" * 30,
        "jwt": b"eyJ" + b"a" * 900 + b".eyJ",
        "bearer": b"bearer : " + b"a1" * 40,
        "private_key": b"-----BEGIN " + b"ABCDEFGHIJKLMNOP " * 3 + b"PRIVATE KEY BLOCK-----",
    }
    for value in (*MATCHES[name], long.get(name, b"")):
        found = re2.search(pattern.exact, value)
        assert found is None or len(found.group()) <= pattern.reach


def test_what_follows_a_card_number_is_no_part_of_it() -> None:
    assert ALL.redact(b"4111 1111 1111 1111 123 12/27") == (b"******************* 123 12/27", ("card",))


def test_the_body_of_a_key_goes_with_its_header() -> None:
    assert ALL.redact(b'{"key":"' + PEM + b'","n":1}')[0] == b'{"key":"' + b"*" * len(PEM) + b'","n":1}'


def test_a_token_goes_to_its_end() -> None:
    assert ALL.redact(JWT * 3 + b" x") == (b"*" * len(JWT * 3) + b" x", ("jwt",))


def test_each_match_is_named() -> None:
    redacted, names = ALL.redact(b"123-45-6789, 4111111111111111; 899-99-9999")
    assert redacted == b"***********, ****************; ***********"
    assert names == ("card", "us_ssn", "us_ssn")


def test_observed_is_counted_and_stays() -> None:
    detector = Detector(["us_ssn"], ["card", "us_ssn"])
    value = b"123-45-6789 4111111111111111"
    assert detector.redact(value) == (b"*********** 4111111111111111", ("card", "us_ssn"))


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError):
        Detector(["cards"])


pieces = st.one_of(
    st.binary(max_size=12),
    st.text("0123456789 -.ADGX", max_size=24).map(str.encode),
    st.sampled_from([value for values in (*MATCHES.values(), *MISSES.values()) for value in values]),
    st.sampled_from([b"eyJ" + b"a" * 890, b" ", b"4" * 60, b"4444 " * 20, b"0", b".", b"\\n", b"\\"]),
)
values = st.lists(pieces, max_size=8).map(b"".join)


def fed(detector: Detector, value: bytes, cuts: list[int]) -> tuple[bytes, list[int]]:
    counts = [0] * len(detector.names)
    text = Text(detector, counts)
    places = [0, *sorted(min(cut, len(value)) for cut in cuts), len(value)]
    out = [text.feed(value[a:b], False) for a, b in pairwise(places)]
    return b"".join(out) + text.feed(b"", True), counts


@settings(max_examples=400, deadline=None)
@given(values, st.lists(st.integers(0, 3000), max_size=6))
def test_pieces_find_what_the_whole_does(value: bytes, cuts: list[int]) -> None:
    for detector in (ALL, ONE["card"], ONE["us_ssn"], ONE["bearer"]):
        whole, counts = fed(detector, value, [])
        names = tuple(name for name, count in zip(detector.names, counts, strict=True) for _ in range(count))
        assert detector.redact(value) == (whole, names)
        assert fed(detector, value, cuts) == (whole, counts)
        assert len(whole) == len(value)
        assert all(new in (old, ord("*")) for old, new in zip(value, whole, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_at_every_byte(name: str) -> None:
    value = b"a line before, " + MATCHES[name][0] + b"; and behind"
    whole = ALL.redact(value)[0]
    for size in (1, 2, 3):
        detector = ONE[name] if size == 3 else ALL
        out = fed(detector, value, list(range(0, len(value), size)))[0]
        assert out == (whole if detector is ALL else ONE[name].redact(value)[0])


@settings(max_examples=200, deadline=None)
@given(values)
def test_the_prefilter_hides_nothing(value: bytes) -> None:
    """What `exact` and `confirm` find without it, on all the value, is found with it."""
    for detector in ONE.values():
        finder = detector.finders[0]
        if finder.next(value, 0, len(value))[0] < len(value):
            assert detector.hits(value), detector.names


@settings(max_examples=200, deadline=None)
@given(
    st.text("0123456789", min_size=14, max_size=14),
    st.sampled_from([b"", b" ", b"-"]),
    st.text("abc ,;:()'\"\n\u00e9", max_size=30),
    st.text("abc ,;:()'\"\n\u00e9", max_size=30),
)
def test_a_planted_card_number_never_survives(digits: str, separator: bytes, before: str, after: str) -> None:
    body = "4" + digits
    number = next(n for last in range(10) if luhn(n := f"{body}{last}".encode()))
    planted = separator.join(number[at : at + 4] for at in range(0, 16, 4))
    value = f"{before} ".encode() + planted + f" {after}".encode()
    redacted, names = ALL.redact(value)
    assert planted not in redacted
    assert "card" in names


@pytest.mark.parametrize(
    "unit", [b"4444 ", b"4", b"AB12 ", b"123-45-0000 ", b"eyJaaaaaaaa.", b"-----BEGIN PRIVATE KEY-----", PEM]
)
def test_the_cost_grows_no_faster_than_the_value(unit: bytes) -> None:
    """Candidates are counted, not seconds."""
    small, large = (_candidates(unit * (size // len(unit))) for size in (20_000, 80_000))
    assert large <= 4 * small + 50


def _candidates(value: bytes) -> int:
    candidates = 0

    for pattern in PATTERNS:

        def confirm(candidate: bytes, pattern: Pattern = pattern) -> int:
            nonlocal candidates
            candidates += 1
            return pattern.confirm(candidate)

        counted = Pattern(
            pattern.name, pattern.loose, pattern.exact, pattern.reach, confirm, pattern.tail, pattern.joins
        )
        finder = Finder(counted, True)
        pos = 0
        while pos < len(value):
            start, end = finder.next(value, pos, len(value))
            pos = finder.resume(start, end)
    return candidates
