"""The daemon's log: one line a thing that happened, `key=value`, with a stable event name. No payload, no secret.

Started by systemd it writes to the journal with fields (`log_journal`): HOSTAGENT_EVENT, and HOSTAGENT_ with the key of
each fact, such as HOSTAGENT_FLOW, HOSTAGENT_DECISION and HOSTAGENT_ACTOR_UNIT; PRIORITY, SYSLOG_IDENTIFIER, and for the
main events a MESSAGE_ID. Else, and when the journal does not take it, to standard error.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping

from hostagent.daemon.log_journal import Journald, is_stream
from hostagent.identity.cgroup import attributes

IDENTIFIER = "hostagentd"
MESSAGE_IDS = {  # for `journalctl MESSAGE_ID=`, and catalogs; never changed, never given to another event
    "ready": "3ef8ee84bfb24925acdb9279c024b1d1",
    "stopped": "3cd60fa37907499292e62aa11b9be400",
    "policy": "339bac2f77294f6aa68d6907d3f19907",
    "policy_refused": "3c2d914f93a74b17adc6e1f540b29950",
    "drift": "45f23a8186434b8f91a17cc02d29ee52",
    "drift_stays": "5fd043e0f50f4ddda99b2b7fb9a4ca83",
    "child_ended": "1272f1052a2e4f4498112e18e6e5e32d",
    "refused": "bb878296de274ad28fd0e17fe3f372fe",
    "unattributed": "2d10223abfe0460198c383331d112179",
    "approval_asked": "807827ff96554210b8055902a646c63f",
    "approval_given": "a574477cba374449b501efa17f0fe7da",
    "approval_denied": "b2391b6196634e1290f5e807f7bdf849",
    "event_not_written": "8082d3c8a7fe44258148a5555bda00e0",
    "checkpoint_failed": "8921e250494a4670b7a758b1cad92b88",
    "credential_unavailable": "1c8efe230eb24c0eb5f59c2657220d4b",
}
_LOGGER = logging.getLogger("hostagent")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/[]@%+*,")
_PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}  # syslog(3)
_NAMES = {"request": "DECISION", "cgroup": "ACTOR_CGROUP", "text": "TEXT"}  # of facts whose field has another name
_NO_NAME = re.compile(r"[^A-Z0-9_]")


def set_up(level: str = "info") -> None:
    """Send log lines to the journal or to standard error; what else logs under `hostagent` takes the same form."""
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setFormatter(_KeyValue())
    _LOGGER.handlers[:] = [_ToJournal(Journald(), stderr) if _under_systemd() else stderr]
    _LOGGER.setLevel(level.upper())
    _LOGGER.propagate = False


def info(event: str, /, **fields: object) -> None:
    """Log something ordinary."""
    _log(logging.INFO, event, fields)


def warning(event: str, /, **fields: object) -> None:
    """Log something that an operator should look at."""
    _log(logging.WARNING, event, fields)


def error(event: str, /, **fields: object) -> None:
    """Log something that does not work."""
    _log(logging.ERROR, event, fields)


def line(event: str, fields: Mapping[str, object]) -> str:
    """`event=… key=value …`; a value with a space, a quote or a control character is given as a JSON string."""
    return " ".join([f"event={event}", *(f"{key}={_value(value)}" for key, value in fields.items())])


def entry(event: str, fields: Mapping[str, object]) -> dict[str, object]:
    """The fields of the journal that say this, but for those that every entry has."""
    named: dict[str, object] = {"HOSTAGENT_EVENT": event}
    for key, value in fields.items():
        named["HOSTAGENT_" + _NAMES.get(key, _NO_NAME.sub("_", key.upper()))] = value
    known = {attribute.name: attribute.value for attribute in attributes(str(fields.get("cgroup", "")))}
    if "unit" in known:
        named["HOSTAGENT_ACTOR_UNIT"] = known["unit"]
    return named | ({"MESSAGE_ID": MESSAGE_IDS[event]} if event in MESSAGE_IDS else {})


def _log(level: int, event: str, fields: Mapping[str, object]) -> None:
    _LOGGER.log(level, line(event, fields), extra={"told": (event, fields)})


def _value(value: object) -> str:
    text = str(value)
    return text if text and set(text) <= _PLAIN else json.dumps(text, ensure_ascii=False)


def _under_systemd() -> bool:
    return is_stream(os.environ, 2)


class _KeyValue(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"level={record.levelname.lower()} {_message(record)}"


class _ToJournal(logging.Handler):
    """To the journal; what it does not take goes to the other handler."""

    def __init__(self, journald: Journald, otherwise: logging.Handler) -> None:
        super().__init__()
        self._journald = journald
        self._otherwise = otherwise

    def emit(self, record: logging.LogRecord) -> None:
        event, fields = getattr(record, "told", ("message", {"from": record.name}))
        always = {
            "MESSAGE": _message(record),
            "PRIORITY": _PRIORITIES.get(record.levelno, 6),
            "SYSLOG_IDENTIFIER": IDENTIFIER,
            "SYSLOG_PID": record.process,
        }
        try:
            self._journald.send({**always, **entry(event, fields)})
        except OSError:
            self._otherwise.emit(record)


def _message(record: logging.LogRecord) -> str:
    message = record.getMessage()
    if not message.startswith("event="):
        message = line("message", {"from": record.name, "text": message})
    if record.exc_info and record.exc_info[1] is not None:
        message += f" error={_value(repr(record.exc_info[1]))}"
    return message
