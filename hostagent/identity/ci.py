"""CI runners, by the units and cgroups that they are installed with: GitHub Actions, GitLab, Buildkite, Jenkins.

That a flow comes from a runner's unit is systemd's word (*runtime-attested*). Which job it was, a `job-ID` cgroup says
that the runner's user made in its own delegated subtree, where the job can make one too: *claimed*. Environment
markers are not read: the processes that have them run as the job's own user.
"""

from __future__ import annotations

from hostagent.identity.form import HEX64, Place, form
from hostagent.values.actor import Grade

_SLICE = (Place.SLICE,)
_WORD = r"[A-Za-z0-9:_\\@-]+"  # no dot: with a third one nobody can tell where the scope ends

FORMS = (
    form(
        _SLICE,
        rf"(?P<unit>actions\.runner\.(?P<ci_scope>{_WORD})\.(?P<ci_runner>{_WORD})\.service)",
        Place.CI_RUNNER,
        ci_provider="github",
    ),
    form(_SLICE, rf"(?P<unit>actions\.runner\.(?:{_WORD}\.)+service)", Place.CI_RUNNER, ci_provider="github"),
    form((Place.ROOT,), "actions_job", Place.ACTIONS_JOB, ci_provider="github"),
    form((Place.ACTIONS_JOB,), f"(?P<container_id>{HEX64})", Place.CONTAINER, container_runtime="docker"),
    form(_SLICE, r"(?P<unit>gitlab-runner\.service)", Place.CI_RUNNER, ci_provider="gitlab"),
    form(_SLICE, r"(?P<slice>runner-slot-(?P<ci_slot>\d{1,9})\.slice)", Place.SLICE, ci_provider="gitlab"),
    form(
        _SLICE,
        rf"(?P<unit>buildkite-agent(?:@(?P<ci_runner>{_WORD}))?\.service)",
        Place.CI_RUNNER,
        ci_provider="buildkite",
    ),
    form(_SLICE, rf"(?P<unit>jenkins(?:-{_WORD}|@{_WORD})?\.service)", Place.CI_RUNNER, ci_provider="jenkins"),
    form((Place.CI_RUNNER,), "job-(?P<ci_job>[A-Za-z0-9_-]{1,64})", Place.NOTHING, Grade.CLAIMED),
)
