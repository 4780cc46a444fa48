"""Two databases that differ in masked values only, and a session that sends rewritten statements, for these tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import pq

from hostagent.sql.masking.catalog import Catalog, decode
from hostagent.sql.masking.query import catalog_query
from hostagent.sql.masking.rewrite import rewrite
from hostagent.sql.masking.values import Mask, MaskKind, Masks, NeedsMore, Rewritten, Unsafe
from tests.lab.postgres import Postgres

HERE = Path(__file__).parent
ROUNDS = 4
MASKS = Masks(
    (
        Mask("card", MaskKind.PARTIAL, ("app.users.card",), last=4),
        Mask("mail", MaskKind.NULL, ("app.users.mail",)),
        Mask(
            "rest",
            MaskKind.REDACT,
            (
                *(f"app.users.{name}" for name in ["ssn", "born", "salary", "mood", "tags", "profile", "photo"]),
                "app.payments.iban",
                "app.staff.phone",
                "app.Odd*.The Secret",
                "app.watched.pin",
            ),
        ),
    )
)
# what stands in a masked column of either database, and nowhere else
SECRETS = (
    b"-65-4", b"-99-", b"4111 1111", b"5500 0000", b"@secret", b"@other.test", b"tagsecret", b"tagother", b"jsonsecret",
    b"DE00SECRET", b"FR76OTHER", b"555-", b"777-999", b"oddsecret", b"another",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Texts sent one after the other; `expected` is deny (one of them), fail (the server refuses one) or run."""

    expected: str
    name: str
    texts: tuple[str, ...]


def cases(file: str) -> list[Case]:
    """The cases of a file: a line `-- run: name` begins one, `-- then` another text of it."""
    found: list[Case] = []
    for block in ("\n" + (HERE / file).read_text()).split("\n-- ")[1:]:
        title, _, text = block.partition("\n")
        if title == "then":
            found[-1] = Case(found[-1].expected, found[-1].name, (*found[-1].texts, text))
        else:
            expected, _, name = title.partition(": ")
            found.append(Case(expected, name, (text,)))
    return found


@dataclass
class Answer:
    """What a text gave: per result its status, columns, values; of an error the SQLSTATE alone; number of notices."""

    results: list[tuple[object, ...]]
    notices: list[bytes]

    @property
    def states(self) -> list[str]:
        """SQLSTATEs of errors."""
        return [str(r[1]) for r in self.results if r[0] == "error"]


class Session:
    """One connection over libpq's own calls."""

    def __init__(self, server: Postgres, database: str, path: str = "app, public") -> None:
        self.server = server
        conninfo = f"host={server.directory} port={server.port} user=postgres dbname={database}"
        self.connection = pq.PGconn.connect(conninfo.encode())
        assert self.connection.status == pq.ConnStatus.OK, self.connection.error_message
        self.notices: list[bytes] = []
        self.connection.notice_handler = lambda result: self.notices.append(
            result.error_field(pq.DiagnosticField.SQLSTATE) or b""
        )
        self.path = path

    def reset(self, *, begin: bool) -> Session:
        """As after connecting, in a transaction or not."""
        self.send("ROLLBACK")
        self.send("DISCARD ALL")
        self.send(f"SET search_path = {self.path}" + ("; BEGIN" if begin else ""))
        return self

    def send(self, text: str, *, binary: bool = False) -> Answer:
        """The answer to a text: simple protocol, or extended with binary results."""
        self.notices.clear()
        connection = self.connection
        if binary:
            connection.send_query_params(text.encode(), None, result_format=1)
        else:
            connection.send_query(text.encode())
        results: list[tuple[object, ...]] = []
        while (result := connection.get_result()) is not None:
            results.append(self._read(result))
        return Answer(results, list(self.notices))

    def _read(self, result: pq.PGresult) -> tuple[object, ...]:
        if result.status == pq.ExecStatus.FATAL_ERROR:
            return ("error", (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode())
        if result.status == pq.ExecStatus.COPY_OUT:
            pieces = []
            while (piece := self.connection.get_copy_data(0))[0] > 0:
                pieces.append(bytes(piece[1]))
            return ("copy", b"".join(pieces))
        if result.status == pq.ExecStatus.COPY_IN:
            self.connection.put_copy_end(None)
            return ("copy in",)
        columns = [(result.fname(n), result.ftype(n), result.fformat(n)) for n in range(result.nfields)]
        rows = [tuple(result.get_value(r, c) for c in range(result.nfields)) for r in range(result.ntuples)]
        return (result.command_status, columns, rows)

    def rewrite(self, text: str, masks: Masks = MASKS) -> Rewritten | Unsafe:
        """The text with masks, with the catalog that this session sees."""
        catalog = Catalog()
        for _ in range(ROUNDS):
            result = rewrite(text, catalog, masks)
            if not isinstance(result, NeedsMore):
                return result
            answer = self.send(catalog_query(result.needs)).results[0]
            assert answer[0] == b"SELECT 1", answer
            catalog = decode(answer[2][0][0].decode())  # type: ignore[index]
        raise AssertionError("no end of needs")

    def close(self) -> None:
        """Ends it."""
        self.connection.finish()


@contextmanager
def serving(home: Path | None = None, port: int = 54871) -> Iterator[Postgres]:
    """A server with database `one`, and `other` that differs from it in masked values only; the oids are the same."""
    server = Postgres(
        addresses=("127.0.0.1",), port=port, tls=False, settings=("jit=off", "autovacuum=off"), home=home
    ).start()
    try:
        server.sql("CREATE DATABASE one")
        server.sql((HERE / "world.sql").read_text(), "one")
        server.sql("CREATE DATABASE other TEMPLATE one")
        server.sql((HERE / "other_values.sql").read_text(), "other")
        yield server
    finally:
        server.stop()
