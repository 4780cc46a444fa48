"""The two text forms, read back by a reader that takes nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.daemon.metrics_text import Family, Kind, Sample, histogram, text
from tests.lab.openmetrics import read

FAMILIES = [
    Family("a_things", Kind.COUNTER, "Things that\nhappened \\ were.", (Sample(2, (("kind", "x"),)), Sample(0.5))),
    Family("a_level", Kind.GAUGE, "Now.", (Sample(-1.25),)),
    histogram("a_seconds", "How long.", (0.1, 1.0), (3, 0, 2), 7.5),
]


@pytest.mark.parametrize("openmetrics", [True, False])
def test_what_is_written_is_read_back(openmetrics: bool) -> None:
    types, samples = read(text(FAMILIES, openmetrics), openmetrics)
    total = "" if openmetrics else "_total"
    assert types == {f"a_things{total}": "counter", "a_level": "gauge", "a_seconds": "histogram"}
    assert samples["a_things_total"] == {(("kind", "x"),): 2, (): 0.5}
    assert samples["a_level"] == {(): -1.25}
    assert samples["a_seconds_bucket"] == {(("le", "0.1"),): 3, (("le", "1"),): 3, (("le", "+Inf"),): 5}
    assert (samples["a_seconds_count"][()], samples["a_seconds_sum"][()]) == (5, 7.5)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\x85\u2028\u2029\r\v\f\x1c\x1d\x1e")))
def test_no_value_of_a_label_breaks_a_line(value: str) -> None:
    family = Family("a", Kind.GAUGE, "x", (Sample(1, (("target", value),)),))
    ((labels,),) = (list(read(text([family], True), True)[1]["a"]),)
    assert labels[0][1].replace("\\\\", "\0").replace('\\"', '"').replace("\\n", "\n").replace("\0", "\\") == value
