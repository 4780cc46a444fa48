"""The gate with MySQL statements: what a literal cannot change is remembered without it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from hostagent.policy.load import load_policy
from hostagent.protocols.base import LookedUp
from hostagent.runtime import gate as gate_module
from hostagent.runtime import masking
from hostagent.sql.analysis import Analysis, Unanalyzed
from hostagent.sql.masking.values import Masks, Result
from hostagent.sql.mysql import analyze
from hostagent.sql.mysql.masking.catalog import Catalog
from hostagent.sql.mysql.masking.rewrite import rewrite
from hostagent.values.decision import Decision, Verdict
from hostagent.values.mysql import Flavor, MysqlSettings
from tests.unit.runtime.test_gate import Stage
from tests.unit.sql.mysql.test_masking import KNOWN, MASKS, USERS

POLICY = """
version: 1
targets: [{name: orders, protocol: mysql, match: {addresses: [10.0.0.5]}, tls: {upstream: "off"}}]
rules: [{name: read, actors: "*", targets: orders, allow: {kinds: [select, insert, set], relations: "*"}}]
"""
PLAIN = MysqlSettings(Flavor.MARIADB, 101119, ("STRICT_TRANS_TABLES",), "utf8mb4", "shop", 0)
QUOTES = MysqlSettings(Flavor.MARIADB, 101119, ("ANSI_QUOTES",), "utf8mb4", "shop", 0)

Scenario = Callable[["Asked"], Coroutine[object, object, None]]


class Asked:
    """A stage, asked in a session with these settings."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def __call__(self, text: str, settings: MysqlSettings = PLAIN) -> Decision:
        return await self.stage.ask(
            text, context=(*settings.context(), "user=app"), schemas=(settings.database,), mysql=settings
        )


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Scenario], None]:
    (tmp_path / "policy.yaml").write_text(POLICY)

    def run(scenario: Scenario) -> None:
        async def main() -> None:
            stage = Stage(load_policy(tmp_path))

            async def here(_path: str, text: str, _timeout: float, *, mysql: MysqlSettings) -> Analysis | Unanalyzed:
                stage.analyzed.append(text)
                return analyze(text, mysql)

            monkeypatch.setattr(gate_module, "analyze", here)
            await scenario(Asked(stage))

        asyncio.run(main())

    return run


def test_another_literal_costs_no_question(play: Callable[[Scenario], None]) -> None:
    async def scenario(ask: Asked) -> None:
        for text in ("SELECT `a` FROM t WHERE b = 1 AND c = 'x'", 'SELECT `a` FROM t WHERE b = 2 AND c = "it\'s"'):
            assert (await ask(text)).ruling.verdict is Verdict.ALLOW
        assert len(ask.stage.analyzed) == 1
        assert (await ask("SELECT `a` FROM t WHERE b = -- 1\n 1 AND c = 'x'")).ruling.verdict is Verdict.ALLOW
        assert len(ask.stage.analyzed) == 2

    play(scenario)


def test_a_literal_whose_value_matters_is_looked_at(play: Callable[[Scenario], None]) -> None:
    async def scenario(ask: Asked) -> None:
        assert (await ask("SET sql_mode = 'STRICT_ALL_TABLES'")).ruling.verdict is Verdict.ALLOW
        assert (await ask("SET sql_mode = 'ANSI_QUOTES'")).ruling.verdict is Verdict.DENY
        assert len(ask.stage.analyzed) == 2

    play(scenario)


def test_quotes_that_mean_a_name_are_not_taken_for_a_literal(play: Callable[[Scenario], None]) -> None:
    async def scenario(ask: Asked) -> None:
        for text in ('SELECT "a" FROM t', 'SELECT "b" FROM t'):
            for settings in (PLAIN, QUOTES):
                assert (await ask(text, settings)).ruling.verdict is Verdict.ALLOW
        assert ask.stage.analyzed == ['SELECT "a" FROM t', 'SELECT "a" FROM t', 'SELECT "b" FROM t']

    play(scenario)


APP = MysqlSettings(Flavor.MARIADB, 101119, (), "utf8mb4", "app", 0)


def test_a_masked_text_is_remembered_for_other_literals(
    play: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rewritten(
        _path: str, text: str, catalog: str, masks: Masks, _timeout: float, *, mysql: MysqlSettings
    ) -> Result:
        return rewrite(text, mysql, Catalog({**KNOWN}) if catalog else Catalog(), masks)

    async def scenario(ask: Asked) -> None:
        asked: list[str] = []

        def answer(question: str) -> LookedUp:
            asked.append(question)
            return LookedUp("known", idle=True)

        ask.stage.asker.standing.masks, ask.stage.asker.answers = MASKS, answer
        for value in ("1", "'2'", "3"):
            decision = await ask(f"SELECT ssn FROM users WHERE id = {value} LIMIT 5", APP)
            assert decision.rewritten == f"SELECT ssn FROM {USERS} AS `users` WHERE id = {value} LIMIT 5"
            assert (decision.ruling.shape, decision.ruling.constants) == (("ssn",), ("***",))
        assert len(ask.stage.analyzed) == len(asked) == 2, "a number and a string are two templates"
        await ask("SELECT ssn 'x' FROM users", APP)
        decision = await ask("SELECT ssn 'y' FROM users", APP)
        assert decision.ruling.shape == ("y",), "a name is no literal like others"

    monkeypatch.setattr(masking, "rewrite", rewritten)
    play(scenario)
