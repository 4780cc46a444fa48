"""MySQL texts in the real analyzer process, in its box; the second parser is loaded by the first of them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from hostagent.sql.analysis import Analysis, Kind, Name, Unanalyzed
from hostagent.sql.client import analyze, rewrite
from hostagent.sql.masking.values import Mask, MaskKind, Masks, NeedsMore, Unsafe
from tests.unit.sql.mysql.mysqlcase import MARIADB
from tests.unit.sql.test_analyzer import running

MASKS = Masks((Mask("m", MaskKind.REDACT, ("app.t.a",)),))


def test_it_answers_both_dialects(tmp_path: Path) -> None:
    with running(tmp_path) as analyzer:
        first = analyzer.ask("SELECT 1")
        mysql = asyncio.run(analyze(analyzer.path, "SELECT a FROM t /*!50000 , u */", 30, mysql=MARIADB))
        bad = asyncio.run(analyze(analyzer.path, "HANDLER t OPEN", 30, mysql=MARIADB))
        again = analyzer.ask("SELECT 1")
        needs = asyncio.run(rewrite(analyzer.path, "SELECT * FROM t", "", MASKS, 30, mysql=MARIADB))
        cut = asyncio.run(rewrite(analyzer.path, "SELECT * FROM t", "zz", MASKS, 30, mysql=MARIADB))
        alive = asyncio.run(analyze(analyzer.path, "SELECT 1", 30, mysql=MARIADB))
    assert isinstance(first, Analysis)
    assert isinstance(mysql, Analysis)
    assert mysql.statements[0].reads == {Name("app", "t"), Name("app", "u")}
    assert isinstance(bad, Unanalyzed)
    assert "HANDLER" in bad.reason
    assert again == first
    assert isinstance(needs, NeedsMore)
    assert isinstance(cut, Unsafe)
    assert isinstance(alive, Analysis)
    assert alive.statements[0].kinds == {Kind.SELECT}


def test_the_worker_side_and_postgresql_do_not_load_the_second_parser() -> None:
    code = (
        "import sys, hostagent.sql.analyzer, hostagent.sql.client, hostagent.sql.mysql.masking.query\n"
        "from hostagent.sql.postgres import analyze\n"
        "analyze('SELECT 1')\n"
        "sys.exit('sqlglot' in sys.modules)"
    )
    import subprocess

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
