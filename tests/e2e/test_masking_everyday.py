"""The everyday corpus through the daemon with masks in force: where no masked column is touched, it answers as direct.

The statements: tests/corpus/everyday. One daemon at a time: this module has no other.
"""

from __future__ import annotations

import pytest

from tests.corpus import everyday_runs
from tests.corpus.everyday_runs import DATABASE, in_policy
from tests.e2e.test_everyday import POLICY, everyday_of, governed
from tests.e2e.world import world


@pytest.mark.timeout(600)
def test_everyday_statements_answer_as_direct_with_masks(capsys: pytest.CaptureFixture[str]) -> None:
    policy = {**POLICY, "masks": in_policy(everyday_runs.MASKS)}
    with world(policy) as made, capsys.disabled():
        outcome = everyday_of(made).run_all(lambda: governed(made, DATABASE))
    outcome.check()
