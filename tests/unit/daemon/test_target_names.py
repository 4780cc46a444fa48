"""Names of targets: looked up by us, forgotten when the policy or the resolver has them no more."""

from __future__ import annotations

import asyncio

import pytest

from hostagent.daemon import target_names
from hostagent.daemon.target_names import TargetNames, look_up


class Resolver:
    """Answers that the test chooses."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def __call__(self, name: str) -> list[str]:
        self.asked.append(name)
        if name not in self.answers:
            raise OSError("Name or service not known")
        return self.answers[name]


def test_an_address_has_the_names_that_resolve_to_it() -> None:
    async def scenario() -> None:
        resolver = Resolver(db=["10.0.0.5", "fd00::5"], replica=["10.0.0.5"])
        names = TargetNames(lambda: ["db", "replica", "missing"], resolver)
        assert await names.of("10.0.0.5") == ["db", "replica"]
        assert await names.of("fd00::5") == ["db"]
        assert len(resolver.asked) == 3

    asyncio.run(scenario())


def test_unknown_addresses_do_not_flood_the_resolver() -> None:
    async def scenario() -> None:
        resolver = Resolver(db=["10.0.0.5"])
        names = TargetNames(lambda: ["db"], resolver)
        assert await asyncio.gather(*(names.of(f"10.0.1.{n}") for n in range(50))) == [[]] * 50
        assert len(resolver.asked) == 1

    asyncio.run(scenario())


def test_a_second_address_of_a_name_is_found_and_the_first_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_names, "AGAIN_SECONDS", 0.0)

    async def scenario() -> None:
        resolver = Resolver(db=["10.0.0.5"])
        names = TargetNames(lambda: ["db"], resolver)
        assert await names.of("10.0.0.5") == ["db"]
        resolver.answers["db"] = ["10.0.0.6"]
        assert await names.of("10.0.0.6") == ["db"]
        assert await names.of("10.0.0.5") == ["db"]

    asyncio.run(scenario())


def test_a_name_that_the_policy_gave_up_or_that_is_too_old_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        hosts = ["db"]
        names = TargetNames(lambda: hosts, Resolver(db=["10.0.0.5"]))
        assert await names.of("10.0.0.5") == ["db"]
        hosts.clear()
        assert await names.of("10.0.0.5") == []
        monkeypatch.setattr(target_names, "KEEP_SECONDS", 0.0)
        late = TargetNames(lambda: ["db"], Resolver(db=["10.0.0.5"]))
        assert await late.of("10.0.0.5") == []

    asyncio.run(scenario())


def test_a_resolver_that_hangs_is_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_names, "LOOKUP_SECONDS", 0.05)

    async def hang(_: str) -> list[str]:
        await asyncio.sleep(3600)
        return []

    assert asyncio.run(TargetNames(lambda: ["db"], hang).of("10.0.0.5")) == []


def test_the_system_s_resolver() -> None:
    assert "127.0.0.1" in asyncio.run(look_up("localhost"))
