"""Budgets and purses together: never more than a limit, over any number of workers and in any order."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

sys.path.insert(0, str(Path(__file__).parent.parent / "policy"))
from policy_samples import policy_of

from hostagent.limits.budgets import Budgets, Key, Report
from hostagent.limits.purse import IDLE_SECONDS, REFUSED_SECONDS, Pocket, Purse, Tally
from hostagent.policy.limits import Hit
from hostagent.policy.model import Limit

NOTHING = Report(0, 0, 0)


def limit(rest: str, name: str = "l") -> Limit:
    return policy_of(f"limits: [{{name: {name}, actors: '*', targets: '*', {rest}}}]\n").limits[0]


class Host:
    """A supervisor and its workers, with a clock that the test moves; recalls happen as the daemon makes them."""

    def __init__(self, workers: int = 1) -> None:
        self.now = 1000.0
        self.budgets = Budgets()
        self.purses = {f"worker{n}": Purse(lambda: self.now) for n in range(workers)}
        self.asked = 0

    def borrow(self, worker: str, pocket: Pocket) -> None:
        self.asked += 1
        key = pocket.key
        loan = self.budgets.borrow(worker, pocket.limit, key.who, pocket.report(), self.now)
        if not loan.lent:
            holders, window = self.budgets.lenders(worker, key)
            for holder in holders:
                self.budgets.give_back(holder, key, self.purses[holder].recalled(key, window))
            loan = self.budgets.borrow(worker, pocket.limit, key.who, Report(0, 0, window), self.now)
        pocket.borrowed(loan, self.now)

    def check(self, worker: str, *limits: tuple[Limit, str]) -> Tally | Hit:
        answer = self.purses[worker].check(limits)
        for _ in range(3):
            if not isinstance(answer, list):
                break
            for pocket in answer:
                self.borrow(worker, pocket)
            answer = self.purses[worker].check(limits)
        assert not isinstance(answer, list)
        return answer


def test_statements_are_counted_exactly_over_workers() -> None:
    host, ten = Host(3), limit("what: statements, max: 10, per: minute")
    let_through = [isinstance(host.check(f"worker{n % 3}", (ten, "a")), Tally) for n in range(30)]
    assert sum(let_through) == 10
    assert let_through.index(False) == 10  # what one worker holds does not keep another from the rest
    assert isinstance(host.check("worker0", (ten, "b")), Tally)  # another actor


def test_a_hit_says_when_it_resets_and_then_it_does() -> None:
    host, two = Host(), limit("what: statements, max: 2, per: minute")
    assert isinstance(host.check("worker0", (two, "a")), Tally)
    host.now += 10
    assert isinstance(host.check("worker0", (two, "a")), Tally)
    hit = host.check("worker0", (two, "a"))
    assert isinstance(hit, Hit)
    assert (hit.name, hit.resets_at) == ("l", 1060.0)
    host.now = 1059.9
    assert isinstance(host.check("worker0", (two, "a")), Hit)
    host.now = 1060.0
    assert isinstance(host.check("worker0", (two, "a")), Tally)


def test_nothing_is_spent_of_one_limit_when_another_is_used_up() -> None:
    host = Host()
    many = limit("what: statements, max: 2, per: hour", "many")
    none = limit("what: statements, max: 0, per: hour", "no")
    for _ in range(5):
        assert isinstance(host.check("worker0", (many, "a"), (none, "a")), Hit)
    assert [isinstance(host.check("worker0", (many, "a")), Tally) for _ in range(3)] == [True, True, False]


def test_rows_go_beyond_by_what_was_on_its_way_only() -> None:
    host, rows = Host(2), limit("what: rows, max: 500, per: hour")
    first = host.check("worker0", (rows, "a"))
    assert isinstance(first, Tally)
    total, hit = 0, None
    while hit is None:  # one endless result, counted 10 rows at a time
        total += 10
        answer = first.reached(total, 999 * total)
        if isinstance(answer, list):
            for pocket in answer:
                host.borrow("worker0", pocket)
        hit = answer if isinstance(answer, Hit) else None
    assert 500 <= total <= 510 + 10
    assert isinstance(host.check("worker1", (rows, "a")), Hit)
    assert isinstance(host.check("worker1", (rows, "b")), Tally)


def test_results_that_run_side_by_side_go_beyond_by_one_piece_each() -> None:
    host, rows = Host(2), limit("what: rows, max: 100, per: hour")
    running = [host.check(f"worker{n % 2}", (rows, "a")) for n in range(8)]
    total, brought = 0, dict.fromkeys(map(id, running), 0)
    while running:
        for tally in list(running):
            assert isinstance(tally, Tally)
            total += 10
            brought[id(tally)] += 10
            answer = tally.reached(brought[id(tally)], 0)
            if isinstance(answer, Hit):
                running.remove(tally)
            for pocket in answer if isinstance(answer, list) else []:
                host.borrow("worker0" if pocket in host.purses["worker0"]._pockets.values() else "worker1", pocket)
    assert 100 <= total <= 100 + 2 * 8 * 10


def test_a_result_that_is_counted_at_its_end_only_counts_whole() -> None:
    host, rows = Host(), limit("what: rows, max: 100, per: hour")
    tally = host.check("worker0", (rows, "a"))
    assert isinstance(tally, Tally)
    tally.reached(1_000_000, 0)
    assert isinstance(host.check("worker0", (rows, "a")), Hit)


@pytest.mark.parametrize(("what", "counts"), [("rows", (1, 0, "")), ("bytes", (0, 1, "")), ("errors", (0, 0, "42P01"))])
def test_each_measure_counts_its_own(what: str, counts: tuple[int, int, str]) -> None:
    host, one = Host(), limit(f"what: {what}, max: 1, per: hour")
    for rows, size, error in [c for c in ((1, 0, ""), (0, 1, ""), (0, 0, "42P01")) if c != counts]:
        tally = host.check("worker0", (one, "a"))
        assert isinstance(tally, Tally)
        tally.reached(rows, size)
        tally.ended(error)
    tally = host.check("worker0", (one, "a"))
    assert isinstance(tally, Tally)
    tally.reached(*counts[:2])
    tally.ended(counts[2])
    assert isinstance(host.check("worker0", (one, "a")), Hit)


def test_a_loop_of_refused_statements_asks_the_supervisor_four_times_a_second_at_most() -> None:
    host, none = Host(), limit("what: statements, max: 0, per: hour")
    for _ in range(1000):
        assert isinstance(host.check("worker0", (none, "a")), Hit)
        host.now += 0.001
    assert host.asked <= 1 / REFUSED_SECONDS + 1


def test_many_statements_cost_few_questions() -> None:
    host, many = Host(), limit("what: statements, max: 100000, per: hour")
    for _ in range(50_000):
        assert isinstance(host.check("worker0", (many, "a")), Tally)
    assert host.asked < 10


def test_what_a_dead_worker_had_borrowed_is_spent() -> None:
    host, eight = Host(2), limit("what: statements, max: 16, per: hour")
    assert isinstance(host.check("worker0", (eight, "a")), Tally)  # borrowed two
    host.budgets.drop_worker("worker0")
    assert [u for _, u, _, _ in host.budgets.shown(host.now)] == [2]
    assert sum(isinstance(host.check("worker1", (eight, "a")), Tally) for _ in range(20)) == 14


def test_what_is_idle_goes_back() -> None:
    host, many = Host(), limit("what: statements, max: 80, per: hour")
    tally = host.check("worker0", (many, "a"))
    assert isinstance(tally, Tally)
    assert [u for _, u, _, _ in host.budgets.shown(host.now)] == [10]
    host.now += IDLE_SECONDS + 1
    assert host.purses["worker0"].idle() == []  # its statement may still bring something
    tally.ended("")
    tally.ended("")
    for pocket in host.purses["worker0"].idle():
        host.budgets.give_back("worker0", pocket.key, pocket.emptied())
    assert [u for _, u, _, _ in host.budgets.shown(host.now)] == [1]
    assert len(host.purses["worker0"]) == 0


def test_a_run_is_counted_until_its_cgroup_is_gone() -> None:
    host, two = Host(), limit("what: statements, max: 1, per: run")
    assert isinstance(host.check("worker0", (two, "/run/1")), Tally)
    hit = host.check("worker0", (two, "/run/1"))
    assert isinstance(hit, Hit)
    assert hit.resets_at is None
    assert host.budgets.runs() == ["/run/1"]
    host.budgets.forget_run("/run/1")
    host.now += 1
    assert isinstance(host.check("worker0", (two, "/run/1")), Tally)


def test_a_limit_that_changed_starts_anew_and_an_old_report_changes_nothing() -> None:
    budgets, old, new = Budgets(), limit("what: rows, max: 8, per: hour"), limit("what: rows, max: 80, per: hour")
    loan = budgets.borrow("w", old, "a", NOTHING, 0.0)
    assert (loan.lent, loan.ends) == (1, 3600.0)
    again = budgets.borrow("w", new, "a", Report(5, 1, loan.window), 0.0)
    assert again.lent == 10
    budgets.give_back("w", Key("l", "a"), Report(1000, 1000, loan.window))
    assert [(u, most) for _, u, most, _ in budgets.shown(0.0)] == [(10, 80)]


def test_the_number_of_keys_is_bounded_and_ended_windows_make_room() -> None:
    budgets, one = Budgets(most_keys=2), limit("what: rows, max: 8, per: minute")
    for who in ("a", "b"):
        budgets.borrow("w", one, who, NOTHING, 0.0)
    with pytest.raises(ValueError, match="more than 2"):
        budgets.borrow("w", one, "c", NOTHING, 1.0)
    assert budgets.borrow("w", one, "c", NOTHING, 60.0).lent == 1
    assert len(budgets) == 1


class Counted(RuleBasedStateMachine):
    """Statements on three workers that die, fall idle and go on, while time passes: never more than `max` a window."""

    @initialize(most=st.integers(0, 40))
    def start(self, most: int) -> None:
        self.host = Host(3)
        self.limit = limit(f"what: statements, max: {most}, per: minute")
        self.through: list[float] = []

    @rule(worker=st.integers(0, 2), times=st.integers(1, 15))
    def run(self, worker: int, times: int) -> None:
        for _ in range(times):
            tally = self.host.check(f"worker{worker}", (self.limit, "a"))
            if isinstance(tally, Tally):
                tally.ended("")
                self.through.append(self.host.now)

    @rule(seconds=st.sampled_from([0.1, 1.0, 20.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.host.now += seconds

    @rule(worker=st.integers(0, 2))
    def die(self, worker: int) -> None:
        name = f"worker{worker}"
        self.host.budgets.drop_worker(name)
        self.host.purses[name] = Purse(lambda: self.host.now)

    @rule(worker=st.integers(0, 2))
    def tidy(self, worker: int) -> None:
        name = f"worker{worker}"
        for pocket in self.host.purses[name].idle():
            self.host.budgets.give_back(name, pocket.key, pocket.emptied())

    @invariant()
    def never_beyond(self) -> None:
        for _, used, most, ends in self.host.budgets.shown(self.host.now):
            assert used <= most
            assert ends is not None
            assert sum(at >= ends - 60 for at in self.through) <= used


TestCounted = Counted.TestCase
TestCounted.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.lists(st.integers(0, 50), max_size=60))
def test_used_and_lent_are_what_was_counted(amounts: list[int]) -> None:
    host, rows = Host(), limit("what: rows, max: 300, per: hour")
    counted = 0
    for amount in amounts:
        tally = host.check("worker0", (rows, "a"))
        if isinstance(tally, Hit):
            break
        tally.reached(amount, 0)
        tally.ended("")
        counted += amount
    pocket = host.purses["worker0"]._pockets.get(Key("l", "a"))
    if pocket is not None:
        host.budgets.give_back("worker0", pocket.key, pocket.emptied())
        assert [u for _, u, _, _ in host.budgets.shown(host.now)] == [counted]


def test_what_has_brought_nothing_is_not_cut_off_and_what_has_is_also_while_it_brings_no_more() -> None:
    host, rows = Host(), limit("what: rows, max: 1, per: hour")
    running, silent = (host.check("worker0", (rows, "a")) for _ in range(2))
    assert isinstance(running, Tally)
    assert isinstance(silent, Tally)
    pockets = running.reached(5, 0)
    assert isinstance(pockets, list)
    host.borrow("worker0", pockets[0])
    assert isinstance(running.reached(5, 0), Hit)
    assert silent.reached(0, 0) is None


def test_what_a_portal_brings_after_its_first_end_is_counted_too() -> None:
    host, rows = Host(), limit("what: rows, max: 100, per: hour")
    tally = host.check("worker0", (rows, "a"))
    assert isinstance(tally, Tally)
    brought, hit = 0, None
    while hit is None:
        brought += 1
        answer = tally.reached(brought, 0)
        tally.ended("")
        host.now += 0.01
        if brought == 20:  # long enough for its pocket to go back
            host.now += IDLE_SECONDS + 1
            for pocket in host.purses["worker0"].idle():
                host.budgets.give_back("worker0", pocket.key, pocket.emptied())
        for pocket in answer if isinstance(answer, list) else []:
            host.borrow("worker0", pocket)
        hit = answer if isinstance(answer, Hit) else None
    assert brought == 101
