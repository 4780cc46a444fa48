"""The recipes for runners (docs/runners.md) under systemd, with the hooks and drop-ins as the package installs them.

The runners themselves are stand-ins: a shell under the name of the runner's own process, started as its unit starts it,
calls the hooks as the runner does and asks the database in between. What is shown is what hostagent records of a job.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from tests.vm import witness
from tests.vm.lab import DATABASE, SLOW
from tests.vm.machine import Machine

HOOKS = "/usr/share/hostagent/runners"
RUN = "systemd-run --quiet --pipe --wait --collect --setenv=PGPASSWORD=no"
# the unit that a runner's installer makes; the drop-in of the recipe does the rest
UNITS = ("actions.runner.acme-shop.one", "buildkite-agent", "gitlab-runner", "jenkins-agent")
RUNTIME, CLAIMED = "runtime-attested", "claimed"


def asking(mark: str) -> str:
    """A step of a job: asks the database once, as nobody that the server knows."""
    return f"psql --no-psqlrc -h {DATABASE} -U anybody -d app -Atc \"select '{mark}'\""


@pytest.fixture(scope="module")
def host(runner: Machine) -> Iterator[Machine]:
    """The runner host with the drop-in for each runner's unit, and programs that are called as runners are."""
    for unit in UNITS:
        runner.shell(f"install -D -m 644 {HOOKS}/runner.conf /etc/systemd/system/{unit}.service.d/hostagent.conf")
    runner.shell(
        "mkdir -p /opt/runner; for name in Runner.Worker buildkite-agent; do cp /bin/bash /opt/runner/$name; done"
    )
    runner.check("systemctl", "daemon-reload")
    yield runner
    runner.shell(f"rm -r /opt/runner; cd /etc/systemd/system; rm -r {' '.join(f'{unit}.service.d' for unit in UNITS)}")
    runner.check("systemctl", "daemon-reload")


def job(machine: Machine, unit: str, worker: str, steps: list[str], user: str = "dev", **environment: str) -> str:
    """What the steps of a job print, each in a shell of its own under a process of that name, in the runner's unit."""
    given = " ".join(f"--setenv={name}={shlex.quote(value)}" for name, value in environment.items())
    program = 'for step; do /bin/bash -e -c "$step" || exit; done'
    words = shlex.join([worker, "-c", program, "worker", *steps])
    return machine.shell(f"{RUN} {given} --unit={unit} -p User={user} {words}", timeout=SLOW)


def recorded(machine: Machine, mark: str) -> tuple[str, dict[str, tuple[str, str]], dict[str, Any]]:
    """Cgroup, attributes with their grades, and process of the decision about the statement with that mark."""
    (event,) = (
        event
        for event in witness.events(machine)
        if event["metadata"]["event_code"] == "decided" and f"'{mark}'" in event["query_info"]["query_string"]
    )
    attributes = {name: (a["value"], a["grade"]) for name, a in event["unmapped"]["attributes"].items()}
    return event["unmapped"]["cgroup"], attributes, event["actor"]["process"]


def test_a_github_job(host: Machine) -> None:
    steps = [
        f"{HOOKS}/github-job-started.sh",
        asking("github-step"),
        f"{HOOKS}/github-job-completed.sh",
        asking("github-after"),
    ]
    ids = {"GITHUB_RUN_ID": "17", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "deploy"}
    said = job(host, "actions.runner.acme-shop.one", "/opt/runner/Runner.Worker", steps, **ids)
    assert said.split() == ["github-step", "github-after"]
    cgroup, attributes, process = recorded(host, "github-step")
    assert cgroup == "/governed.slice/actions.runner.acme-shop.one.service/job-17-1-deploy"
    assert attributes["unit"] == ("actions.runner.acme-shop.one.service", RUNTIME)
    assert attributes["ci_provider"] == ("github", RUNTIME)
    assert attributes["ci_scope"] == ("acme-shop", RUNTIME)
    assert attributes["ci_job"] == ("17-1-deploy", CLAIMED)
    assert process["name"] == "psql"
    cgroup, attributes, _ = recorded(host, "github-after")
    assert cgroup == "/governed.slice/actions.runner.acme-shop.one.service"
    assert "ci_job" not in attributes


def test_a_buildkite_job(host: Machine) -> None:
    steps = [f". {HOOKS}/buildkite/environment", asking("buildkite-step"), f". {HOOKS}/buildkite/pre-exit"]
    said = job(host, "buildkite-agent", "/opt/runner/buildkite-agent", steps, BUILDKITE_JOB_ID="0190-cafe")
    assert said.split() == ["buildkite-step"]
    _, attributes, _ = recorded(host, "buildkite-step")
    assert attributes["ci_provider"] == ("buildkite", RUNTIME)
    assert attributes["ci_job"] == ("0190-cafe", CLAIMED)


def test_a_gitlab_job_of_the_custom_executor(host: Machine) -> None:
    """The service is root and the job is not."""
    host.put(asking("gitlab-step") + "\nid -un\n", "/root/gitlab-script")
    steps = [
        f"{HOOKS}/gitlab-prepare",
        f"{HOOKS}/gitlab-run /root/gitlab-script step_script",
        f"{HOOKS}/gitlab-cleanup",
    ]
    environment = {
        "CUSTOM_ENV_CI_JOB_ID": "9001",
        "CUSTOM_ENV_CI_PROJECT_DIR": "/home/dev/builds/shop",
        "HOSTAGENT_JOB_USER": "dev",
    }
    said = job(host, "gitlab-runner", "/bin/bash", steps, user="root", **environment)
    assert said.split() == ["gitlab-step", "dev"]
    cgroup, attributes, _ = recorded(host, "gitlab-step")
    assert cgroup == "/governed.slice/gitlab-runner.service/job-9001"
    assert attributes["ci_provider"] == ("gitlab", RUNTIME)
    assert attributes["ci_job"] == ("9001", CLAIMED)


def test_a_step_of_a_jenkins_build(host: Machine) -> None:
    step = f"{HOOKS}/jenkins-shell -c {shlex.quote(asking('jenkins-step'))}"
    said = job(host, "jenkins-agent", "/bin/bash", [step], BUILD_TAG="jenkins-shop-41")
    assert said.split() == ["jenkins-step"]
    _, attributes, _ = recorded(host, "jenkins-step")
    assert attributes["ci_provider"] == ("jenkins", RUNTIME)
    assert attributes["ci_job"] == ("jenkins-shop-41", CLAIMED)


def test_a_coding_agent_in_its_slice_of_the_users_manager(host: Machine) -> None:
    start = f"{RUN.replace('systemd-run', 'systemd-run --user -M dev@')} --slice=agents.slice --unit=coder"
    said = host.shell(f"{start} {asking('agent-step')}", timeout=SLOW)
    assert said.split() == ["agent-step"]
    cgroup, attributes, process = recorded(host, "agent-step")
    assert cgroup.endswith("/user@1000.service/agents.slice/coder.service")
    assert attributes["owner_uid"] == ("1000", RUNTIME)
    assert attributes["user_unit"] == ("coder.service", CLAIMED)
    assert process["file"]["path"].startswith("/usr/")


def test_a_job_has_no_rights_that_pass_by_the_hooks(host: Machine) -> None:
    """Not even as root: the drop-in takes them from the unit. Its twin, without the drop-in, has them."""
    packet = "python3 -I -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'"
    refused = host.run("bash", "-c", f"{RUN} --unit=gitlab-runner {packet} 2>&1", timeout=SLOW)
    assert refused.status != 0
    assert "Operation not permitted" in refused.out
    host.shell(f"{RUN} --unit=bystander {packet}", timeout=SLOW)
