"""What detectors cost on rows: no sockets, chunks of 256 KiB, one CPU.

Run: `python -m tests.bench.bench_detectors`. Prints MB/s: the session passing the rows on, the net alone, and the two
one after the other, for rows without hits, with a card number in every hundredth and in every row, and for rows that
look like hits in every row and are none.
"""

from __future__ import annotations

from collections.abc import Callable

from hostagent.content.detector import Detector
from hostagent.content.patterns import NAMES
from hostagent.protocols.postgres import messages as m
from hostagent.protocols.postgres.net import Net
from tests.bench.bench_postgres_session import DECISION, cost, ready_session

CHUNK = 256 << 10
SETS = {"all": NAMES, "card": ("card",), "keys": tuple(name for name in NAMES[6:])}
CARD = b"4111 1111 1111 1111"


def row(*values: bytes) -> bytes:
    """A DataRow."""
    columns = b"".join(len(value).to_bytes(4, "big") + value for value in values)
    return m.message(m.DATA_ROW, len(values).to_bytes(2, "big") + columns)


def customer(number: int, note: bytes = b"called, asked to be called back on Monday") -> bytes:
    """A row of everyday types: id, name, address, timestamp, double precision, text."""
    return row(
        b"%d" % (number * 7919 % 1_000_000),
        b"Customer Name %d" % number,
        b"customer%d@example.com" % number,
        b"2024-03-%02d 11:22:33.456789+00" % (number % 28 + 1),
        repr(1 / (number + 3)).encode(),
        note,
    )


def chunk(make: Callable[[int], bytes]) -> bytes:
    """As many whole rows as fit."""
    out, number = bytearray(), 0
    while len(out) + 1000 < CHUNK:
        out += make(number)
        number += 1
    return bytes(out)


CHUNKS = {
    "no hits": chunk(customer),
    "hit every 100 rows": chunk(lambda n: customer(n, CARD) if n % 100 == 50 else customer(n)),
    "hit in every row": chunk(lambda n: customer(n, CARD)),
    "16 digits in every row": chunk(lambda n: customer(n, b"%d" % (5_100_000_000_000_000 + n * 10))),
    "values of 8000 bytes": chunk(lambda n: row(b"lorem ipsum, dolor " * 421)),
}


def passing(data: bytes) -> Callable[[], None]:
    """A session that passes the rows on, as it does without detectors."""
    session = ready_session()
    session.client_data(m.query(b"q"))
    session.decided(session.commands.pop().request, DECISION)  # type: ignore[union-attr]

    def step() -> None:
        session.upstream_data(data)
        session.to_client.clear()
        session.captured.clear()

    return step


def main() -> None:
    """Print the figures."""
    for what, data in CHUNKS.items():
        plain = passing(data)
        alone = cost(plain, 20)
        figures = [f"pass-through {len(data) / alone / 1e6:7.0f}"]
        for name, names in SETS.items():
            net = Net(Detector(names))
            rounds = 20 if "hits" in what or "8000" in what else 4
            seconds = cost(lambda net=net, data=data: net.rows(data, 0, len(data)), rounds)
            figures.append(f"{name} {len(data) / seconds / 1e6:6.1f} ({len(data) / (alone + seconds) / 1e6:6.1f})")
        print(f"{what:24} MB/s: {' · '.join(figures)}")


if __name__ == "__main__":
    main()
