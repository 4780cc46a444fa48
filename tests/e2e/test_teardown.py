"""A stop that is meant takes everything away again."""

from __future__ import annotations

from tests.e2e.world import NAME, in_force, standing, target, world

POLICY = {
    "targets": [target("orders", 2)],
    "rules": [{"name": "all", "actors": "*", "targets": "*", "allow": {"kinds": "any"}}],
}
DSN = "host=10.77.0.2 dbname=postgres user=trusting"


def test_everything_that_was_made_is_gone_at_the_end() -> None:
    with world(POLICY) as here:
        assert here.psql(DSN, "SELECT 1").stdout == "1\n"
        assert any(NAME in line for line in in_force(here.lab.host))
        assert {"hate2e-host", "hate2e-db", f"/sys/fs/bpf/hostagent/{NAME}"} <= set(standing())
        here.agent.stop()
        assert in_force(here.lab.host) == []
        assert not here.agent.directory.exists()
    assert standing() == []
