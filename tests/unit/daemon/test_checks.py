"""What keeps the daemon from starting is one clear error with its exit code."""

from __future__ import annotations

import os
import socket

import pytest

from hostagent.daemon.checks import CannotStart, require_features, require_own_listeners, require_root
from hostagent.daemon.config import Config, Govern


def config(port: int = 15001) -> Config:
    return Config(govern=Govern(cgroups=("/a",)), port=port)


def test_another_user_than_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CannotStart, match="must start as root") as caught:
        require_root()
    assert caught.value.code == os.EX_NOPERM
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    require_root()


def test_missing_features_are_all_named() -> None:
    require_features([])
    with pytest.raises(CannotStart) as caught:
        require_features(
            [("BTF", "no /sys/kernel/btf/vmlinux", "use a newer kernel"), ("nft tproxy", "EOPNOTSUPP", "")]
        )
    assert "BTF" in caught.value.what
    assert "nft tproxy" in caught.value.what
    assert caught.value.hint == "use a newer kernel"
    assert caught.value.code == os.EX_UNAVAILABLE


def test_inherited_listeners_must_be_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as four:
        port = four.getsockname()[1]
        with socket.create_server(("::1", port), family=socket.AF_INET6) as six:
            require_own_listeners(config(port), [six, four])
            for wrong in ([four], [four, four], [four, six, six]):
                with pytest.raises(CannotStart, match="do not fit") as caught:
                    require_own_listeners(config(port), wrong)
                assert caught.value.code == os.EX_CONFIG
            with pytest.raises(CannotStart, match="do not fit"):
                require_own_listeners(config(port + 1 if port < 65535 else 1), [four, six])
