"""What a filter refuses and what it leaves; real processes, each attempt beside the same one before the filter."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hostagent import seccomp

ATTEMPTS = """
import ctypes, errno, os, socket, sys, threading
from hostagent.privilege import give_up
libc = ctypes.CDLL(None, use_errno=True)
def said(number, *arguments):
    if (pid := os.fork()) == 0:
        made = libc.syscall(number, *arguments)
        os._exit(ctypes.get_errno() if made < 0 else 0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return "done" if code == 0 else errno.errorcode[code]
def attempt(call):
    try:
        call()
        return "done"
    except OSError as error:
        return errno.errorcode[error.errno]
def run():
    if (pid := os.fork()) == 0:
        try:
            os.execv("/bin/true", ["true"])
        except OSError as error:
            os._exit(error.errno)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return "done" if code == 0 else errno.errorcode[code]
def thread():
    started = threading.Thread(target=lambda: None)
    started.start()
    started.join()
def all_attempts():
    return {
        "a program": run(),
        "netlink": attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()),
        "internet": attempt(lambda: socket.socket(socket.AF_INET6).close()),
        "unix": attempt(lambda: socket.socketpair()[0].close()),
        "thread": attempt(thread),
        "file": attempt(lambda: open("/etc/hostname").close()),
        "own limits": attempt(lambda: __import__("resource").getrlimit(7)),
        "trace": said(101, 0, 0, 0, 0),
        "namespace": said(272, 0),
        "clone into one": said(56, 0x04000000 | 17, 0, 0, 0, 0),
        "keys": said(250, 0, -3, 0),
    }
print(all_attempts())
give_up(54321, 54321)
print(all_attempts())
"""


@pytest.fixture(scope="module")
def outcomes() -> tuple[dict[str, str], dict[str, str]]:
    done = subprocess.run([sys.executable, "-c", ATTEMPTS], capture_output=True, text=True, check=True)
    before, after = map(eval, done.stdout.splitlines())
    return before, after


def test_what_a_filter_leaves_goes_on(outcomes: tuple[dict[str, str], dict[str, str]]) -> None:
    for after in outcomes:
        assert {after[name] for name in ("internet", "unix", "thread", "file", "own limits")} == {"done"}


def test_what_it_refuses_worked_before(outcomes: tuple[dict[str, str], dict[str, str]]) -> None:
    before, after = outcomes
    refused = {"a program", "trace", "namespace", "clone into one", "keys"}
    assert {before[name] for name in (*refused, "netlink")} == {"done"}
    assert {after[name] for name in refused} == {"EPERM"}
    assert after["netlink"] == "EAFNOSUPPORT"


CALL_ALL = """
import ctypes, errno, sys
from hostagent import seccomp
from hostagent.privilege import give_up
numbers = {n: seccomp._number(n) for group in seccomp.GROUPS for n in seccomp.names_of(group)}
give_up(54321, 54321)
libc = ctypes.CDLL(None, use_errno=True)
for name, number in sorted(numbers.items()):
    if number is not None and libc.syscall(number, -1, -1, -1, -1, -1, -1) != -1 or ctypes.get_errno() != errno.EPERM:
        print(name, end=" ")
print(len([n for n in numbers.values() if n is not None]))
"""


def test_every_call_of_the_groups_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", CALL_ALL], capture_output=True, text=True, check=True)
    (count,) = done.stdout.split()
    assert int(count) > 70


def test_the_table_is_what_systemd_and_the_headers_say() -> None:
    printed = subprocess.run([sys.executable, "tools/list_system_calls.py"], capture_output=True, text=True, check=True)
    rows = {tuple(line.split()) for line in printed.stdout.splitlines()}
    ours = set(seccomp._TABLE)
    numbers = {row[1]: row[2:] for row in rows}
    assert all(numbers.get(row[1], row[2:]) == row[2:] for row in ours)
    assert {row[1] for row in ours if row[2] != "-"} >= {
        row[1] for row in rows if row[2] != "-" and row[0] in seccomp.GROUPS
    }
