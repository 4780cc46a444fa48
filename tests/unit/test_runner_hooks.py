"""The hooks for CI runners that the package ships, in a cgroup that has a runner's name; the runners are stand-ins."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hostagent.identity.cgroup import attributes
from hostagent.kernel.cgroups import find_cgroup2_root, path_in_tree
from hostagent.values.actor import Grade

HOOKS = Path(__file__).parents[2] / "systemd" / "examples" / "runners"
USER = 61295  # a number without a passwd entry
WHERE = "sed -n 's/^0:://p' /proc/self/cgroup"
# a process with the name of the runner's own for one job: it starts the hooks, and the steps between them
WORKER = 'for step; do /bin/bash -e -c "$step" || exit; done'
Done = subprocess.CompletedProcess[str]


@pytest.fixture
def unit() -> Iterator[Path]:
    """A runner's unit's cgroup, given to USER as `Delegate=yes` gives it."""
    name = f"haci{os.getpid()}"
    made = find_cgroup2_root() / f"{name}.slice" / f"actions.runner.acme-shop.{name}.service"
    made.mkdir(parents=True)
    for path in (made, made / "cgroup.procs"):
        os.chown(path, USER, USER)
    yield made
    (made / "cgroup.kill").write_text("1")
    for directory, _, _ in os.walk(made.parent, topdown=False):
        deadline = time.monotonic() + 5
        while Path(directory).exists() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                Path(directory).rmdir()


@pytest.fixture
def installed() -> Iterator[Path]:
    """The hooks where that user can read them, and programs with the names of runners."""
    with tempfile.TemporaryDirectory(prefix="haci-") as name:
        there = Path(name)
        shutil.copytree(HOOKS, there, dirs_exist_ok=True)
        for runner in ("Runner.Worker", "buildkite-agent"):
            shutil.copy("/bin/bash", there / runner)
        there.chmod(0o755)
        yield there


Job = Callable[..., Done]


@pytest.fixture
def job(unit: Path, installed: Path) -> Job:
    """One job in that unit, as its user: its steps, one after another, under a process of the given name."""

    def become() -> None:
        (unit / "cgroup.procs").write_text("0")
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)

    def run(worker: str, *steps: str, **environment: str) -> Done:
        given = {"PATH": os.environ["PATH"], "HOSTAGENT_RUNNERS": str(installed), **environment}
        return subprocess.run(
            [installed / worker, "-c", WORKER, worker, *steps], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=30, preexec_fn=become, env=given, check=False,
        )  # fmt: skip

    return run


GITHUB = {"GITHUB_RUN_ID": "17", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_JOB": "build (x86)/all"}
STARTED, COMPLETED = '"$HOSTAGENT_RUNNERS/github-job-started.sh"', '"$HOSTAGENT_RUNNERS/github-job-completed.sh"'


def test_a_github_job_has_a_cgroup_from_its_first_step_to_its_last(job: Job, unit: Path) -> None:
    left = "setsid sleep 600 >/dev/null 2>&1 & echo $!"
    done = job("Runner.Worker", WHERE, STARTED, WHERE, left, COMPLETED, WHERE, **GITHUB)
    assert (done.returncode, done.stderr) == (0, "")
    before, during, pid, after = done.stdout.split()
    assert before == after == path_in_tree(unit, find_cgroup2_root())
    assert during == f"{before}/job-17-2-build--x86--all"
    named = {a.name: (a.value, a.grade) for a in attributes(during)}
    assert named["unit"] == (unit.name, Grade.RUNTIME)
    assert named["ci_job"] == ("17-2-build--x86--all", Grade.CLAIMED)
    assert [path for path in unit.iterdir() if path.is_dir()] == []
    with contextlib.suppress(FileNotFoundError):
        assert Path(f"/proc/{pid}/cmdline").read_text() == "", "what the job left running is gone with it"


def test_a_buildkite_job(job: Job, unit: Path) -> None:
    """Its hooks are sourced by a shell of the agent's."""
    begin, end = '. "$HOSTAGENT_RUNNERS/buildkite/environment"', '. "$HOSTAGENT_RUNNERS/buildkite/pre-exit"'
    done = job("buildkite-agent", begin, WHERE, end, WHERE, BUILDKITE_JOB_ID="0190-ab")
    assert (done.returncode, done.stderr) == (0, "")
    during, after = done.stdout.split()
    assert during == f"{after}/job-0190-ab"
    assert [path for path in unit.iterdir() if path.is_dir()] == []


def test_a_jenkins_step_and_what_former_builds_left(job: Job, unit: Path) -> None:
    step = f'"$HOSTAGENT_RUNNERS/jenkins-shell" -c "{WHERE}"'
    first = job("Runner.Worker", step, BUILD_TAG="jenkins-shop-41")
    second = job("Runner.Worker", step, BUILD_TAG="jenkins-shop-42")
    assert [done.stdout.rpartition("/")[2] for done in (first, second)] == [
        "job-jenkins-shop-41\n",
        "job-jenkins-shop-42\n",
    ]
    assert [path.name for path in unit.iterdir() if path.is_dir()] == ["job-jenkins-shop-42"]
    without = job("Runner.Worker", step)
    assert without.stdout.strip() == path_in_tree(unit, find_cgroup2_root())


def test_a_job_does_not_start_where_it_can_have_no_cgroup(job: Job, unit: Path) -> None:
    os.chown(unit / "cgroup.procs", 0, 0)
    os.chown(unit, 0, 0)
    done = job("Runner.Worker", STARTED, "echo a step", **GITHUB)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "takes no process" in done.stderr
    assert "Delegate=yes" in done.stderr


def test_a_hook_outside_a_runner_moves_nobody(job: Job, unit: Path) -> None:
    done = job("buildkite-agent", STARTED, **GITHUB)
    assert done.returncode == 1
    assert "no process above is called Runner.Worker" in done.stderr
    assert [path for path in unit.iterdir() if path.is_dir()] == []


GITLAB = {"CUSTOM_ENV_CI_JOB_ID": "9001", "HOSTAGENT_JOB_USER": "nobody", "BUILD_FAILURE_EXIT_CODE": "17"}


def test_gitlab_stages_run_in_the_cgroup_of_the_job_and_as_its_user(unit: Path, installed: Path) -> None:
    """The service is root, as GitLab installs it; the job's user can neither leave the cgroup nor make another."""

    def stage(hook: str, script: str) -> Done:
        (installed / "script").write_text(script)
        return subprocess.run(
            [installed / hook, installed / "script", "step_script"], capture_output=True, text=True, timeout=30,
            preexec_fn=lambda: (unit / "cgroup.procs").write_text("0"), env={"PATH": os.environ["PATH"], **GITLAB},
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    for path in (unit, unit / "cgroup.procs"):
        os.chown(path, 0, 0)
    done = stage("gitlab-run", f"{WHERE}; id -un; sleep 600 >/dev/null 2>&1 & echo $$ >{unit}/cgroup.procs")
    assert (done.returncode, done.stdout.split()[1:]) == (17, ["nobody"]), "a stage that fails is the job's failure"
    assert done.stdout.split()[0].endswith("/job-9001")
    assert "Permission denied" in done.stderr
    assert stage("gitlab-run", "exit 0").returncode == 0
    assert stage("gitlab-cleanup", "").returncode == 0
    assert [path for path in unit.iterdir() if path.is_dir()] == []
