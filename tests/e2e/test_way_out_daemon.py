"""Ways out while the real daemon, or a part of it, is gone: intercepted or refused, never direct."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from hostagent.kernel.hooks import PINS
from tests.e2e.failure_lab import Stage, staged, until
from tests.e2e.world import NAME
from tests.lab.dies import witness
from tests.netns.stage import Outcomes, outcomes
from tests.netns.topology import inside, ip

__all__ = ["outcomes"]

TABLE = ("inet", f"hostagent_{NAME}")
LINKS = PINS / NAME / "links"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


@pytest.fixture
def sound(stage: Stage) -> Iterator[None]:
    """The twin is right before and after: the governed come through the worker, the free directly."""
    assert came(stage) == ("way t", "way f")
    yield
    if stage.agent.process.poll() is not None:
        stage.agent.launch()
    until(lambda: came(stage) == ("way t", "way f"))


def came(stage: Stage) -> tuple[str, str]:
    """How a governed and a free client fare now."""
    return stage.way(stage.governed), stage.way(stage.free)


def clients(stage: Stage) -> int:
    """How many TCP clients the server has."""
    return int(stage.postgres.sql("select count(*) from pg_stat_activity where client_addr is not null"))


def no_way(stage: Stage, outcomes: Outcomes, form: str) -> None:
    """A governed client is refused in both families, and nothing of it reaches the server; the free twin is served."""
    until(lambda: clients(stage) == 0)
    for family in (4, 6):
        outcome = stage.way(stage.governed, family)
        assert clients(stage) == 0
        assert outcome.startswith("refused "), outcome
        assert stage.stand_in(stage.governed, family).startswith("refused ")
        assert stage.way(stage.free, family) == "way f"
        assert stage.stand_in(stage.free, family) == "DIRECT"
        outcomes.rows.append((form, f"IPv{family}", outcome.replace("refused ", "refused (") + ")", "direct"))


def test_daemon_killed_while_none_connects(stage: Stage, outcomes: Outcomes, sound: None) -> None:
    stage.agent.kill()
    no_way(stage, outcomes, "daemon SIGKILLed")
    assert stage.stand_in(stage.governed).startswith("refused ")
    witness(10, "the daemon (SIGKILL)", "refused: hooks and rules stand", "its successor intercepts")


def test_daemon_killed_while_sessions_run(stage: Stage, outcomes: Outcomes, sound: None) -> None:
    idle, busy, free = stage.session(), stage.session(), stage.session(stage.free)
    assert (idle.ask("select 1"), free.ask("select 1")) == ("1", "1")
    busy.send("select pg_sleep(60)")
    until(lambda: stage.postgres.sql("select count(*) from pg_stat_activity where query ~ '^select pg_sleep'") == "1")
    stage.agent.kill()
    assert "(gone)" in busy.answer()
    assert "(gone)" in idle.ask("select 2") + idle.ask("select 3")
    assert free.ask("select 4") == "4"
    free.process.kill()
    stage.postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where client_addr is not null")
    no_way(stage, outcomes, "daemon SIGKILLed, sessions open")
    witness(
        11, "the daemon, while sessions run", "their sessions end, new ones are refused", "its successor intercepts"
    )


def test_a_restart_takes_over_without_a_hole(stage: Stage, sound: None) -> None:
    """Attempts without a pause, over two crashes and one ordinary stop, each with its start."""
    runs = [stage.attempts(stage.governed) for _ in range(2)]
    twin = stage.attempts(stage.free)
    for end in (stage.agent.kill, stage.agent.kill, lambda: terminate(stage)):
        time.sleep(0.3)
        end()
        time.sleep(0.2)
        stage.agent.launch()
    time.sleep(0.5)
    for process in (*runs, twin):
        process.terminate()
    said = [line for process in runs for line in process.communicate()[0].splitlines()]
    kinds = {line if line.startswith("way") else "refused" for line in said}
    assert kinds == {"way t", "refused"}, set(said)
    assert set(twin.communicate()[0].splitlines()) == {"way f"}
    witness(
        12,
        "the daemon, between two of its lives",
        "refused, or intercepted by the next",
        "no moment in which one goes past",
    )


def terminate(stage: Stage) -> None:
    """The ordinary stop: the rules stay."""
    stage.agent.process.send_signal(signal.SIGTERM)
    assert stage.agent.process.wait(20) == 0


def test_daemon_stopped(stage: Stage, outcomes: Outcomes, sound: None) -> None:
    terminate(stage)
    no_way(stage, outcomes, "daemon stopped")
    witness(13, "the daemon (`systemctl stop`)", "refused: the rules stay", "the next start intercepts")


def test_worker_killed(stage: Stage, outcomes: Outcomes, sound: None) -> None:
    """Its flows end; who connects meanwhile waits for the next worker, or is refused."""
    session, free = stage.session(), stage.session(stage.free)
    assert session.ask("select 1") == "1"
    killed = stage.child("workers")
    run = stage.attempts(stage.governed)
    subprocess.run(["kill", "-KILL", str(killed)], check=True)
    until(lambda: stage.child("workers") != killed)
    until(lambda: stage.way(stage.governed) == "way t")
    run.terminate()
    said = run.communicate()[0].splitlines()
    assert {line for line in said if not line.startswith("refused")} == {"way t"}
    assert "(gone)" in session.ask("select 2") + session.ask("select 3")
    assert free.ask("select 3") == "3"
    outcomes.rows.append(("worker SIGKILLed", "IPv4", "intercepted by the next", "direct"))
    ended = [e for e in stage.events("child_ended") if e["unmapped"]["facts"]["name"] == "worker0"]
    assert ended[-1]["unmapped"]["facts"]["status"] == -signal.SIGKILL
    then = "replaced; event `child_ended`"
    witness(20, "a worker (SIGKILL)", "its sessions end; new ones wait for the next worker, or are refused", then)


def unlink(*programs: str) -> None:
    """Detach links: nothing but the pin holds them beside the daemon's own objects."""
    for program in programs:
        (LINKS / program).unlink()


DAMAGE: dict[str, Callable[[], object]] = {
    "nft flush of our table, daemon up": lambda: subprocess.run(["nft", "flush", "table", *TABLE], check=True),
    "nft delete of our table, daemon up": lambda: subprocess.run(["nft", "delete", "table", *TABLE], check=True),
    "ip rule deleted, daemon up": lambda: [ip(*v, "rule", "del", "priority", "177") for v in ((), ("-6",))],
    "routing table flushed, daemon up": lambda: [ip(*v, "route", "flush", "table", "177") for v in ((), ("-6",))],
    "connect hooks detached, daemon up": lambda: unlink("hostagent_connect4", "hostagent_connect6"),
    "publish hook detached, daemon up": lambda: unlink("hostagent_publish"),
    "egress hook detached, daemon up": lambda: unlink("hostagent_egress"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_mended(stage: Stage, outcomes: Outcomes, sound: None, damage: str) -> None:
    run, twin = stage.attempts(stage.governed), stage.attempts(stage.free)
    time.sleep(0.2)
    known = len(stage.events("drift"))
    began = time.time()
    with inside(stage.lab.host):
        DAMAGE[damage]()
    until(lambda: len(stage.events("drift")) > known)
    assert stage.events("drift")[known]["time"] / 1000 - began < 5
    until(lambda: stage.way(stage.governed) == "way t")
    for process in (run, twin):
        process.terminate()
    said = {line if line.startswith("way") else "refused" for line in run.communicate()[0].splitlines()}
    assert said <= {"way t", "refused"}
    assert "way t" in said
    assert "way f" in twin.communicate()[0].splitlines()
    outcomes.rows.append((damage, "IPv4", " or ".join(sorted(said)).replace("way t", "intercepted"), "direct"))
    stands_again = stage.agent.hostagent("doctor", check=False)
    assert " 0 FAIL" in stands_again, stands_again
    then = "put back within 5 s; event `drift`"
    witness(
        40 + list(DAMAGE).index(damage),
        damage.removesuffix(", daemon up"),
        "intercepted or refused, never direct",
        then,
    )
