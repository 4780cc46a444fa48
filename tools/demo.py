"""The main job on real servers, in two minutes: what a governed process may do, what it may not, and the proof of it.

Everything happens in network namespaces and cgroups made for it, under the instance name `demo`, and all of it is gone
at the end. Needs root.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.rule import Rule

sys.path.insert(0, str(Path(__file__).parents[1]))

from hostagent.kernel.cgroups import find_cgroup2_root
from tests.lab.agent import Agent
from tests.lab.lock import kernel_lock
from tests.lab.network import Lab
from tests.lab.postgres import SERVER_NAME, Postgres

NAME = "demo"
DATABASE = "10.77.0.2"
SERVICE = "/system.slice/demo-agent.service"
PSQL = ("psql", "-X", "-h", DATABASE, "-U", "agent", "-d", "orders")
BESIDE = ("psql", "-X", "-h", DATABASE, "-U", "trusting", "-d", "orders")
POLICY = """\
version: 1
actors:
  - name: coding-agents
    unit: demo-agent.service
targets:
  - name: orders
    protocol: postgres
    match: {{addresses: [{database}], ports: [5432]}}
    tls: {{upstream: verify-full, ca_file: {ca_file}, server_name: {server_name}}}
    credential: orders
credentials:
  - {{name: orders, user: orders_app, file: {secret}}}
masks:
  - {{name: cards, targets: orders, columns: public.accounts.card, mask: redact}}
rules:
  - name: read-and-write
    actors: coding-agents
    targets: orders
    allow: {{kinds: [read, write, session], relations: ["public.*", "pg_catalog.*"]}}
  - name: no-ddl
    actors: "*"
    targets: orders
    deny: {{kinds: ddl}}
    reason: agents do not change the schema
"""
TABLES = """
CREATE ROLE orders_app LOGIN PASSWORD 'correct horse';
CREATE TABLE accounts (id int PRIMARY KEY, owner text, card text);
INSERT INTO accounts VALUES (1, 'ada', '4111111111111111'), (2, 'grace', '5500005555555559');
ALTER TABLE accounts OWNER TO orders_app;
"""
console = Console(highlight=False)


def main() -> int:
    """Run the demo; 0 when everything that it shows was so."""
    if os.geteuid() != 0:
        print("error: the demo loads hooks into the kernel\n  fix: run it as root", file=sys.stderr)
        return os.EX_NOPERM
    with kernel_lock(), Lab(NAME).made() as lab:
        good = _with_servers(lab)
        console.print(Rule("gone afterwards", align="left"))
        good = all([good, *_gone(lab)])
    good = _check("no network namespace", not list(Path("/run/netns").glob(f"{NAME}-*"))) and good
    console.print(f"\n[bold]{'[green]all of it was so' if good else '[red]not all of it was so'}[/][/]")
    return 0 if good else 1


def _with_servers(lab: Lab) -> bool:
    with contextlib.ExitStack() as stack:
        database = Postgres((DATABASE,), netns=lab.db).start()
        stack.callback(database.stop)
        agent = stack.enter_context(_agent(lab, database))
        return _show(agent, stack.enter_context(_service()))


def _show(agent: Agent, cgroup: Path) -> bool:
    governed = Shell(agent, cgroup)
    beside = Shell(agent, None)
    _title(f"a governed process ({SERVICE}) runs the stock psql against the real address; nothing is configured")
    out = governed.run(*PSQL, stdin="SELECT * FROM accounts;\nDROP TABLE accounts;\nSELECT 'the session goes on';\n")
    seen = [
        _check("the SELECT answers", "grace" in out),
        _check("DROP TABLE is refused, with the rule and a decision id", "denied by policy" in out),
        _check("the session goes on", "the session goes on" in out),
        _check("the agent used no password: the daemon holds it", "correct horse" not in out),
    ]
    _title("the card numbers are masked where they are: the statement is rewritten before it is sent")
    tricks = "SELECT right(card, 4) FROM accounts;\nSELECT id FROM accounts WHERE card LIKE '4111%';\n"
    out += governed.run(*PSQL, stdin=tricks + "COPY accounts TO STDOUT;\nSELECT card::int FROM accounts;\n")
    seen += [
        _check("no statement shows one, in part or in whole", "***" in out and "1111" not in out and "5559" not in out),
        _check("none can be searched for", "(0 rows)" in out),
    ]
    _title("an ungoverned process beside it is untouched")
    out = beside.run(*BESIDE, "-c", "SELECT inet_client_addr() AS came_from, 'direct' AS way")
    untouched = "direct" in out and not _events_of(agent, "trusting")
    seen.append(_check("it reached the server itself, and left no event", untouched))
    _title("who ran which statement: hostagent events")
    console.out(agent.hostagent("events", "--state-dir", agent.state))
    seen += _attribution(agent)
    _title("the session replays: hostagent sessions play")
    flow = next(e["unmapped"]["flow"] for e in agent.events() if e["unmapped"].get("verdict") == "deny")
    out = agent.hostagent("sessions", "play", flow, "--state-dir", agent.state, "--no-wait")
    console.out(out)
    seen.append(_check("statement, result and denial are in the recording", "grace" in out and "denied" in out))
    _title("nothing was altered: hostagent audit verify")
    console.out(agent.hostagent("audit", "verify", "--state-dir", agent.state))
    _title("the daemon is killed with SIGKILL: the governed process is refused, not let through")
    agent.kill()
    out = governed.run(*PSQL, "-c", "SELECT 1", timeout=20)
    seen.append(_check("refused", "refused" in out or "not permitted" in out or "timeout" in out))
    out = beside.run(*BESIDE, "-c", "SELECT 'still untouched'")
    seen.append(_check("and the ungoverned process goes on", "still untouched" in out))
    return all(seen)


def _attribution(agent: Agent) -> list[bool]:
    denied = next(e for e in agent.events() if e["unmapped"].get("verdict") == "deny")
    console.print_json(json.dumps({"actor": denied["actor"], "unmapped": denied["unmapped"]}))
    process, facts = denied["actor"]["process"], denied["unmapped"]
    parents = process.get("parent_process", {}).get("file", {}).get("path", "")
    return [
        _check("the event names the process", process["file"]["path"].endswith("psql")),
        _check("its parents", bool(parents)),
        _check("its cgroup and unit", facts["cgroup"] == SERVICE and "demo-agent.service" in json.dumps(facts)),
    ]


class Shell:
    """Runs commands where the agent runs; in a governed cgroup, or in none that is governed."""

    def __init__(self, agent: Agent, cgroup: Path | None) -> None:
        self._agent = agent
        self._cgroup = cgroup

    def run(self, *argv: str, stdin: str = "", timeout: float = 30.0) -> str:
        """Show the command, run it, show and return what it prints."""
        prompt = "[bold yellow]governed $[/]" if self._cgroup else "[bold blue]beside $[/]"
        console.print(prompt, " ".join(argv), *([f"<<< {stdin.strip()!r}"] if stdin else []), markup=True)
        done = subprocess.run(
            [*self._agent.enter(), *argv], input=stdin, capture_output=True, text=True, timeout=timeout, check=False,
            preexec_fn=self._enter, env={**os.environ, "PGCONNECT_TIMEOUT": "5"},
        )  # fmt: skip
        console.out(done.stdout + done.stderr)
        return done.stdout + done.stderr

    def _enter(self) -> None:
        if self._cgroup is not None:
            (self._cgroup / "cgroup.procs").write_text("0")


@contextlib.contextmanager
def _agent(lab: Lab, database: Postgres) -> Iterator[Agent]:
    database.sql("CREATE DATABASE orders")
    database.sql("CREATE ROLE trusting LOGIN")
    database.sql(TABLES, "orders")
    secret = database.directory / "orders.secret"
    secret.write_text("correct horse\n")
    secret.chmod(0o600)
    policy = POLICY.format(database=DATABASE, ca_file=database.ca_file, server_name=SERVER_NAME, secret=secret)
    agent = Agent(NAME, policy, (SERVICE,), netns=lab.host).start()
    try:
        yield agent
    finally:
        agent.stop()


@contextlib.contextmanager
def _service() -> Iterator[Path]:
    """A cgroup as systemd would make it for a service of that name."""
    directory = find_cgroup2_root() / SERVICE.lstrip("/")
    made_slice = not directory.parent.exists()
    directory.mkdir(parents=True)
    try:
        yield directory
    finally:
        directory.rmdir()
        if made_slice:
            directory.parent.rmdir()


def _gone(lab: Lab) -> list[bool]:
    def there(*command: str) -> str:
        inside = ["nsenter", f"--net=/run/netns/{lab.host}", *command]
        return subprocess.run(inside, capture_output=True, text=True, check=True).stdout

    return [
        _check("no nftables table", there("nft", "list", "tables") == ""),
        _check("no routing rule", "fwmark" not in there("ip", "rule") + there("ip", "-6", "rule")),
        _check("no hook, map or pin", not Path(f"/sys/fs/bpf/hostagent/{NAME}").exists()),
        _check("no cgroup", not (find_cgroup2_root() / f"hostagent-{NAME}").exists()),
        _check("no process", f"/{NAME}-" not in there("ps", "-eo", "args")),
    ]


def _events_of(agent: Agent, user: str) -> list[object]:
    return [e for e in agent.events() if e["unmapped"].get("session", {}).get("user") == user]


def _title(text: str) -> None:
    console.print()
    console.print(Rule(text, align="left"))
    time.sleep(0.1)


def _check(what: str, so: bool) -> bool:
    console.print(f"[{'green]✔' if so else 'red]✘'}[/] {what}")
    return so


if __name__ == "__main__":
    sys.exit(main())
