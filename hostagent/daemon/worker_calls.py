"""What a worker may ask the supervisor: who made a flow, a leaf, a credential, and the table of cancel keys.

A worker parses what peers send, so it is trusted with little: it cannot name a file, a process or a cgroup, it gets a
credential of a target only by that credential's name in the policy in force, and what it says about cancel keys stays
its own. Whatever cannot be answered is an error, and an error denies the flow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from hostagent.credentials.sources import read_secret
from hostagent.daemon import log
from hostagent.daemon.cancel_keys import CancelKeys, Scope
from hostagent.daemon.counts import Counts
from hostagent.daemon.policies import PolicyInForce
from hostagent.daemon.target_names import TargetNames
from hostagent.errors import FileError, HostError
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
        policies: PolicyInForce,
        names: TargetNames,
        counts: Counts,
        unattributed: Callable[[FlowKey, str], None],
        ready: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._flows = flows
        self._authority = authority
        self._policies = policies
        self._names = names
        self._counts = counts
        self._tell_unattributed = unattributed
        self._tell_ready = ready
        self._resolver = Resolver()
        self.cancel_keys = CancelKeys()

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
            "credential": self._credential,
            "cancel.keep": cancel_keep,
            "cancel.find": self._cancel_find,
            "cancel.drop": cancel_drop,
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

    async def _credential(self, args: Arguments) -> Arguments:
        credential = self._policies.credential(str(args["name"]))
        try:
            return {"user": credential.user, "secret": read_secret(credential)}
        except FileError as error:
            log.error("credential_unreadable", name=args["name"], error=error)
            self._counts.failed(f"credential {args['name']}: {error}")
            raise HostError("the credential of this target cannot be read") from None

    async def _cancel_find(self, args: Arguments) -> Arguments:
        upstream = self.cancel_keys.find(_scope(args), bytes.fromhex(args["issued"]))
        return {"key": None if upstream is None else upstream.hex()}


def _endpoint(pair: list[Any]) -> Endpoint:
    address, port = pair
    return Endpoint(str(address), int(port))


def _scope(args: Arguments) -> Scope:
    return Scope(str(_endpoint(args["destination"])), str(args["cgroup"]))
