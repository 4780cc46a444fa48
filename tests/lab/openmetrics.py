"""Reads the text form of metrics, strictly: what a scraper may choke on is an error here."""

from __future__ import annotations

import re

_SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (-?[0-9.e+-]+|\+Inf|NaN)')
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"')

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def read(text: str, openmetrics: bool) -> tuple[dict[str, str], Samples]:
    """Family → type, and name → labels → value. Raises AssertionError for what is not of the form."""
    assert text.endswith("\n")
    lines = text.splitlines()
    assert (lines[-1] == "# EOF") is openmetrics
    types: dict[str, str] = {}
    samples: Samples = {}
    family, told = "", ""
    for line in lines[: -1 if openmetrics else None]:
        if line.startswith("# HELP "):
            told = line.split(" ")[2]
            assert told not in types
        elif line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family == told
            assert kind in ("counter", "gauge", "histogram")
            types[family] = kind
        else:
            name, labels, value = _sample(line)
            assert name in _names(family, types[family], openmetrics)
            assert labels not in samples.setdefault(name, {})
            samples[name][labels] = value
    return types, samples


def _sample(line: str) -> tuple[str, tuple[tuple[str, str], ...], float]:
    match = _SAMPLE.fullmatch(line)
    assert match is not None, line
    return match[1], tuple(_LABEL.findall(match[2] or "")), float(match[3])


def _names(family: str, kind: str, openmetrics: bool) -> tuple[str, ...]:
    if kind == "histogram":
        return tuple(family + suffix for suffix in ("_bucket", "_sum", "_count"))
    if kind == "counter":
        assert openmetrics is not family.endswith("_total")
        return (family + "_total" if openmetrics else family,)
    return (family,)
