"""The same on the other versions of the server: its catalogs differ in what they say of generated columns and views."""

from __future__ import annotations

import pytest

from hostagent.sql.masking.values import Rewritten
from tests.lab.postgres_versions import VERSIONS, home
from tests.unit.sql.masking.test_noninterference import run
from tests.unit.sql.masking.world import SECRETS, Session, cases, serving

OLD = {"13": {"JOIN USING with an alias"}}  # what that server does not know


@pytest.mark.timeout(240)
@pytest.mark.parametrize("version", [version for version in VERSIONS if home(version) is not None])
def test_other_servers(version: str) -> None:
    with serving(home(version), port=54872) as server:
        sessions = (Session(server, "one"), Session(server, "other"))
        for case in cases("evasions.sql"):
            outcome, answers = run(case, sessions, binary=False)
            assert outcome == case.expected or case.name in OLD.get(version, ()), case
            for ours, theirs in answers:
                assert ours == theirs, case
                assert not any(secret in repr(ours).encode() for secret in SECRETS), case
        for case in cases("everyday.sql"):
            result = sessions[0].reset(begin=False).rewrite(case.texts[0])
            assert isinstance(result, Rewritten), case
            begin = not case.texts[0].startswith("BEGIN")
            direct = sessions[0].reset(begin=begin).send(case.texts[0])
            assert sessions[0].reset(begin=begin).send(result.text) == direct, case
        for session in sessions:
            session.close()
