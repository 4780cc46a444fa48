"""The masking key: made once, kept, private; targets get their own, and only those that a mask is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostagent.daemon.mask_keys import MaskKeys
from hostagent.errors import HostError
from hostagent.policy.load import load_policy
from hostagent.policy.model import Policy

POLICY = """
version: 1
targets:
  - {name: shop, protocol: postgres, match: {addresses: [10.0.0.5]}}
  - {name: logs, protocol: postgres, match: {addresses: [10.0.0.6]}}
masks:
  - {name: cards, targets: TARGETS, columns: app.cards.number, mask: hash}
"""


def policy(directory: Path, targets: str) -> Policy:
    directory.mkdir()
    (directory / "p.yaml").write_text(POLICY.replace("TARGETS", targets))
    return load_policy(directory)


def test_a_key_is_made_once_and_each_target_gets_its_own(tmp_path: Path) -> None:
    path = tmp_path / "mask.key"
    keys = MaskKeys(path).of(policy(tmp_path / "p", '"*"'))
    assert path.stat().st_mode & 0o777 == 0o600 and len(path.read_bytes()) == 32
    assert keys.keys() == {"shop", "logs"} and keys["shop"] != keys["logs"]
    assert path.read_bytes().hex() not in keys.values()
    assert MaskKeys(path).of(policy(tmp_path / "q", '"*"')) == keys


def test_only_targets_that_a_mask_is_for_have_a_key(tmp_path: Path) -> None:
    assert MaskKeys(tmp_path / "mask.key").of(policy(tmp_path / "p", "shop")).keys() == {"shop"}


@pytest.mark.parametrize(
    ("content", "mode", "why"), [(b"x" * 31, 0o600, "32 bytes"), (b"x" * 32, 0o644, "other users")]
)
def test_a_key_that_is_wrong_or_public_is_refused(tmp_path: Path, content: bytes, mode: int, why: str) -> None:
    path = tmp_path / "mask.key"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(HostError, match=why):
        MaskKeys(path)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="none/mask"):
        MaskKeys(tmp_path / "none" / "mask.key")
