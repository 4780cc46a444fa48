"""A flow, end to end: what is answered, what is refused and how, and what stands in the record afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostagent.kernel.cgroups import find_cgroup2_root
from tests.e2e.world import DECISION, NAME, Steps, World, eventually, target, world

READ = {
    "name": "work",
    "actors": "*",
    "targets": "orders",
    "allow": {"kinds": ["read", "write", "session", "create"], "functions": "*"},
}
NO_DROP = {
    "name": "no-drop",
    "actors": "*",
    "targets": "*",
    "deny": {"kinds": "drop"},
    "reason": "tables are dropped by migrations only",
}
POLICY = {"targets": [target("orders", 2)], "rules": [READ, NO_DROP]}
DSN = {4: "host=10.77.0.2 dbname=postgres user=trusting", 6: "host=fd77::2 dbname=postgres user=trusting"}
UNKNOWN = "host=10.77.0.9 dbname=postgres user=trusting"


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world(POLICY) as made:
        yield made


@pytest.fixture
def steps(here: World) -> Iterator[Steps]:
    with here.steps(DSN[4]) as session:
        yield session


@pytest.mark.parametrize("family", [4, 6])
def test_a_select_answers_and_a_drop_is_refused_while_the_session_goes_on(here: World, family: int) -> None:
    done = here.psql(
        DSN[family],
        "\\set VERBOSITY verbose",
        "SELECT pg_backend_pid() AS first \\gset",
        "SELECT owner FROM accounts ORDER BY id;",
        "DROP TABLE accounts;",
        "SELECT :first = pg_backend_pid();",
    )
    assert done.returncode == 0
    assert done.stdout == "ada\nbob\nt\n"
    assert "ERROR:  42501: denied by policy: tables are dropped by migrations only (rule no-drop)" in done.stderr
    assert DECISION.search(done.stderr)
    assert here.postgres.sql("SELECT count(*) FROM accounts") == "2"


@pytest.mark.parametrize(
    "text", ["SELEC 1;", "SELECT 'é',\n  2 FORM accounts x;", "SELECT 1 +;", "ALTER ROLE app PASSWORD hunter2;"]
)
def test_a_syntax_error_is_what_the_server_would_have_said(here: World, text: str) -> None:
    script = ("\\set VERBOSITY verbose", "\\set SHOW_CONTEXT never", text, "SELECT 'goes on';")
    governed, direct = (here.psql(DSN[4], *script, run=run) for run in (here.governed, here.direct))
    said = [line for line in direct.stderr.splitlines() if not line.startswith("LOCATION:")]
    if "hunter2" in text:  # what may be a password is not repeated, as it would stand in the recording
        assert "hunter2" in said[0]
        said[0] = said[0].partition(" at or near")[0]
    assert governed.stderr.splitlines() == said
    assert said[0].split("ERROR:  ")[1].startswith("42601: syntax error")
    assert said[1].startswith("LINE ") and said[2].strip() == "^"
    assert governed.stdout == direct.stdout == "goes on\n"
    assert "hunter2" not in json.dumps(here.events())


def test_it_fails_its_transaction_and_is_recorded_as_denied(here: World, steps: Steps) -> None:
    steps.do("BEGIN")
    failed = steps.do("SELECT 1 FORM accounts x")
    assert (failed["error"], failed["transaction"]) == ("42601", "INERROR")
    assert steps.do("SELECT 1")["error"] == "25P02"
    assert steps.do("ROLLBACK")["transaction"] == "IDLE"
    (event,) = here.decided("SELECT 1 FORM accounts x")
    assert (event["unmapped"]["verdict"], "cannot be parsed" in event["unmapped"]["reason"]) == ("deny", True)


def test_what_no_target_covers_is_refused_in_words(here: World) -> None:
    done = here.psql(UNKNOWN, "SELECT 1;")
    assert done.returncode == 2
    assert "denied: no target of the policy covers 10.77.0.9:5432" in done.stderr
    assert here.psql(UNKNOWN, "SELECT 1;", run=here.direct).stdout == "1\n"


def test_the_transaction_state_is_true(steps: Steps) -> None:
    steps.do("BEGIN")
    assert steps.do("INSERT INTO scratch VALUES (1, 'in a transaction')")["transaction"] == "INTRANS"
    denied = steps.do("DROP TABLE accounts")
    assert (denied["error"], denied["transaction"]) == ("42501", "INERROR")
    assert steps.do("SELECT 1")["error"] == "25P02"
    assert steps.do("DROP TABLE accounts")["transaction"] == "INERROR"
    assert steps.do("ROLLBACK")["transaction"] == "IDLE"
    assert steps.do("SELECT count(*) FROM scratch WHERE id = 1")["rows"] == [[0]]
    assert steps.do("DROP TABLE accounts")["transaction"] == "IDLE"


def test_a_savepoint_survives_a_denial(steps: Steps) -> None:
    for statement in ("BEGIN", "INSERT INTO scratch VALUES (2, 'kept')", "SAVEPOINT before"):
        steps.do(statement)
    assert steps.do("DROP TABLE accounts")["transaction"] == "INERROR"
    assert steps.do("ROLLBACK TO SAVEPOINT before")["transaction"] == "INTRANS"
    assert steps.do("COMMIT")["transaction"] == "IDLE"
    assert steps.do("DELETE FROM scratch WHERE id = 2 RETURNING note")["rows"] == [["kept"]]


def test_psql_sees_the_error_in_its_own_variables(here: World) -> None:
    done = here.psql(DSN[4], "DROP TABLE accounts;", "\\echo :ERROR :LAST_ERROR_SQLSTATE", "SELECT 1;", "\\echo :ERROR")
    assert done.stdout == "true 42501\n1\nfalse\n"


def test_an_ungoverned_process_beside_it_goes_direct(here: World) -> None:
    before = len(here.events())
    own, seen = (line.split()[1:] for line in here.python("where.py", DSN[4], run=here.direct).stdout.splitlines())
    assert own == seen
    assert here.psql(DSN[4], "DROP TABLE IF EXISTS nothing;", run=here.direct).returncode == 0
    assert len(here.events()) == before
    own, seen = (line.split()[1:] for line in here.python("where.py", DSN[4]).stdout.splitlines())
    assert own[0] == seen[0] and own[1] != seen[1]
    assert len(here.events()) > before


def test_nothing_of_a_batch_runs_when_one_of_it_is_denied(here: World) -> None:
    batch = "INSERT INTO scratch VALUES (3, 'batch'); DROP TABLE accounts; INSERT INTO scratch VALUES (4, 'batch')"
    done = here.governed("psql", "-X", DSN[4], "-c", batch)
    assert done.returncode == 1 and "denied by policy" in done.stderr
    assert here.postgres.sql("SELECT count(*) FROM scratch WHERE note = 'batch'") == "0"
    assert here.governed("psql", "-X", DSN[4], "-c", batch.replace("DROP TABLE accounts", "SELECT 1")).returncode == 0
    assert here.postgres.sql("DELETE FROM scratch WHERE note = 'batch' RETURNING id") == "3\n4"


def test_a_prepared_statement_is_denied_at_parse(here: World, steps: Steps) -> None:
    assert steps.do("DROP TABLE accounts", prepare=True)["error"] == "42501"
    assert steps.do("SELECT owner FROM accounts WHERE id = 1", prepare=True)["rows"] == [["ada"]]
    standing = "SELECT statement FROM pg_prepared_statements"
    assert steps.do(standing, prepare=False)["rows"] == [["SELECT owner FROM accounts WHERE id = 1"]]


def test_a_denial_in_a_pipeline_takes_back_what_came_before(here: World) -> None:
    done = here.python("pipeline.py", DSN[4])
    assert done.stdout == "error 42501\nstatus IDLE\nkept 73\n", done.stderr
    here.postgres.sql("DELETE FROM scratch")


def test_the_event_says_who_asked_what_and_how_it_ended(here: World) -> None:
    unit = find_cgroup2_root() / f"{NAME}.slice" / "nightly.service"
    unit.mkdir(parents=True)
    try:
        command = [*here.agent.enter(), "psql", "-X", DSN[4], "-c", "SELECT * FROM accounts WHERE id < 3"]
        client = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            preexec_fn=lambda: (unit / "cgroup.procs").write_text("0"),
        )  # fmt: skip
        assert client.wait(20) == 0
    finally:
        eventually(lambda: not (unit / "cgroup.procs").read_text())
        unit.rmdir()
        unit.parent.rmdir()
    (event,) = here.decided("SELECT * FROM accounts WHERE id < 3")
    process, facts = event["actor"]["process"], event["unmapped"]
    assert process["pid"] == client.pid
    assert process["file"]["path"].endswith("/bin/psql")
    assert process["parent_process"]["pid"] == os.getpid()
    assert process["parent_process"]["file"]["path"] == str(Path("/proc/self/exe").readlink())
    assert event["actor"]["user"]["name"] == "root"
    assert facts["cgroup"] == f"/{NAME}.slice/nightly.service"
    assert facts["attributes"]["unit"] == {"value": "nightly.service", "grade": "runtime-attested"}
    assert facts["attributes"]["slice"]["value"] == f"{NAME}.slice"
    assert (facts["target"], facts["rule"], facts["verdict"]) == ("orders", "work", "allow")
    assert (facts["kinds"], facts["relations"]) == (["select"], ["accounts"])
    assert event["dst_endpoint"] == {"ip": "10.77.0.2", "port": 5432}
    end = here.finished(facts["decision"])["unmapped"]
    assert (end["rows"], end["error"]) == (2, "")
    assert end["bytes"] > 0 and end["duration_us"] > 0


def test_parents_of_a_command_that_was_run_governed_are_known(here: World) -> None:
    here.governed("psql", "-X", DSN[4], "-c", "SELECT 'parents'")
    (event,) = here.decided("SELECT 'parents'")
    parent = event["actor"]["process"]["parent_process"]
    assert "python" in parent["file"]["name"]
    assert "hostagent" in parent["cmd_line"]


def test_a_denied_statement_is_found_by_the_id_that_the_client_saw(here: World) -> None:
    done = here.governed("psql", "-X", DSN[4], "-c", "DROP TABLE IF EXISTS accounts, scratch")
    seen = DECISION.search(done.stderr)
    assert seen
    found = here.agent.hostagent("events", "--state-dir", here.agent.state, "--id", seen[1], "-o", "json")
    (event,) = map(json.loads, found.splitlines())
    assert event["query_info"]["query_string"] == "DROP TABLE IF EXISTS accounts, scratch"
    assert (event["unmapped"]["verdict"], event["unmapped"]["rule"]) == ("deny", "no-drop")
    nobody = subprocess.run(
        here.agent.command("events", "--state-dir", here.agent.state, "--id", seen[1] + "0"), capture_output=True
    )
    assert nobody.returncode == 1


def test_a_reload_decides_anew_what_was_prepared(here: World, steps: Steps) -> None:
    file = here.agent.policies / "policy.yaml"
    good = file.read_text()
    assert steps.do("DELETE FROM scratch", prepare=True)["error"] == ""
    no_delete = {"name": "no-delete", "actors": "*", "targets": "*", "deny": {"kinds": "delete"}}
    try:
        file.write_text(json.dumps({**json.loads(good), "rules": [READ, NO_DROP, no_delete]}))
        assert "is in force" in here.agent.hostagent("policy", "reload")
        assert steps.do("DELETE FROM scratch", prepare=True)["error"] == "42501"
        assert steps.do("SELECT 1", prepare=True)["rows"] == [[1]]
    finally:
        file.write_text(good)
        here.agent.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: not steps.do("DELETE FROM scratch", prepare=True)["error"])


def test_a_bad_policy_changes_nothing_and_says_where_it_is_wrong(here: World, steps: Steps) -> None:
    file = here.agent.policies / "policy.yaml"
    good = file.read_text()
    in_force = json.loads(here.agent.hostagent("status", "-o", "json"))["policy"]["version"]
    try:
        file.write_text(
            "version: 1\nrules:\n  - name: open\n    actors: '*'\n    targets: '*'\n    alow: {kinds: any}\n"
        )
        done = subprocess.run(here.agent.command("policy", "reload"), capture_output=True, text=True)
        assert done.returncode != 0
        assert f"{file}:6:5: " in done.stderr and "allow" in done.stderr
        assert json.loads(here.agent.hostagent("status", "-o", "json"))["policy"]["version"] == in_force
        assert steps.do("DROP TABLE accounts")["error"] == "42501"
        assert steps.do("SELECT 1")["rows"] == [[1]]
    finally:
        file.write_text(good)


def test_sessions_are_listed_shown_played_and_exported(here: World, tmp_path: Path) -> None:
    done = here.governed("psql", "-X", DSN[4], "-c", "SELECT owner FROM accounts", "-c", "DROP TABLE accounts")
    seen = DECISION.search(done.stderr)
    assert seen
    flow, state = seen[1].partition(".")[0], ("--state-dir", here.agent.state)

    def listed() -> dict[str, object] | None:
        text = here.agent.hostagent("sessions", "list", *state, "-o", "json", "-n", 1000)
        found = [s for s in json.loads(text)["sessions"] if s["flow"] == flow]
        return found[0] if found and found[0]["closed"] else None

    session = eventually(listed)
    assert session["requests"] == 2 and session["denied"] == 1 and session["target"] == "orders"
    shown = here.agent.hostagent("sessions", "show", flow, *state)
    played = here.agent.hostagent("sessions", "play", flow, *state, "--no-wait")
    for text in (shown, played):
        assert "SELECT owner FROM accounts" in text and "ada" in text and "DROP TABLE accounts" in text
        assert "denied by policy" in text
    assert "/bin/psql" in shown
    cast = here.agent.hostagent("sessions", "export", flow, *state).splitlines()
    assert json.loads(cast[0])["version"] == 2 and all(len(json.loads(line)) == 3 for line in cast[1:])
    exported = [
        json.loads(line)
        for line in here.agent.hostagent("sessions", "export", flow, *state, "--format", "json").splitlines()
    ]
    assert exported[0]["header"]["flow"] == flow and len(exported) > 4


@pytest.mark.parametrize("what", ["journal/*.ndjson", "sessions/*/*.rec"])
def test_tampering_is_found(here: World, tmp_path: Path, what: str) -> None:
    here.psql(DSN[4], "SELECT 'audited';")
    copy = tmp_path / "state"
    shutil.copytree(here.agent.state, copy)
    assert audit(here, copy).returncode == 0
    altered = max((copy / "records").glob(what), key=lambda path: path.stat().st_size)
    data = bytearray(altered.read_bytes())
    data[len(data) // 2] ^= 1
    altered.write_bytes(data)
    done = audit(here, copy)
    assert done.returncode == 1
    assert "NOT INTACT" in done.stdout and altered.name in done.stdout


def audit(here: World, state: Path) -> subprocess.CompletedProcess[str]:
    command = here.agent.command("audit", "verify", "--state-dir", state)
    return subprocess.run(command, capture_output=True, text=True, check=False)
