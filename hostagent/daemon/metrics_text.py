"""The text form of metrics: Prometheus 0.0.4, or OpenMetrics 1.0 for a scraper that asks for it.

Our own sixty lines, and not prometheus-client: the numbers are counted elsewhere, by processes that it would want to
share files with, and nothing of it but this form would be used. Sources: Prometheus exposition formats; OpenMetrics
1.0.0, section "ABNF" (a counter's family has no `_total`, the text ends in `# EOF`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

OPENMETRICS = "application/openmetrics-text"
TYPES = {True: f"{OPENMETRICS}; version=1.0.0; charset=utf-8", False: "text/plain; version=0.0.4; charset=utf-8"}

Labels = tuple[tuple[str, str], ...]


class Kind(StrEnum):
    """What a family is."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Sample:
    """One number; `suffix` belongs to the name in this family, such as `_bucket`."""

    value: float
    labels: Labels = ()
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """Samples of one name (without `_total`), which say the same thing of different things."""

    name: str
    kind: Kind
    help: str
    samples: tuple[Sample, ...]


def histogram(name: str, text: str, bounds: Iterable[float], counts: Iterable[int], total: float) -> Family:
    """A histogram: `counts` one a bucket, with one more for what is beyond the last bound; `total` their sum."""
    samples, seen = [], 0
    for bound, count in zip((*(f"{bound:g}" for bound in bounds), "+Inf"), counts, strict=True):
        seen += count
        samples.append(Sample(seen, (("le", bound),), "_bucket"))
    samples += [Sample(seen, suffix="_count"), Sample(total, suffix="_sum")]
    return Family(name, Kind.HISTOGRAM, text, tuple(samples))


def text(families: Iterable[Family], openmetrics: bool) -> str:
    """All of them, in one of the two forms."""
    lines = [line for family in families for line in _lines(family, openmetrics)]
    return "\n".join([*lines, *(["# EOF"] if openmetrics else [])]) + "\n"


def _lines(family: Family, openmetrics: bool) -> Iterator[str]:
    counter = "_total" if family.kind is Kind.COUNTER else ""
    named = family.name if openmetrics else family.name + counter
    yield f"# HELP {named} {_escaped(family.help)}"
    yield f"# TYPE {named} {family.kind}"
    for sample in family.samples:
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels)
        shown = f"{{{labels}}}" if labels else ""
        yield f"{family.name}{counter}{sample.suffix}{shown} {_number(sample.value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
