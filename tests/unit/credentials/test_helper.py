"""Helpers are real programs here, run as root would run them: as nobody, with nothing."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.credentials import helper
from hostagent.credentials.helper import run_helper
from hostagent.credentials.secret import Secret, Unavailable
from hostagent.credentials.sources import MAX_SECRET


@dataclass(frozen=True)
class Spec:
    command: tuple[str, ...]
    user: str = "nobody"
    timeout: float = 10.0
    lifetime: float = 900.0


def run(*command: str, user: str | None = "app", **more: object) -> Secret:
    return asyncio.run(run_helper("orders", user, Spec(command, **more)))  # type: ignore[arg-type]


def shell(script: str, user: str | None = "app", **more: object) -> Secret:
    return run("/bin/sh", "-c", script, user=user, **more)


@pytest.mark.parametrize(("printed", "secret"), [("s3cret", "s3cret"), ("s3cret\\n", "s3cret"), (" a b \\n", " a b ")])
def test_a_bare_secret_is_good_for_the_policys_lifetime(printed: str, secret: str) -> None:
    found = shell(f"printf '{printed}'", lifetime=42.0)
    assert (found.user, found.secret, found.lifetime) == ("app", secret, 42.0)
    assert "s3cret" not in repr(found)


def test_json_names_the_user_and_the_end() -> None:
    end = datetime.now(UTC) + timedelta(seconds=600)
    printed = json.dumps({"user": "iam", "secret": "t0ken", "expires": end.isoformat()})
    found = shell(f"echo '{printed}'", user=None)
    assert (found.user, found.secret) == ("iam", "t0ken") and 595 < (found.lifetime or 0) <= 600
    assert 595 < (shell(f'echo \'{{"secret": "x", "expires": {time.time() + 600}}}\'').lifetime or 0) <= 600


def test_the_policys_user_goes_before_the_helpers() -> None:
    assert shell("""echo '{"secret": "x", "user": "theirs"}'""", user="ours").user == "ours"


def test_it_has_no_environment_no_input_no_privilege_and_no_descriptor_of_ours() -> None:
    os.environ["HOSTAGENT_TEST_LEAK"] = "leak"
    try:
        with Path("/etc/passwd").open("rb") as held:
            os.set_inheritable(held.fileno(), True)
            script = """
import os
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print("seen", dict(os.environ), os.getuid(), os.getgroups(), status["CapEff"], status["NoNewPrivs"], os.read(0, 1),
      sorted(set(os.listdir("/proc/self/fd")) - {"0", "1", "2", "3"}), os.getcwd(), os.getsid(0) == os.getpid())
"""
            found = run("/usr/bin/python3", "-I", "-c", script).secret
    finally:
        del os.environ["HOSTAGENT_TEST_LEAK"]
    # LC_CTYPE is Python's own doing, for want of a locale (PEP 538)
    assert found == "seen {'LC_CTYPE': 'C.UTF-8'} 65534 [] 0000000000000000 1 b'' [] / True"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 3", "ended with status 3"),
        ("echo 'no such role' >&2; exit 1", "status 1: no such role"),
        ("kill -9 $$", "status -9"),
        ("true", "printed no secret"),
        ("printf '\\377'", "not UTF-8"),
        ("printf 'a\\000b'", "NUL"),
        ("echo '{oops'", "not JSON"),
        ("""echo '{"user": "x"}'""", "no text `secret`"),
        ("""echo '{"secret": 7}'""", "no text `secret`"),
        ("""echo '{"secret": "x", "password": "y"}'""", "unknown field 'password'"),
        ("""echo '{"secret": "x", "expires": "tomorrow"}'""", "`expires` is neither"),
        ("""echo '{"secret": "x", "expires": 1000}'""", "expires at 1970"),
        ("""echo '{"secret": "x", "expires": 1e400}'""", "not ahead"),
        (f"head -c {MAX_SECRET + 2} /dev/zero | tr '\\0' x", "longer than"),
    ],
)
def test_what_a_helper_does_wrong_is_one_clear_error(script: str, why: str) -> None:
    with pytest.raises(Unavailable, match="credential orders: ") as caught:
        shell(script)
    assert why in caught.value.what and caught.value.hint


def test_a_secret_never_stands_in_an_error() -> None:
    with pytest.raises(Unavailable) as caught:
        shell("echo s3cret; echo 'bad s3cret' >&2; exit 1")
    assert "s3cret" not in str(caught.value) and "status 1" in caught.value.what


def test_neither_names_a_user() -> None:
    with pytest.raises(Unavailable, match="neither the policy nor the program names a `user`"):
        shell("echo x", user=None)
    assert shell("echo x", user="app").user == "app"


@pytest.fixture
def common() -> Iterator[Path]:
    """A directory that nobody reaches; pytest's own is root's."""
    with tempfile.TemporaryDirectory(prefix="hostagent-helper-") as directory:
        Path(directory).chmod(0o777)
        yield Path(directory)


def test_one_that_hangs_is_killed_with_what_it_started(common: Path) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"did not end within 0.5 s, and was killed"):
        shell(f"sleep 61 & echo $! > {common}/pid; wait", timeout=0.5)
    assert time.monotonic() - began < 5
    deadline = time.monotonic() + 5
    pid = int((common / "pid").read_text())
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_that_never_stops_printing_is_killed() -> None:
    with pytest.raises(Unavailable, match="did not end within"):
        run("/usr/bin/yes", timeout=0.5)


def test_the_loop_turns_while_a_helper_runs() -> None:
    async def both() -> int:
        turns = 0
        work = asyncio.create_task(run_helper("orders", "app", Spec(("/bin/sh", "-c", "sleep 0.5; echo x"))))
        while not work.done():
            await asyncio.sleep(0.01)
            turns += 1
        await work
        return turns

    assert asyncio.run(both()) > 20


@pytest.mark.parametrize(
    ("command", "user", "why"),
    [
        (("/nonexistent/helper",), "nobody", "cannot be found"),
        (("/etc/passwd",), "nobody", "cannot be started: Permission denied"),
        (("/bin/true",), "nobody-of-that-name", "no user is called"),
        (("/bin/true",), "root", "is root"),
        (("/bin/true",), "0", "is root"),
    ],
)
def test_what_cannot_be_started(command: tuple[str, ...], user: str, why: str) -> None:
    with pytest.raises(Unavailable, match=why):
        asyncio.run(run_helper("orders", "app", Spec(command, user)))


def test_a_program_that_others_can_change_is_refused(common: Path) -> None:
    program = common / "helper"
    program.write_text("#!/bin/sh\necho x\n")
    program.chmod(0o777)
    with pytest.raises(Unavailable, match="can change"):
        run(str(program))
    program.chmod(0o755)
    assert run(str(program)).secret == "x"


@given(st.text() | st.dictionaries(st.text(), st.integers() | st.text()).map(lambda fields: json.dumps(fields)[1:]))
def test_any_output_is_a_secret_or_one_clear_error(text: str) -> None:
    try:
        found = helper._described("orders", None, Spec(("/bin/true",)), "{" + text)
    except Unavailable:
        return
    assert found.secret and found.user


@given(st.dictionaries(st.sampled_from(["secret", "user", "expires"]), st.text() | st.integers() | st.floats()))
def test_any_object_is_a_secret_or_one_clear_error(fields: dict[str, object]) -> None:
    try:
        found = helper._described("orders", "app", Spec(("/bin/true",)), json.dumps(fields))
    except Unavailable:
        return
    assert found.secret and found.user == "app" and (found.lifetime or 0) >= 1
