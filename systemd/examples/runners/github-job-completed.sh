#!/bin/sh
# GitHub Actions, self-hosted runner: see github-job-started.sh. What the job left running is killed.
exec "$(dirname "$0")/ci-job" leave "$GITHUB_RUN_ID-$GITHUB_RUN_ATTEMPT-$GITHUB_JOB" Runner.Worker
