"""What a worker may ask the supervisor: who made a flow, a leaf, a target's login, and the table of cancel keys.

A worker parses what peers send, so it is trusted with little: it cannot name a file, a process or a cgroup, it gets a
login only by its target's name in the policy in force, and what it says about cancel keys stays its own.
Whatever cannot be answered is an error, and an error denies the flow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from hostagent.daemon.approvals import Approvals
from hostagent.daemon.cancel_keys import CancelKeys, Scope
from hostagent.daemon.counts import Counts
from hostagent.daemon.limits import Counting
from hostagent.daemon.logins import Logins
from hostagent.daemon.ssh_calls import SshCalls
from hostagent.daemon.target_names import TargetNames
from hostagent.errors import HostError
from hostagent.identity.resolve import Resolver, Unattributed
from hostagent.pki.authority import Authority
from hostagent.runtime.channel import Handler
from hostagent.values.flow import Endpoint, FlowKey, FlowRecord

MAX_NAMES = 16  # subject names of one leaf: a server name and an address are two

Arguments = dict[str, Any]


class FlowRecords(Protocol):
    """The kernel's flow map."""

    def lookup(self, key: FlowKey) -> FlowRecord | None: ...
    def forget(self, key: FlowKey) -> None: ...


class WorkerCalls:
    """The operations of the channel, for all workers."""

    def __init__(
        self,
        settings: Callable[[], dict[str, Any]],
        flows: FlowRecords,
        authority: Authority,
        logins: Logins,
        names: TargetNames,
        counts: Counts,
        unattributed: Callable[[FlowKey, str], None],
        ready: Callable[[str], None],
        approvals: Approvals,
        counting: Counting,
        ssh: SshCalls,
    ) -> None:
        self._settings = settings
        self._flows = flows
        self._authority = authority
        self._logins = logins
        self._names = names
        self._counts = counts
        self._tell_unattributed = unattributed
        self._tell_ready = ready
        self._approvals = approvals
        self._counting = counting
        self._ssh = ssh
        self._resolver = Resolver()
        self.cancel_keys = CancelKeys()

    def worker_ended(self, worker: str) -> None:
        """A worker died: what it kept, held and had borrowed goes with it."""
        self.cancel_keys.drop_worker(worker)
        self._approvals.worker_ended(worker)
        self._counting.budgets.drop_worker(worker)

    def handlers(self, worker: str) -> Mapping[str, Handler]:
        """The operations as one worker sees them; `worker` is its name."""

        async def cancel_keep(args: Arguments) -> Arguments:
            issued, upstream = bytes.fromhex(args["issued"]), bytes.fromhex(args["key"])
            self.cancel_keys.keep(worker, _scope(args), issued, upstream)
            return {}

        async def cancel_drop(args: Arguments) -> Arguments:
            self.cancel_keys.drop(worker, bytes.fromhex(args["issued"]))
            return {}

        async def ready(_: Arguments) -> Arguments:
            self._tell_ready(worker)
            return {}

        return {
            "hello": self._hello,
            "ready": ready,
            "attribute": self._attribute,
            "leaf": self._leaf,
            "login": self._login,
            "cancel.keep": cancel_keep,
            "cancel.find": self._cancel_find,
            "cancel.drop": cancel_drop,
            **self._approvals.handlers(worker),
            **self._counting.handlers(worker),
            **self._ssh.handlers(),
        }

    async def _hello(self, _: Arguments) -> Arguments:
        return self._settings()

    async def _attribute(self, args: Arguments) -> Arguments:
        key = FlowKey(_endpoint(args["source"]), _endpoint(args["destination"]))
        try:
            record = self._flows.lookup(key)
            if record is None:
                raise Unattributed("the kernel has no record of this flow")
            actor = self._resolver.resolve(record)
        except HostError as error:
            self._counts.unattributed += 1
            self._tell_unattributed(key, error.what)
            return {"denied": error.what}
        self._flows.forget(key)  # the same 4-tuple may come from another namespace next
        self._counts.attributed += 1
        names = await self._names.of(key.destination.address)
        return {"actor": actor.to_json(), "names": names}

    async def _leaf(self, args: Arguments) -> Arguments:
        names = tuple(map(str, args["names"]))
        if not 0 < len(names) <= MAX_NAMES:
            raise ValueError(f"a leaf has 1 to {MAX_NAMES} names")
        leaf = self._authority.leaf(names)
        return {"chain_pem": leaf.chain_pem, "key_pem": leaf.key_pem}

    async def _login(self, args: Arguments) -> Arguments:
        return await self._logins.of(str(args["target"]))

    async def _cancel_find(self, args: Arguments) -> Arguments:
        upstream = self.cancel_keys.find(_scope(args), bytes.fromhex(args["issued"]))
        if upstream is None:
            return {"key": None}
        if self._approvals.cancelled(args["issued"]):  # it waits for a human: the server has nothing to cancel
            return {"key": None, "withdrawn": True}
        return {"key": upstream.hex()}


def _endpoint(pair: list[Any]) -> Endpoint:
    address, port = pair
    return Endpoint(str(address), int(port))


def _scope(args: Arguments) -> Scope:
    return Scope(str(_endpoint(args["destination"])), str(args["cgroup"]))
