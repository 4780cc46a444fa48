"""A bad reload never replaces a good policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostagent.daemon.policies import PolicyInForce
from hostagent.errors import FileError, HostError


def test_a_bad_reload_changes_nothing_but_the_error(policy_directory: Path) -> None:
    policies = PolicyInForce(policy_directory)
    good = policies.current
    file = policy_directory / "10-test.yaml"
    text = file.read_text("utf-8")
    file.write_text(text + "nonsense: 1\n", "utf-8")
    assert not policies.reload()
    assert policies.current is good
    assert "10-test.yaml:5:1" in policies.error
    assert "nonsense" in policies.error
    file.write_text(text + "mode: observe\n", "utf-8")
    assert policies.reload()
    assert policies.error == ""
    assert policies.current.version != good.version


def test_a_reload_of_a_directory_that_went_keeps_the_policy(policy_directory: Path) -> None:
    policies = PolicyInForce(policy_directory)
    version = policies.current.version
    (policy_directory / "10-test.yaml").unlink()
    assert not policies.reload()
    assert policies.current.version == version


def test_a_bad_first_policy_is_an_error(policy_directory: Path) -> None:
    (policy_directory / "20-bad.yaml").write_text("version: 1\nrules: [}\n", "utf-8")
    with pytest.raises(FileError, match=r"20-bad\.yaml:2"):
        PolicyInForce(policy_directory)


def test_credentials_are_found_by_name(policy_directory: Path) -> None:
    policies = PolicyInForce(policy_directory)
    assert policies.credential("app").user == "app"
    with pytest.raises(HostError, match="no credential 'other'"):
        policies.credential("other")
