from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from policy_samples import actor, policy_of

from hostagent.policy.match import actor_classes, find_target
from hostagent.values.actor import Actor, Grade
from hostagent.values.flow import Endpoint
from hostagent.values.target import Target, UpstreamTls


@pytest.mark.parametrize(
    ("conditions", "made", "matches"),
    [
        ("cgroup: /a/*", actor(cgroup="/a/b"), True),
        ("cgroup: /a/*", actor(cgroup="/a/b/c"), False),
        ("cgroup: [/x, /a/**]", actor(cgroup="/a/b/c"), True),
        ("executable: /usr/bin/psql", actor(), True),
        ("executable: /usr/bin/psql", actor(executable="/tmp/psql"), False),
        ("executable: /**", actor(executable=""), False),
        ("parent_executable: /usr/bin/bash", actor(), True),
        ("parent_executable: /usr/bin/psql", actor(), False),
        ("uid: [0, 1000]", actor(), True),
        ("uid: 0", actor(), False),
        ("user: ann", actor(), True),
        ("user: bob", actor(), False),
        ("login_user: bob", actor(), True),
        ("login_user: ann", actor(), False),
        ("command_line: 'psql -h *', grade: claimed", actor(), True),
        ("command_line: 'psql -p *', grade: claimed", actor(), False),
        ("unit: actions.runner.*.service", actor(unit="actions.runner.org.one.service"), True),
        ("unit: actions.runner.*.service", actor(unit="web.service"), False),
        ("unit: '*'", actor(), False),
        ("unit: a.service, uid: 1000", actor(unit="a.service"), True),
        ("unit: a.service, uid: 0", actor(unit="a.service"), False),
        ("ci_provider: github, ci_scope: [org, org-*]", actor(ci_provider="github", ci_scope="org-x"), True),
        ("attributes: {ci_job: '7'}", actor(ci_job=("7", Grade.CLAIMED)), False),
        ("attributes: {ci_job: '7'}, grade: claimed", actor(ci_job=("7", Grade.CLAIMED)), True),
        ("unit: a.service, grade: kernel-attested", actor(unit="a.service"), False),
        ("unit: a.service, grade: kernel-attested", actor(unit=("a.service", Grade.KERNEL)), True),
        ("pod_uid: '*'", actor(pod_uid="7d"), True),
    ],
)
def test_classes(conditions: str, made: Actor, matches: bool) -> None:
    policy = policy_of(f"actors:\n  - {{name: it, {conditions}}}\n  - {{name: other, uid: 4294967295}}\n")
    assert actor_classes(policy, made) == (frozenset({"it"}) if matches else frozenset())


TARGETS = policy_of("""
credentials:
  - {name: reader, user: r, systemd: reader}
targets:
  - {name: net, protocol: postgres, match: {addresses: [10.0.0.0/8, "2001:db8::/32"]}, tls: {upstream: off}}
  - {name: subnet, protocol: postgres, match: {addresses: 10.1.0.0/16}}
  - {name: port, protocol: postgres, match: {addresses: 10.1.0.0/16, ports: 5433}}
  - {name: name, protocol: postgres, match: {hosts: DB.example.com.}, tls: {server_name: db, ca_file: /ca}}
  - {name: one, protocol: postgres, match: {hosts: one.example.com, addresses: 10.0.0.1}, credential: reader}
  - {name: alias, protocol: postgres, match: {hosts: alias.example.com}}
""")


@pytest.mark.parametrize(
    ("address", "port", "names", "found"),
    [
        ("10.9.9.9", 5432, (), "net"),
        ("2001:db8::1", 5432, (), "net"),
        ("10.1.9.9", 5432, (), "subnet"),
        ("10.1.9.9", 5433, (), "port"),
        ("192.0.2.1", 5432, (), None),
        ("192.0.2.1", 5432, ("db.EXAMPLE.com",), "name"),
        ("10.1.9.9", 5433, ("db.example.com.",), "name"),
        ("10.0.0.1", 5432, ("one.example.com",), "one"),
        ("10.0.0.2", 5432, ("one.example.com",), "net"),
        ("10.0.0.1", 5432, (), "net"),
        ("192.0.2.1", 5432, ("db.example.com", "alias.example.com"), None),
    ],
)
def test_targets(address: str, port: int, names: tuple[str, ...], found: str | None) -> None:
    target = find_target(TARGETS, Endpoint(address, port), frozenset(names))
    assert (target.name if target else None) == found


@pytest.mark.parametrize(("spoken", "found"), [("postgres", "pg"), ("mysql", "my"), ("ssh", None), ("", None)])
def test_of_two_that_are_as_exact_it_is_the_one_that_is_spoken(spoken: str, found: str | None) -> None:
    policy = policy_of("""
targets:
  - {name: pg, protocol: postgres, match: {addresses: 10.0.0.5}}
  - {name: my, protocol: mysql, match: {addresses: 10.0.0.5}}
  - {name: ours, protocol: mysql, match: {addresses: 10.0.0.5, ports: 3306}}
""")
    target = find_target(policy, Endpoint("10.0.0.5", 4406), frozenset(), spoken)
    assert (target.name if target else None) == found
    exact = find_target(policy, Endpoint("10.0.0.5", 3306), frozenset(), "postgres")
    assert exact is not None and exact.name == "ours", "a port says more than a client"


def test_the_value_of_a_target() -> None:
    names = frozenset({"db.example.com"})
    assert find_target(TARGETS, Endpoint("192.0.2.1", 1), names) == Target(
        "name", "postgres", UpstreamTls.VERIFY_FULL, "/ca", "db"
    )  # nothing of ours to log in with
    one = find_target(TARGETS, Endpoint("10.0.0.1", 1), frozenset({"one.example.com"}))
    assert one is not None and one.credential == "reader" and one.login
