"""The gate with masks: what is remembered of rewritten texts, for whom, and for how long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hostagent.protocols.base import LookedUp
from hostagent.runtime import masking
from hostagent.sql.masking.catalog import Catalog
from hostagent.sql.masking.query import PLACE_QUERY
from hostagent.sql.masking.rewrite import rewrite
from hostagent.sql.masking.values import Masks, Result
from hostagent.values.decision import Verdict
from tests.unit.runtime.test_gate import Play, Scenario, Stage, play  # noqa: F401
from tests.unit.sql.masking.test_rewrite import CATALOG, SSN

PUBLIC = ("public",)
HERE = {
    "app": CATALOG,
    "temporary": replace(CATALOG, schemas=("pg_temp_3", "pg_catalog", "app")),
    "gone": replace(CATALOG, found=dict.fromkeys(CATALOG.found)),
}


class Server:
    """What the session's server answers: where names resolve, what is there, and whether a transaction is open."""

    def __init__(self) -> None:
        self.place = "app"
        self.catalog = "app"
        self.idle = True
        self.asked: list[str] = []

    def __call__(self, question: str) -> LookedUp:
        self.asked.append("place" if question == PLACE_QUERY else "catalog")
        return LookedUp(self.place if question == PLACE_QUERY else self.catalog, idle=self.idle)

    def taken(self) -> list[str]:
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    async def rewritten(
        _path: str, text: str, catalog: str, masks: Masks, _timeout: float, *, mysql: None = None
    ) -> Result:
        assert mysql is None
        return rewrite(text, HERE[catalog] if catalog else Catalog(), masks)

    monkeypatch.setattr(masking, "rewrite", rewritten)
    return Server()


def with_masks(scenario: Scenario, server: Server) -> Scenario:
    async def run(stage: Stage) -> None:
        stage.asker.standing.masks = SSN
        stage.asker.answers = server
        await scenario(stage)

    return run


async def sent(stage: Stage, text: str, schemas: tuple[str, ...] | None = PUBLIC) -> str:
    decision = await stage.ask(text, schemas=schemas)
    assert decision.ruling.verdict is Verdict.ALLOW, decision
    assert decision.rewritten is not None
    return decision.rewritten


INNER = '(SELECT "id", CAST(\'***\' AS pg_catalog.text) AS "ssn" FROM "app"."users") AS "users"'


def test_a_masked_text_is_remembered_for_other_literals(play: Play, server: Server) -> None:  # noqa: F811
    async def scenario(stage: Stage) -> None:
        for value in ("'1'", "'2'", "'é'"):
            text = f"SELECT ssn FROM users WHERE id = {value}"
            assert await sent(stage, text) == f"SELECT ssn FROM {INNER} WHERE id = {value}"
        assert server.taken() == ["catalog"] and len(stage.analyzed) == 1
        assert b"***" not in b"".join(stage.journal.lines)

    play(with_masks(scenario, server))


@pytest.mark.parametrize(
    "texts",
    [
        ("SELECT count(*), id FROM plain, users GROUP BY 2", "SELECT count(*), id FROM plain, users GROUP BY 1"),
        ("SELECT id::varchar(1) FROM users", "SELECT id::varchar(2) FROM users"),
        ("SELECT id FROM users WHERE id = 'it''s'", "SELECT id FROM users WHERE id = 'it''s not'"),
    ],
)
def test_not_where_the_value_could_matter(texts: tuple[str, str], play: Play, server: Server) -> None:  # noqa: F811
    async def scenario(stage: Stage) -> None:
        for text in texts:
            await stage.ask(text, schemas=PUBLIC)
            await stage.ask(text, schemas=PUBLIC)
        assert len(stage.analyzed) >= 2 and texts[1] in stage.analyzed

    play(with_masks(scenario, server))


def test_nor_without_masks_nor_beyond_what_a_catalog_said(play: Play, server: Server) -> None:  # noqa: F811
    async def scenario(stage: Stage) -> None:
        text = "SELECT ssn FROM users WHERE id = '1'"
        await sent(stage, text)
        stage.gate.forget_catalogs()
        await sent(stage, text)
        assert server.taken() == ["catalog", "catalog"]
        stage.asker.standing.masks, stage.asker.standing.scope = None, None
        assert (await stage.ask(text, schemas=PUBLIC)).rewritten is None

    play(with_masks(scenario, server))


def test_a_text_that_looks_like_a_template_is_no_other_text(play: Play, server: Server) -> None:  # noqa: F811
    async def scenario(stage: Stage) -> None:
        await sent(stage, "SELECT ssn FROM users WHERE id = '1'")
        denied = await stage.ask("SELECT ssn FROM users WHERE id = \x02", schemas=PUBLIC)
        assert denied.ruling.verdict is Verdict.DENY and denied.rewritten is None

    play(with_masks(scenario, server))


def test_a_session_that_moved_its_path_is_asked_where_names_are_once(play: Play, server: Server) -> None:  # noqa: F811
    async def scenario(stage: Stage) -> None:
        for value in ("'1'", "'2'"):
            await sent(stage, f"SELECT ssn FROM users WHERE id = {value}", schemas=None)
        assert server.taken() == ["place", "catalog"]
        await sent(stage, "SELECT id FROM users", schemas=None)
        assert server.taken() == ["catalog"]
        stage.asker.standing.place = None  # another session of the same path
        await sent(stage, "SELECT ssn FROM users WHERE id = '3'", schemas=None)
        assert server.taken() == ["place"]
        server.place, stage.asker.standing.place = "elsewhere", None
        await sent(stage, "SELECT ssn FROM users WHERE id = '3'", schemas=None)
        assert server.taken() == ["place", "catalog"]

    play(with_masks(scenario, server))


def test_it_is_asked_again_after_what_may_move_them_and_within_a_transaction_each_time(
    play: Play,  # noqa: F811
    server: Server,
) -> None:
    async def scenario(stage: Stage) -> None:
        text = "SELECT ssn FROM users"
        await sent(stage, text, schemas=None)
        assert server.taken() == ["place", "catalog"]
        for still in ("BEGIN", "INSERT INTO plain VALUES (1)", "COMMIT"):
            await sent(stage, still, schemas=None)
        await sent(stage, text, schemas=None)
        assert "place" not in server.taken()
        await sent(stage, "SET search_path TO other", schemas=None)
        server.idle = False
        for _ in range(2):
            await sent(stage, text, schemas=None)
        assert server.taken() == ["place", "place"]
        server.idle = True
        for _ in range(2):
            await sent(stage, text, schemas=None)
        assert server.taken() == ["place"]

    play(with_masks(scenario, server))


def test_a_statement_without_names_is_never_asked_about(play: Play, server: Server) -> None:  # noqa: F811
    async def scenario(stage: Stage) -> None:
        stage.asker.answers = None  # as in a failed transaction
        for _ in range(2):
            assert await sent(stage, "ROLLBACK", schemas=None) == "ROLLBACK"
        assert stage.asker.lookups == [] and len(stage.analyzed) == 1
        refused = await stage.ask("SELECT ssn FROM users", schemas=None)
        assert refused.ruling.verdict is Verdict.DENY

    play(with_masks(scenario, server))


def test_what_was_seen_in_a_transaction_that_changed_a_catalog_is_nobody_elses(
    play: Play,  # noqa: F811
    server: Server,
) -> None:
    async def scenario(stage: Stage) -> None:
        text = "SELECT ssn FROM users"
        await sent(stage, "CREATE TABLE u (a int)")
        server.idle = False
        for _ in range(2):
            await sent(stage, text, schemas=None)
        assert server.taken().count("catalog") == 3  # that of CREATE TABLE too
        server.idle = True
        for _ in range(2):
            await sent(stage, text, schemas=None)
        assert server.taken() == ["place", "catalog"]

    play(with_masks(scenario, server))


def test_a_session_with_temporary_relations_is_on_its_own(play: Play, server: Server) -> None:  # noqa: F811
    async def scenario(stage: Stage) -> None:
        text = "SELECT ssn FROM users"
        server.catalog = "temporary"
        await sent(stage, text)
        assert stage.asker.standing.apart
        server.place = "with 7"
        for _ in range(2):
            await sent(stage, text)
        assert server.taken() == ["catalog", "place", "catalog"]
        stage.asker.standing.apart, stage.asker.standing.place = (
            False,
            None,
        )  # another session of that path: nothing was kept for it
        server.catalog = "app"
        await sent(stage, text)
        assert server.taken() == ["catalog"]

    play(with_masks(scenario, server))


def test_a_relation_that_is_not_there_may_be_there_the_next_time(play: Play, server: Server) -> None:  # noqa: F811
    async def scenario(stage: Stage) -> None:
        for _ in range(2):
            assert await sent(stage, "SELECT a FROM gone") == 'SELECT a FROM "pg_temp"."gone"'
        assert server.taken() == ["catalog", "catalog"]

    play(with_masks(scenario, server))


def test_nothing_is_kept_of_a_catalog_that_changed_meanwhile(play: Play, server: Server) -> None:  # noqa: F811
    async def scenario(stage: Stage) -> None:
        def changing(question: str) -> LookedUp:
            stage.gate.forget_catalogs()
            return server(question)

        stage.asker.answers = changing
        for _ in range(2):
            await sent(stage, "SELECT ssn FROM users")
        assert server.taken() == ["catalog", "catalog"]

    play(with_masks(scenario, server))


def test_nor_under_a_policy_that_was_replaced_meanwhile(play: Play, server: Server) -> None:  # noqa: F811
    async def scenario(stage: Stage) -> None:
        def reloading(question: str) -> LookedUp:
            stage.gate.replace_policy(replace(stage.gate.policy))
            return server(question)

        stage.asker.answers = reloading
        for _ in range(2):
            await sent(stage, "SELECT ssn FROM users")
        assert server.taken() == ["catalog", "catalog"]

    play(with_masks(scenario, server))
