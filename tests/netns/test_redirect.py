"""Apply, verify and remove, in a network namespace of their own; and the events that tell of changes."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator

import pytest

from hostagent.kernel.monitor import changes
from hostagent.kernel.redirect import Redirect
from tests.netns.topology import inside, ip

TABLE = "hostagent_hared"


@pytest.fixture
def namespace(instance: str) -> Iterator[None]:
    ip("netns", "add", instance)
    ip("-n", instance, "link", "set", "lo", "up")
    try:
        with inside(instance):
            yield
    finally:
        ip("netns", "del", instance)


@pytest.fixture
def redirect(namespace: None) -> Redirect:
    made = Redirect("hared", 15001, ("docker0", "veth*"))
    made.apply()
    return made


def nft(*words: str) -> str:
    return subprocess.run(["nft", *words], check=True, capture_output=True, text=True).stdout


DRIFT = {
    "nftables table inet hostagent_hared is gone": ("nft", "delete", "table", "inet", TABLE),
    "nftables chain divert differs": ("nft", "flush", "chain", "inet", TABLE, "divert"),
    "nftables chain output differs": ("nft", "insert", "rule", "inet", TABLE, "output", "accept"),
    "nftables chain more is not ours": ("nft", "add", "chain", "inet", TABLE, "more"),
    "IPv4 rule fwmark 0x77/0xff lookup 177 is gone": ("ip", "rule", "del", "priority", "177"),
    "IPv6 rule fwmark 0x77/0xff lookup 177 is gone": ("ip", "-6", "rule", "del", "priority", "177"),
    "IPv4 route local default dev lo table 177 is gone": ("ip", "route", "flush", "table", "177"),
    "IPv6 route local default dev lo table 177 is gone": ("ip", "-6", "route", "flush", "table", "177"),
}


@pytest.mark.parametrize("named", DRIFT)
def test_every_drift_is_named_and_mended(redirect: Redirect, named: str) -> None:
    assert redirect.verify() == []
    subprocess.run(DRIFT[named], check=True)
    assert redirect.verify() == [named]
    redirect.apply()
    assert redirect.verify() == []


def test_only_what_is_ours_is_removed(redirect: Redirect) -> None:
    nft("add", "table", "inet", "theirs")
    ip("rule", "add", "fwmark", "0x77/0xff", "lookup", "177", "priority", "99")
    redirect.remove()
    redirect.remove()
    assert nft("list", "tables") == "table inet theirs\n"
    rules = subprocess.run(["ip", "rule"], check=True, capture_output=True, text=True).stdout
    assert "99:\tfrom all fwmark 0x77/0xff lookup 177" in rules
    assert "177:\t" not in rules


def test_a_successor_removes_what_a_crashed_predecessor_left(redirect: Redirect) -> None:
    Redirect("hared", 15001).remove()
    assert nft("list", "tables") == ""
    assert redirect.verify()[0] == "nftables table inet hostagent_hared is gone"


def test_two_instances_beside_each_other(redirect: Redirect) -> None:
    other = Redirect("hared2", 15002, table=178)
    other.apply()
    assert (redirect.verify(), other.verify()) == ([], [])
    other.remove()
    assert redirect.verify() == []


@pytest.mark.parametrize("named", DRIFT)
def test_changes_are_told(redirect: Redirect, named: str) -> None:
    async def watch() -> bool:
        async with contextlib.aclosing(changes()) as told:
            await anext(told)  # the first one comes unasked
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await anext(told)
        async with contextlib.aclosing(changes()) as told:
            await anext(told)
            await asyncio.to_thread(subprocess.run, DRIFT[named], check=True)
            async with asyncio.timeout(2):
                await anext(told)
        return True

    assert asyncio.run(watch())
