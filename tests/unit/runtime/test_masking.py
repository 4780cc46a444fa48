"""Masking a request: rounds of rewriting and lookups, and a denial for whatever is not a rewritten text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from hostagent.protocols.base import LookedUp, Phase, Request
from hostagent.runtime import masking
from hostagent.runtime.masking import MAX_ROUNDS, LookupFailed, masked, may_move
from hostagent.sql.analysis import Name
from hostagent.sql.masking.values import Mask, MaskKind, Masks, Needs, NeedsMore, Result, Rewritten, Unsafe
from hostagent.values.decision import Ruling, Verdict

MASKS = Masks((Mask("m", MaskKind.REDACT, ("app.users.ssn",)),))
ALLOW = Ruling(Verdict.ALLOW, "all", "", ("select",))
NEEDS = NeedsMore(Needs(frozenset({Name("", "users")})))
Run = Callable[..., Ruling]


class Flow:
    """A session that answers lookups."""

    def __init__(self, answer: str | Exception) -> None:
        self.questions: list[str] = []
        self._answer = answer

    async def look_up(self, question: str) -> LookedUp:
        self.questions.append(question)
        if isinstance(self._answer, Exception):
            raise self._answer
        return LookedUp(self._answer, idle=True)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def play(results: list[Result], flow: Flow, request: Request | None = None) -> Ruling:
        catalogs: list[str] = []

        async def rewrite(
            _path: str, _text: str, catalog: str, _masks: Masks, _timeout: float, *, mysql: None = None
        ) -> Result:
            assert mysql is None
            catalogs.append(catalog)
            return results.pop(0) if len(results) > 1 else results[0]

        monkeypatch.setattr(masking, "rewrite", rewrite)
        request = request or Request(1, Phase.EXECUTE, "select ssn from users")
        found = asyncio.run(masked("analyzer.sock", flow, request, ALLOW, MASKS, None, lambda _: None))
        assert catalogs[:1] in ([""], [])
        return found.ruling

    return play


def test_the_server_is_asked_for_what_is_needed_and_the_rewritten_text_is_sent(run: Run) -> None:
    flow = Flow("{}")
    ruling = run([NEEDS, Rewritten("select '***'", ("app.users.ssn",))], flow)
    assert (ruling.verdict, ruling.rewritten, ruling.masked) == (Verdict.ALLOW, "select '***'", ("app.users.ssn",))
    assert len(flow.questions) == 1 and "'users'" in flow.questions[0]


def test_what_cannot_be_made_safe_is_denied_with_what_to_write(run: Run) -> None:
    ruling = run([Unsafe("ctid shows where a row lies", "leave it out")], Flow("{}"))
    assert ruling.verdict is Verdict.DENY
    assert ruling.reason == "columns are masked here: ctid shows where a row lies; leave it out"
    assert ruling.rewritten is None


@pytest.mark.parametrize("error", [LookupFailed("the session has ended"), ValueError("too many names")])
def test_a_catalog_that_cannot_be_read_denies(run: Run, error: Exception) -> None:
    assert run([NEEDS], Flow(error)).verdict is Verdict.DENY


def test_a_failed_transaction_is_told_as_the_server_tells_it(run: Run) -> None:
    ruling = run([NEEDS], Flow(LookupFailed("aborted", "25P02")))
    assert (ruling.verdict, ruling.sqlstate) == (Verdict.DENY, "25P02")
    assert ruling.reason.startswith("current transaction is aborted")


def test_rounds_are_bounded(run: Run) -> None:
    flow = Flow("{}")
    assert run([NEEDS], flow).verdict is Verdict.DENY
    assert len(flow.questions) == MAX_ROUNDS


def test_a_function_call_by_number_is_denied(run: Run) -> None:
    request = Request(1, Phase.EXECUTE, "function_call oid=1", function_oid=1)
    ruling = run([Rewritten("x")], Flow("{}"), request)
    assert ruling.verdict is Verdict.DENY and "FunctionCall" in ruling.reason


def test_the_rewritten_text_is_not_shown_by_a_ruling() -> None:
    assert "secret-key" not in repr(Ruling(Verdict.ALLOW, "r", "", rewritten="secret-key"))


@pytest.mark.parametrize(
    ("kinds", "settings", "moves"),
    [
        (("select",), (), False),
        (("insert", "select"), (), False),
        (("transaction",), (), False),
        (("select",), ("search_path",), True),
        (("set",), ("application_name",), True),
        (("create",), (), True),
        (("cursor",), (), True),
        (("execute",), (), True),
    ],
)
def test_what_may_move_names(kinds: tuple[str, ...], settings: tuple[str, ...], moves: bool) -> None:
    assert may_move(Ruling(Verdict.ALLOW, "r", "", kinds, settings=settings)) is moves
