"""What a record may hold of a statement with a secret in it."""

from __future__ import annotations

import pytest

from hostagent.sql.analysis import Analysis
from hostagent.sql.postgres import analyze
from hostagent.sql.secrets import cut_at_secret

REDACTED = [
    ("CREATE ROLE joe PASSWORD 'hunter2'", "CREATE ROLE joe PASSWORD '***'"),
    (
        "alter user joe  with encrypted password\n'hunter2' login",
        "alter user joe  with encrypted password\n'***' login",
    ),
    ("ALTER ROLE joe PASSWORD /* x */ 'hunter2'", "ALTER ROLE joe PASSWORD /* x */ '***'"),
    ("ALTER ROLE joe PASSWORD E'hunt\\x65r2'", "ALTER ROLE joe PASSWORD '***'"),
    ("ALTER ROLE joe PASSWORD $a$hunter2$a$", "ALTER ROLE joe PASSWORD '***'"),
    ("ALTER ROLE joe PASSWORD U&'hunter2' VALID UNTIL 'x'", "ALTER ROLE joe PASSWORD '***' VALID UNTIL 'x'"),
    (
        "SELECT 'é'; ALTER ROLE joe PASSWORD 'hunter2'; SELECT 'b'",
        "SELECT 'é'; ALTER ROLE joe PASSWORD '***'; SELECT 'b'",
    ),
    (
        "CREATE USER MAPPING FOR joe SERVER s OPTIONS (user 'u', password 'hunter2')",
        "CREATE USER MAPPING FOR joe SERVER s OPTIONS (user '***', password '***')",
    ),
    ("ALTER SERVER s OPTIONS (SET sslpassword 'hunter2')", "ALTER SERVER s OPTIONS (SET sslpassword '***')"),
    (
        "CREATE SUBSCRIPTION s CONNECTION 'hunter2' PUBLICATION p",
        "CREATE SUBSCRIPTION s CONNECTION '***' PUBLICATION p",
    ),
    ("SELECT dblink_connect('host=h password=hunter2')", "SELECT dblink_connect('***')"),
    ("SELECT * FROM dblink(E'host=h p\\x61ssword=hunter2', 'q') x(a int)", "SELECT * FROM dblink('***', 'q') x(a int)"),
    ("SELECT dblink('postgres://u:hunter2@h/d', 'SELECT 1')", "SELECT dblink('***', 'SELECT 1')"),
    ("ALTER SYSTEM SET primary_conninfo = 'hunter2'", "ALTER SYSTEM SET primary_conninfo = '***'"),
    ("SET app.jwt_secret = 'hunter2'", "SET app.jwt_secret = '***'"),
    ("SELECT set_config('app.token', 'hunter2', false)", "SELECT set_config('***', '***', false)"),
    ("DO $$ BEGIN ALTER ROLE joe PASSWORD 'hunter2'; END $$", "DO '***'"),
]


@pytest.mark.parametrize(("text", "expected"), REDACTED)
def test_secrets_are_taken_out(text: str, expected: str) -> None:
    result = analyze(text)
    assert isinstance(result, Analysis), result
    assert result.recorded_text == expected


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'hunter2'",
        "SELECT password FROM users WHERE name = 'joe'",
        "UPDATE t SET token = 'x'",
        "ALTER ROLE joe PASSWORD NULL",
        "SET search_path = 'app'",
        "SELECT 'see https://example.com/a'",
    ],
)
def test_other_texts_are_recorded_as_they_are(text: str) -> None:
    result = analyze(text)
    assert isinstance(result, Analysis), result
    assert result.recorded_text is None


def test_a_text_that_was_not_analyzed_is_cut_at_the_first_suspicion() -> None:
    assert cut_at_secret("ALTER ROLE joe oops PASSWORD 'hunter2'") == "ALTER ROLE joe oops ***"
    assert cut_at_secret("SELEC 1") == "SELEC 1"
