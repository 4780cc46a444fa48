"""The server is the judge: it cuts a text as our lexer does, and needs no right that our analysis did not name.

A statement that both understand is prepared by an account that has rights on exactly the relations that the analysis
says it touches. Were one overlooked, the server would refuse it.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pymysql
import pytest

from hostagent.sql.analysis import Analysis, Kind
from hostagent.sql.mysql import analyze
from hostagent.sql.mysql.lexer import lex
from hostagent.sql.mysql.modes import reading
from hostagent.sql.mysql.tokens import Type, Unread
from hostagent.values.mysql import Flavor, MysqlSettings
from tests.corpus.mysql import mysqlworld as world
from tests.lab.mariadb import MariaDB

pytestmark = pytest.mark.timeout(300)

RELATIONS = ("judged.t1", "judged.t2", "judged.t3", "judged.users", "elsewhere.t5")
MODES = (
    (),
    ("ANSI_QUOTES",),
    ("NO_BACKSLASH_ESCAPES",),
    ("IGNORE_SPACE",),
    ("PIPES_AS_CONCAT",),
    ("ANSI_QUOTES", "IGNORE_SPACE", "NO_BACKSLASH_ESCAPES"),
)
NO_RIGHT = {1044, 1142, 1143, 1227, 1370}
ROWS = frozenset({Kind.SELECT, Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.LOCK, Kind.EXPLAIN, Kind.SET})
SEEDS = world.statements("seeds.sql")
TRIES = 6000

_WORDS = """
t1 t2 t3 users elsewhere.t5 judged.t1 `t2` "t3" 't1' a b c ssn id , ( ) * . = + - -- # /* */ /*! /*!50000 /*!99999
/*M!100000 /*!100600 /*!129999 /*!50701 union select from where join left natural straight_join on using as with
recursive x y t exists in not and or case when then else end interval day 1 2.5 .5 1e3 0x41 x'41' b'1' n'a' _utf8'x'
_latin1 'it''s' 'a\\'b' "q\\"" ` \\ ; @v := @@version null group by order limit having for update into set values
default distinct all count( count (1) mine(1) max( concat( if( left( table lateral dual partition use index force
window over offset fetch first except intersect
"""
POOL = _WORDS.split()
PIECES = re.compile(r"[ (),.;=]|[^ (),.;=]+")


@dataclass
class Judge:
    """Connections to the server, by account and mode; account n has rights on the relations whose bits are in n."""

    server: MariaDB
    version: int
    open: dict[tuple[str, tuple[str, ...]], Any] = field(default_factory=dict)

    def settings(self, mode: tuple[str, ...]) -> MysqlSettings:
        return MysqlSettings(Flavor.MARIADB, self.version, mode, "utf8mb4", "judged", 0)

    def cursor(self, user: str, mode: tuple[str, ...]) -> Any:
        if (user, mode) not in self.open:
            connection = pymysql.connect(
                unix_socket=str(self.server.socket), user=user, charset="utf8mb4", autocommit=True
            )
            cursor = connection.cursor()
            cursor.execute("SET sql_mode = %s", (",".join(mode),))
            if user != "judge0":
                cursor.execute("USE judged")
            self.open[user, mode] = cursor
        return self.open[user, mode]

    def prepares(self, user: str, text: str, mode: tuple[str, ...]) -> int:
        """0, or the number of the server's error."""
        quoted = text if "NO_BACKSLASH_ESCAPES" in mode else text.replace("\\", "\\\\")
        try:
            self.cursor(user, mode).execute("PREPARE judged FROM '" + quoted.replace("'", "''") + "'")
        except pymysql.err.Error as error:
            return int(error.args[0])
        return 0


@pytest.fixture(scope="module")
def judge(server: MariaDB) -> Iterator[Judge]:
    makes = ["DROP DATABASE IF EXISTS judged", "DROP DATABASE IF EXISTS elsewhere"]
    makes += ["CREATE DATABASE judged", "CREATE DATABASE elsewhere"]
    columns = "(id int PRIMARY KEY, a int, b varchar(30), c varchar(30), ssn varchar(30), d date)"
    makes += [f"CREATE TABLE {relation} {columns}" for relation in RELATIONS]
    makes.append("CREATE FUNCTION judged.mine(x int) RETURNS int DETERMINISTIC RETURN x")
    for number in range(1 << len(RELATIONS)):
        makes.append(f"CREATE OR REPLACE USER judge{number}@localhost")
        makes += [f"GRANT ALL ON {r} TO judge{number}@localhost" for i, r in enumerate(RELATIONS) if number >> i & 1]
    server.sql(";\n".join(makes))
    judge = Judge(server, world.settings(server).version)
    yield judge
    for cursor in judge.open.values():
        cursor.connection.close()


def _changed(text: str, chance: random.Random) -> str:
    pieces = PIECES.findall(text)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 4))):
        at, what = chance.randrange(len(pieces) + 1), chance.random()
        if what < 0.45:
            pieces.insert(at, f" {chance.choice(POOL)} ")
        elif what < 0.6 and pieces:
            pieces.pop(min(at, len(pieces) - 1))
        elif what < 0.85 and pieces:
            pieces[min(at, len(pieces) - 1)] = f" {chance.choice(POOL)} "
        else:
            pieces.insert(at, chance.choice(("/*", "*/", "/**/", "/*!", "--\n", "#", "\\", "'", '"', "`", " ")))
    return "".join(pieces)


def _account(analysis: Analysis) -> int:
    (statement,) = analysis.statements
    named = {str(name) for name in statement.reads | statement.writes}
    return sum(1 << i for i, relation in enumerate(RELATIONS) if relation in named)


def test_the_server_needs_no_right_that_the_analysis_did_not_name(judge: Judge) -> None:
    chance = random.Random(20240607)
    seen: Counter[str] = Counter()
    overlooked = []
    for number in range(TRIES):
        text = _changed(SEEDS[number % len(SEEDS)], chance) if number >= len(SEEDS) else SEEDS[number]
        mode = chance.choice(MODES)
        found = analyze(text, judge.settings(mode))
        if not isinstance(found, Analysis) or len(found.statements) != 1 or not found.statements[0].kinds <= ROWS:
            seen["not understood"] += 1
            continue
        if judge.prepares("root", text, mode):
            seen["not the server's"] += 1
            continue
        seen["judged"] += 1
        error = judge.prepares(f"judge{_account(found)}", text, mode)
        named = {str(f) for f in found.statements[0].functions}
        if error in NO_RIGHT and not (error == 1370 and named & {"judged.mine", "judged.count"}):
            overlooked.append((error, text, mode))
    assert not overlooked, "\n".join(map(str, overlooked))
    assert seen["judged"] >= 300, seen


def test_an_overlooked_relation_would_be_noticed(judge: Judge) -> None:
    """The judge itself: a right that is missing is refused by the server."""
    assert judge.prepares("judge1", "SELECT a FROM t1", ()) == 0
    assert judge.prepares("judge1", "SELECT a FROM t1, users", ()) in NO_RIGHT


LITERALS = (
    "'a'",
    "'it''s'",
    r"'a\'b'",
    r"'a\\'",
    r"'\%\_\n\t\0x\Zq'",
    '"a"',
    '"it""s"',
    "'a' 'b'",
    "'a'\n'b'",
    "'a' \"b\"",
    "N'a'",
    "_utf8mb4'a'",
    "x'4142'",
    "0x4142",
    "b'01000001'",
    "'-- a'",
    "'/* a */'",
    "'#'",
    "'a' -- b",
    "'a' /* 'b' */",
    "'a' # b",
    "'a' /*!50000 'b' */",
    "'a' /*!99999 'b' */",
    "'a' /*!50701 'b' */",
    "'a' /*M!50701 'b' */",
    "'a' /*!129999 'b' */",
    "'a' /*! 'b' */",
    "'a' /*!50000 '*/' */",
    "'a' /*!99999 /* ' */ ' */ 'c'",
    "'\u00e9' 'b'",
    "'a'/**/'b'",
    r"'\'' 'x'",
    r"'\\' 'x'",
    r"'a\' 'b'",
    r"'a\\'' 'b'",
    "1",
    "1.5",
    ".5",
    "1e3",
    "-1",
    "--1",
    "- -1",
    "1--1",
    "1 -- 1",
)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: "+".join(mode) or "none")
def test_strings_end_where_the_server_ends_them(judge: Judge, mode: tuple[str, ...]) -> None:
    """What our lexer says of the strings of a text is what the server gives back."""
    cursor = judge.cursor("root", mode)
    agreed = 0
    for literal in LITERALS:
        try:
            tokens = lex(literal, reading(judge.settings(mode)))[:-1]
        except Unread:
            continue
        if not all(t.type is Type.STRING for t in tokens):
            continue
        ours = "".join(t.value for t in tokens)
        try:
            cursor.execute(f"SELECT {literal}")
        except pymysql.err.ProgrammingError:
            pytest.fail(f"{literal!r} is no literal to the server")
        assert cursor.fetchone()[0] == ours, literal
        agreed += 1
    assert agreed >= 10


def test_executable_comments_are_left_out_where_the_server_leaves_them_out(judge: Judge) -> None:
    cursor = judge.cursor("root", ())
    how = reading(judge.settings(()))
    versions = [0, 30000, 50000, 50699, 50700, 50701, 80000, 99999, 100000, judge.version - 1, judge.version]
    for version in (*versions, judge.version + 1, 999999):
        for start in ("/*!", "/*M!"):
            text = f"SELECT 1 {start}{version:05d} + 1 */"
            cursor.execute(text)
            ours = 2 if any(t.value == "+" for t in lex(text, how)) else 1
            assert cursor.fetchone()[0] == ours, text
