"""MySQL: hostagent beside no proxy and haproxy, with sysbench and one large result; with masks beside without.

    direct       client ── veth ── MariaDB
    haproxy      client ── loopback ── haproxy ── veth ── MariaDB      plaintext: it passes bytes, and ends no TLS here
    hostagent    client ── redirect to loopback ── worker ── veth ── MariaDB    (the client dials the server's address)
    masked       the same daemon, for clients of a class whose statements are all rewritten: a column of the table is
                 masked that sysbench does not read, so the rows are the same

TLS is that of both legs, the server's verified as its policy says. Short runs of all ways take turns. CPU is user and
system time of all of the proxy's processes for one query.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trustme

from tests.bench.load import TICK_US, proxy_ticks
from tests.bench.stage import NAME
from tests.bench.ways import Way, haproxy_to
from tests.lab.agent import Agent
from tests.lab.lock import kernel_lock
from tests.lab.mariadb import SERVER_NAME, MariaDB
from tests.lab.network import Lab
from tests.netns.topology import DATABASE

Row = dict[str, Any]

PORT = 3306
MASKED = "masked"
LOADS = ("oltp_point_select", "oltp_read_only")
MODES = {"prepared": "auto", "text": "disable"}
TABLE_ROWS = 10_000
BULK_ROWS, BULK_BYTES = 200_000, 500
BULK = f"SELECT seq, REPEAT('x', {BULK_BYTES}) FROM bench.seq_1_to_{BULK_ROWS}"
_QUERIES = re.compile(r"queries:\s+(\d+)\s+\(([\d.]+) per sec")


def rows(rounds: int, seconds: int, threads: tuple[int, ...]) -> Iterator[Row]:
    """What was measured, run by run."""
    with _stage() as (lab, server, files):
        for tls in (False, True):
            with _ways(lab, server, files, tls) as ways:
                for number in range(rounds):
                    first = number % len(ways)
                    turn = ways[first:] + ways[:first]
                    yield from _round(turn, files, number, tls, seconds, threads)


def _round(
    ways: list[Way], files: Path, number: int, tls: bool, seconds: int, threads: tuple[int, ...]
) -> Iterator[Row]:
    case: Row = {"kind": "mysql", "round": number, "tls": tls}
    for load in LOADS:
        for mode in MODES:
            for way in ways:
                _sysbench(way, files, load, mode, 1, 1, tls)  # caches, and the one analysis of each statement
            for count in threads:
                for way in ways:
                    measured = _sysbench(way, files, load, mode, count, seconds, tls)
                    yield {**case, "load": load, "mode": mode, "threads": count, "way": way.name, **measured}
    for way in ways:
        yield {**case, "kind": "mysql_bulk", "way": way.name, "mb_per_s": _bulk(way, tls)}


def _sysbench(way: Way, files: Path, load: str, mode: str, threads: int, seconds: int, tls: bool) -> Row:
    options = [f"--mysql-ssl={'on' if tls else 'off'}", f"--db-ps-mode={MODES[mode]}", f"--threads={threads}"]
    options += [f"--time={seconds}", f"--table-size={TABLE_ROWS}", "--skip-trx=on", *_server(way)]
    before = sum(proxy_ticks(way.pids))
    done = _run(way, files, "sysbench", load, *options, "run")
    found = _QUERIES.search(done)
    if found is None:
        raise RuntimeError(f"sysbench through {way.name}:\n{done}")
    ticks = sum(proxy_ticks(way.pids)) - before
    return {"per_s": float(found[2]), "cpu_us": ticks * TICK_US / int(found[1]), "load_average": os.getloadavg()[0]}


def _server(way: Way) -> list[str]:
    return [f"--mysql-host={way.address}", f"--mysql-port={way.port}", f"--mysql-user={_user(way)}", "--mysql-db=bench"]


def _user(way: Way) -> str:
    """Who logs in, in words of the command line: what tells the class with masks from the others."""
    return MASKED if way.name == MASKED else "bench"


def _bulk(way: Way, tls: bool) -> float:
    """MB of values a second."""
    command = ["mariadb", "--no-defaults", "--quick", "-N", "-B", "--ssl" if tls else "--skip-ssl"]
    command += ["-h", way.address, "-P", str(way.port), f"--user={_user(way)}", "bench"]
    took = []
    for text in ("SELECT 1", BULK):
        began = time.monotonic()
        done = subprocess.run(
            [*way.command, *command],
            input=text.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"mariadb through {way.name}: {done.stderr.decode()}")
        took.append(time.monotonic() - began)
    return BULK_ROWS * BULK_BYTES / 1e6 / (took[1] - took[0])


def _run(way: Way, files: Path, *argv: str) -> str:
    done = subprocess.run(
        [*way.command, *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
        cwd=files,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{argv[0]} through {way.name}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def _stage() -> Iterator[tuple[Lab, MariaDB, Path]]:
    """The namespaces, the server with sysbench's table, and where sysbench finds its certificates (by fixed names)."""
    with kernel_lock(), contextlib.ExitStack() as stack:
        files = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{NAME}-")))
        files.chmod(0o755)
        lab = Lab(NAME)
        stack.callback(lab.remove)
        lab.make()
        _certificates(files)
        server = MariaDB(PORT, lab.db, settings=("--max-connections=200", f"--ssl-ca={files}/client-ca.pem"))
        stack.callback(lambda: server.stop() if hasattr(server, "process") else None)
        server.start()
        for user in ("bench", MASKED):
            server.sql(f"CREATE USER {user}; GRANT ALL ON *.* TO {user}")
        server.sql("CREATE DATABASE bench")
        direct = Way("direct", DATABASE[4], PORT, ("nsenter", f"--net=/run/netns/{lab.host}"))
        _run(direct, files, "sysbench", LOADS[0], f"--table-size={TABLE_ROWS}", *_server(direct), "prepare")
        yield lab, server, files


@contextlib.contextmanager
def _ways(lab: Lab, server: MariaDB, files: Path, tls: bool) -> Iterator[list[Way]]:
    enter = ("nsenter", f"--net=/run/netns/{lab.host}")
    upstream = f"verify-full, ca_file: {server.ca_file}, server_name: {SERVER_NAME}" if tls else '"off"'
    policy = _POLICY.format(address=DATABASE[4], port=PORT, tls=upstream)
    agent = Agent(NAME, policy, (f"/{NAME}.slice",), netns=lab.host, settings={"workers": os.cpu_count()})
    with contextlib.ExitStack() as stack:
        made = [Way("direct", DATABASE[4], PORT, enter)]
        if not tls:
            made.append(stack.enter_context(haproxy_to(files, lab.host, f"{DATABASE[4]}:{PORT}")))
        stack.callback(lambda: agent.stop() if hasattr(agent, "process") else None)
        agent.start()
        (files / "cacert.pem").write_text(server.ca_file.read_text() + agent.hostagent("ca"))
        status = json.loads(agent.hostagent("status", "-o", "json"))
        pids = (status["pid"], *(child["pid"] for child in (*status["workers"], *status["analyzers"])))
        for name in ("hostagent", MASKED):
            made.append(Way(name, DATABASE[4], PORT, tuple(agent.command("run", "--")), pids))
        yield made


def _certificates(files: Path) -> None:
    """sysbench always shows a certificate of its own; the server takes it."""
    ca = trustme.CA()
    own = ca.issue_cert("bench.test")
    ca.cert_pem.write_to_path(str(files / "client-ca.pem"))
    own.private_key_pem.write_to_path(str(files / "client-key.pem"))
    own.cert_chain_pems[0].write_to_path(str(files / "client-cert.pem"))


_POLICY = """\
version: 1
actors:
  - {{name: masked, command_line: "*-user=masked *", grade: claimed}}
masks:
  - {{name: padding, targets: bench, actors: masked, columns: bench.sbtest1.pad, mask: redact}}
targets:
  - name: bench
    protocol: mysql
    match: {{addresses: [{address}/32], ports: [{port}]}}
    tls: {{upstream: {tls}}}
rules:
  - name: use
    actors: "*"
    targets: [bench]
    allow: {{kinds: [read, write, session], relations: ["*"], functions: ["*"]}}
"""
