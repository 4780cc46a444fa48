"""The world of the end-to-end tests with MariaDB behind the daemon, on port 3306 of the same addresses."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from tests.e2e.world import CLIENTS, NAME, Done, RealLab, World, eventually, remove_leftovers
from tests.lab.agent import Agent
from tests.lab.lock import kernel_lock
from tests.lab.mariadb import SERVER_NAME, MariaDB
from tests.lab.postgres import Postgres
from tests.netns.topology import DATABASE, inside

PORT = 3306
FOUND_AS = re.compile(r"finds it as decision \S+")
SECRETS = {"app": "app-s3cret-9b1f", "ed": "ed-s3cret-51e9"}
SCHEMA = f"""\
CREATE USER app IDENTIFIED BY '{SECRETS["app"]}';
CREATE USER ed IDENTIFIED VIA ed25519 USING PASSWORD('{SECRETS["ed"]}');
CREATE USER trusting;
GRANT ALL ON *.* TO app; GRANT ALL ON *.* TO ed; GRANT ALL ON *.* TO trusting;
CREATE DATABASE shop;
CREATE TABLE shop.accounts (id INT PRIMARY KEY, owner VARCHAR(40));
INSERT INTO shop.accounts VALUES (1, 'ada'), (2, 'bob');
CREATE TABLE shop.scratch (id INT, note LONGTEXT);
CREATE PROCEDURE shop.both() SELECT id FROM shop.accounts ORDER BY id;
"""


@dataclass
class MysqlWorld(World):
    """Everything a test needs."""

    @property
    def mariadb(self) -> MariaDB:
        """The server."""
        return cast(MariaDB, self.postgres)

    def mysql(self, number: int, *statements: str, run: Callable[..., Done] | None = None, **options: Any) -> Done:
        """The mariadb client with these statements, one a line, in batch mode; governed unless `run` says otherwise.

        `user`, `password`, `database` and `tls` (`off`, `on`, `verify`) are options; more go to the client as they are.
        """
        user, password = options.pop("user", "anybody"), options.pop("password", "")
        database, tls = options.pop("database", "shop"), options.pop("tls", "off")
        more = options.pop("arguments", ())
        command = ["mariadb", "--no-defaults", "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
        command += ["-h", address(number), "-P", str(PORT), "-u", user]
        command += {"off": ["--skip-ssl"], "on": ["--ssl"], "verify": ["--ssl-verify-server-cert"]}[tls]
        env = {**os.environ, "MYSQL_PWD": password}  # command lines are recorded
        script = ";\n".join(statements) + ";\n"
        return (run or self.governed)(*command, *more, database, stdin=None, input=script, env=env, **options)

    def wire(
        self, number: int, asked: list[tuple[str, str]], database: str = "shop", run: Callable[..., Done] | None = None
    ) -> list[list[str]]:
        """The packets of each answer on one connection (clients/mysql_wire.py), without decision ids; governed unless
        `run` says otherwise."""
        lines = [_job(number, database), *asked]
        client = CLIENTS / "mysql_wire.py"
        text = "".join(json.dumps(line) + "\n" for line in lines)
        done = (run or self.governed)(sys.executable, "-I", client, stdin=None, input=text, timeout=120)
        assert done.returncode == 0, done.stderr
        return [_packets(line) for line in done.stdout.splitlines()]

    @contextlib.contextmanager
    def wired(self, number: int, database: str = "shop") -> Iterator[Callable[[str, str], list[str]]]:
        """The same, step by step: a function that asks one and gives the packets of its answer."""
        command = self.agent.command("run", "--", sys.executable, "-I", CLIENTS / "mysql_wire.py")
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            to, answers = process.stdin, process.stdout
            to.write(json.dumps(_job(number, database)) + "\n")

            def ask(how: str, text: str) -> list[str]:
                to.write(json.dumps((how, text)) + "\n")
                return _packets(answers.readline())

            yield ask
            to.close()


def _job(number: int, database: str) -> dict[str, object]:
    return {"address": address(number), "port": PORT, "database": database, "sql_mode": "STRICT_TRANS_TABLES"}


def _packets(line: str) -> list[str]:
    packets: list[str] = json.loads(line)
    return [FOUND_AS.sub("finds it as decision -", packet) for packet in packets]


def address(number: int) -> str:
    """The server's address of that last number."""
    return f"10.77.0.{number}"


def target(name: str, number: int, tls: str = "verify-full", **more: Any) -> dict[str, Any]:
    """A target of a policy: the server's address of that last number. `{ca}` is filled in by `world`."""
    match = {"addresses": [f"10.77.0.{number}/32", f"fd77::{number}/128"], "ports": [PORT]}
    own = {} if tls == "off" else {"ca_file": "{ca}", "server_name": SERVER_NAME}
    return {"name": name, "protocol": "mysql", "match": match, "tls": {"upstream": tls, **own}, **more}


@contextlib.contextmanager
def world(policy: dict[str, Any], **settings: Any) -> Iterator[MysqlWorld]:
    """The world, made under the kernel lock and gone afterwards; `settings` are those of `hostagent.yaml`."""
    with kernel_lock(), contextlib.ExitStack() as stack:
        remove_leftovers()
        lab = RealLab(NAME)
        stack.callback(lab.remove)
        lab.make()
        server = MariaDB(PORT, lab.db)
        stack.callback(lambda: server.stop() if hasattr(server, "process") else None)
        server.start()
        server.sql(SCHEMA)
        with inside(lab.host):
            for there in DATABASE.values():
                eventually(lambda there=there: _answers(there))
        text = json.dumps({"version": 1, **policy}).replace("{ca}", str(server.ca_file))
        agent = Agent(NAME, text, (f"/{NAME}.slice",), netns=lab.host, settings=settings)
        stack.callback(lambda: agent.stop() if hasattr(agent, "process") and agent.directory.exists() else None)
        agent.start()
        yield MysqlWorld(lab, cast(Postgres, server), agent)


def _answers(there: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((there, PORT), 0.5):
        return True
    return False
