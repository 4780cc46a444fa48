"""MariaDB behind the daemon, and stock clients before it: logins, decisions, TLS, and what a denial leaves standing."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.mysql_world import PORT, SECRETS, MysqlWorld, address, target, world
from tests.e2e.world import CLIENTS, DECISION, eventually

NODE = Path(__file__).resolve().parents[2] / "build" / "node"
WRONG = "wr0ng-s3cret-dead"
TYPED = "typed-s3cret-f00d"
RULES = [
    {"name": "all", "actors": "*", "targets": "*", "allow": {"kinds": "any", "functions": "*", "settings": "*"}},
    {"name": "no-drops", "actors": "*", "targets": "*", "deny": {"kinds": "drop"}, "reason": "tables stay"},
    {"name": "no-kills", "actors": "*", "targets": "*", "deny": {"kinds": "system"}},
]
MASKS = [{"name": "owners", "targets": "masked", "columns": "shop.accounts.owner", "mask": "redact"}]
TARGETS = [
    target("held", 2, credential="app"),
    target("held-plain", 3, "off", credential="app"),
    target("held-ed25519", 4, credential="ed"),
    target("relayed", 5),
    target("relayed-plain", 6, "off"),
    target("wrong", 7, credential="wrong"),
    target("masked", 8, credential="app"),
    target("watched", 9, "off", credential="app"),
]
DETECTORS = [{"name": "cards", "targets": "watched", "detect": ["card"], "then": "redact"}]
OTHERS = 12  # an address that no target covers
READ = "SELECT owner FROM accounts WHERE id = 1"
WHO = "SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1), (SELECT VARIABLE_VALUE <> '' FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'SSL_CIPHER')"  # noqa: E501
DENIAL = re.compile(r"ERROR 1142 \(42000\).*denied by policy: tables stay \(rule no-drops\)\. (The operator .*)")


@pytest.fixture(scope="module")
def files() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hostagent-e2e-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="module")
def here(files: Path) -> Iterator[MysqlWorld]:
    secrets = {**SECRETS, "wrong": WRONG}
    for name, secret in secrets.items():
        (files / name).write_text(secret)
        (files / name).chmod(0o600)
    credentials = [
        {"name": name, "user": "app" if name == "wrong" else name, "file": str(files / name)} for name in secrets
    ]
    policy = {"targets": TARGETS, "credentials": credentials, "rules": RULES, "masks": MASKS, "detectors": DETECTORS}
    with world(policy) as made:
        (files / "ca.pem").write_text(made.agent.hostagent("ca"))
        yield made


def test_a_statement_is_decided_recorded_and_answered(here: MysqlWorld) -> None:
    statement = "SELECT owner FROM accounts WHERE id = 2"
    done = here.mysql(2, statement)
    assert (done.stdout, done.returncode) == ("bob\n", 0), done.stderr
    (decided,) = here.decided(statement)
    assert decided["unmapped"]["verdict"] == "allow"
    assert decided["unmapped"]["target"] == "held"
    finished = here.finished(decided["unmapped"]["decision"])
    assert finished["unmapped"]["rows"] == 1


@pytest.mark.parametrize("tls", ["off", "on", "verify"])
@pytest.mark.parametrize(
    ("number", "user", "encrypted"),
    [(2, "app", 1), (3, "app", 0), (4, "ed", 1), (5, "trusting", 1), (6, "trusting", 0)],
)
def test_a_client_logs_in(here: MysqlWorld, files: Path, number: int, user: str, encrypted: int, tls: str) -> None:
    ca = [f"--ssl-ca={files / 'ca.pem'}"] if tls == "verify" else []
    done = here.mysql(number, WHO, user="trusting" if number in (5, 6) else "anybody", tls=tls, arguments=ca)
    assert (done.stdout, done.returncode) == (f"{user}\t{encrypted}\n", 0), done.stderr


@pytest.mark.parametrize("number", [5, 6])
@pytest.mark.parametrize(("user", "password", "told"), [
    ("app", SECRETS["app"], ""), ("ed", SECRETS["ed"], ""), ("app", TYPED, "Access denied for user 'app'"),
])  # fmt: skip
def test_a_client_logs_in_itself(here: MysqlWorld, number: int, user: str, password: str, told: str) -> None:
    done = here.mysql(number, READ, user=user, password=password)
    assert (done.stdout == "ada\n") is (not told), done.stderr
    assert told in done.stderr


def test_a_wrong_credential_is_told_without_it(here: MysqlWorld) -> None:
    done = here.mysql(7, READ)
    assert "target wrong refused the credential that this host holds for it" in done.stderr
    assert done.stdout == ""
    assert WRONG not in done.stderr


def test_a_destination_without_a_target_is_refused_in_the_clients_own_protocol(here: MysqlWorld) -> None:
    done = here.mysql(OTHERS, READ)
    assert f"no target of the policy covers {address(OTHERS)}:{PORT}" in done.stderr
    assert here.mysql(OTHERS, READ, user="trusting", run=here.direct).stdout == "ada\n"


def test_a_denied_statement_leaves_the_session_and_its_transaction(here: MysqlWorld) -> None:
    done = here.mysql(
        2,
        "START TRANSACTION", "INSERT INTO scratch VALUES (1, 'kept')", "DROP TABLE accounts",
        "SELECT note FROM scratch WHERE id = 1", "SELECT 1; DROP TABLE scratch", "ROLLBACK",
        "SELECT COUNT(*) FROM scratch WHERE id = 1", arguments=["--force"],
    )  # fmt: skip
    assert done.stdout.split() == ["kept", "1", "0"], done.stderr
    (first, second) = DENIAL.findall(done.stderr)
    assert first != second
    found = DECISION.search(first)
    assert found is not None
    (event,) = [e for e in here.events() if e["unmapped"].get("decision") == found[1]]
    assert event["unmapped"]["verdict"] == "deny"
    assert here.mariadb.sql("SELECT COUNT(*) FROM shop.accounts") == "2"


def test_nothing_of_a_text_runs_when_one_statement_of_it_is_denied(here: MysqlWorld) -> None:
    text = "INSERT INTO scratch VALUES (2, 'x'); DROP TABLE scratch; INSERT INTO scratch VALUES (3, 'y')"
    done = here.mysql(2, "DELIMITER //\n" + text + "//", arguments=["--force"])
    assert DENIAL.search(done.stderr)
    assert here.mariadb.sql("SELECT COUNT(*) FROM shop.scratch WHERE id IN (2, 3)") == "0"


@pytest.mark.parametrize("tls", ["off", "verify"])
@pytest.mark.parametrize("driver", ["pymysql", "mysqlclient", "connector", "asyncmy", "aiomysql", "mysql2"])
def test_stock_drivers(here: MysqlWorld, files: Path, driver: str, tls: str) -> None:
    ca = files / "ca.pem" if tls == "verify" else "off"
    if driver == "mysql2":
        env = {**os.environ, "NODE_PATH": str(NODE / "node_modules")}
        done = here.governed("node", CLIENTS / "mysql2_forms.js", address(2), ca, env=env)
    else:
        done = here.python("mysql_forms.py", driver, address(2), ca)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer.pop("read") == [["ada"]]
    number, text = answer.pop("denied")
    assert number == 1142
    assert "denied by policy: tables stay" in text
    expected = {
        "within": [[1]], "after": [[0]], "call": [[1], [2]], "big": 20_000_000, "still": answer.get("still"),
        "change_user": "mysql", "compressed": "OFF", "prepared": [[1, "ada"], [2, "bob"]], "long": [[17_000_000]],
        "encrypted": tls == "verify",
    }  # fmt: skip
    assert answer == {name: expected[name] for name in answer}
    if driver == "connector":
        assert answer["still"] == [["bob"]]


@pytest.mark.parametrize("mapper", ["sqlalchemy", "django"])
def test_an_application_with_a_mapper_finds_what_it_finds_without_us(here: MysqlWorld, mapper: str) -> None:
    answers = []
    for run in (here.direct, here.governed):
        here.mariadb.sql("DROP TABLE IF EXISTS shop.orm_pet, shop.orm_owner")
        done = run(sys.executable, "-I", CLIENTS / "mysql_orm.py", mapper, address(6))
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
    assert answers[0] == answers[1]
    assert len(answers[0]["rows"]) == 2 and answers[0]["count"] == 2


def test_compression_is_declined_and_the_client_goes_on(here: MysqlWorld) -> None:
    done = here.mysql(2, READ, "SHOW STATUS LIKE 'Compression'", arguments=["--compress"])
    assert done.stdout == "ada\nCompression\tOFF\n", done.stderr


def test_sql_mode_is_followed(here: MysqlWorld) -> None:
    done = here.mysql(2, "SET sql_mode = 'ANSI_QUOTES'", 'SELECT "owner" FROM accounts WHERE id = 1')
    assert done.stdout == "ada\n", done.stderr


def test_a_bulk_result_streams(here: MysqlWorld) -> None:
    text = "SELECT seq, REPEAT('x', 200) FROM seq_1_to_100000"
    done = here.mysql(2, f"SELECT COUNT(*) FROM ({text}) AS t", arguments=["--quick"])
    assert done.stdout == "100000\n", done.stderr
    done = here.mysql(2, text, arguments=["--quick"])
    assert done.stdout.count("\n") == 100_000
    (decided,) = here.decided(text)
    assert here.finished(decided["unmapped"]["decision"])["unmapped"]["rows"] == 100_000


def test_a_server_that_is_started_again_is_used_again(here: MysqlWorld) -> None:
    command = [
        "mariadb",
        "--no-defaults",
        "-N",
        "-B",
        "--skip-ssl",
        "--skip-reconnect",
        "-h",
        address(2),
        "-u",
        "x",
        "shop",
    ]
    with subprocess.Popen(
        here.agent.command("run", "--", *command, "--force", "--unbuffered"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as client:  # fmt: skip
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(f"{READ};\n")
        client.stdin.flush()
        assert client.stdout.readline() == "ada\n"
        here.mariadb.halt()
        _, told = client.communicate(f"{READ};\n", timeout=20)
    assert "ERROR" in told
    refused = here.mysql(2, READ)
    assert "cannot be reached" in refused.stderr
    here.mariadb.launch()
    eventually(lambda: here.mysql(2, READ).stdout == "ada\n")


def test_no_secret_is_in_what_was_recorded(here: MysqlWorld) -> None:
    here.mysql(5, READ, user="app", password=SECRETS["app"])
    for file in here.agent.state.rglob("*"):
        if file.is_file() and "records" in file.parts:
            data = file.read_bytes()
            assert not any(secret.encode() in data for secret in (*SECRETS.values(), WRONG, TYPED)), file
    assert not any(secret in here.agent.log() for secret in (*SECRETS.values(), WRONG, TYPED))


def test_a_recording_shows_statements_and_rows(here: MysqlWorld) -> None:
    statement = "SELECT id, owner FROM accounts ORDER BY id"
    here.mysql(2, statement, "DROP TABLE accounts")
    (decided,) = here.decided(statement)
    flow = decided["unmapped"]["flow"]

    def shown() -> str | None:
        text = here.agent.hostagent("sessions", "show", flow, "--state-dir", here.agent.state, check=False)
        return text if "DROP TABLE" in text else None

    text = eventually(shown)
    assert statement in text
    assert " 2  | bob" in text
    assert "ERROR 1142 (42000):  denied by policy: tables stay" in text


def test_a_client_kills_what_it_has_running_itself(here: MysqlWorld) -> None:
    stranger = here.mariadb.sql("SELECT CONNECTION_ID()")
    done = here.python("mysql_kill.py", address(2), address(3), stranger)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer.pop("long") in (1, 1317)  # SLEEP says 1 where it was interrupted
    assert answer == {"stranger": 1142, "far": 1142, "near": 0, "after": 7}


def test_what_a_detector_finds_does_not_reach_the_client(here: MysqlWorld) -> None:
    text = "SELECT CONCAT('paid by ', '41111111', '11111111'), 7, seq FROM seq_1_to_300"
    done = here.mysql(9, text)
    assert done.stdout.splitlines()[0] == f"paid by {'*' * 16}\t7\t1", done.stderr
    assert "4111" not in done.stdout and done.stdout.count("\n") == 300
    (decided,) = here.decided(text)
    assert here.finished(decided["unmapped"]["decision"])["unmapped"]["detected"] == {"card": 300}
    (packets,) = here.wire(9, [("prepared", text)])
    assert "*" * 16 in str(packets) and "4111111111111111" not in str(packets)
    error = here.mysql(9, "SELECT CAST(CONCAT('41111111', '11111111x') AS DATE), JSON_EXTRACT('x', '4111111111111111')")
    assert "4111111111111111" not in error.stdout + error.stderr
    assert "4111111111111111" in here.mysql(2, text).stdout


def test_a_file_of_the_client_goes_where_its_statement_says(here: MysqlWorld, files: Path) -> None:
    (files / "rows.csv").write_text("".join(f"{number},loaded\n" for number in range(1000, 60_000)))
    text = f"LOAD DATA LOCAL INFILE '{files}/rows.csv' INTO TABLE scratch FIELDS TERMINATED BY ','"
    done = here.mysql(2, text, "SELECT COUNT(*) FROM scratch WHERE note = 'loaded'", arguments=["--local-infile=1"])
    assert done.stdout == "59000\n", done.stderr
    (decided,) = here.decided(text)
    flow = decided["unmapped"]["flow"]
    shown = here.agent.hostagent("sessions", "show", flow, "--state-dir", here.agent.state)
    size, digest = (files / "rows.csv").stat().st_size, hashlib.sha256((files / "rows.csv").read_bytes()).hexdigest()
    assert f"{size} bytes, SHA-256 {digest}" in shown
    assert here.mariadb.sql("DELETE FROM shop.scratch WHERE note = 'loaded'; SELECT COUNT(*) FROM shop.scratch") == "0"


def test_a_mask_is_put_into_the_statement(here: MysqlWorld) -> None:
    done = here.mysql(
        8, "SELECT id, owner FROM accounts ORDER BY id", "SELECT COUNT(*) FROM accounts WHERE owner = 'ada'",
        "SELECT CONCAT(owner, '!') FROM accounts WHERE id = 1", "SELECT no_such_column FROM accounts",
        "SHOW WARNINGS", "SELECT 'on'", arguments=["--force"],
    )  # fmt: skip
    shown = done.stdout.split("\n")
    assert "ada" not in done.stdout
    assert "bob" not in done.stdout
    assert shown[2] == "0"
    assert shown[-2] == "on", done.stderr
    assert "ERROR 1142" in done.stderr
    assert here.mysql(2, "SELECT owner FROM accounts WHERE id = 1").stdout == "ada\n"


def test_a_mask_holds_for_prepared_statements(here: MysqlWorld) -> None:
    done = here.python("mysql_forms.py", "connector", address(8), "off")
    assert "ada" not in done.stdout
    assert "bob" not in done.stdout
