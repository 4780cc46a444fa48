#!/bin/sh
# GitHub Actions, self-hosted runner: in the runner's file .env
#   ACTIONS_RUNNER_HOOK_JOB_STARTED=/usr/share/hostagent/runners/github-job-started.sh
#   ACTIONS_RUNNER_HOOK_JOB_COMPLETED=/usr/share/hostagent/runners/github-job-completed.sh
# A job has a Runner.Worker of its own. It moves, and every step of the job is born in the job's cgroup.
exec "$(dirname "$0")/ci-job" enter "$GITHUB_RUN_ID-$GITHUB_RUN_ATTEMPT-$GITHUB_JOB" Runner.Worker
