"""Functions and operators in a session with masks: which may be called, and under which name they are sent.

A function is safe when it reads nothing but its arguments: a masked value that it gets is masked already. What the
list of harmless functions holds is safe; so are those of SAFE, which policy may still refuse.
"""

from __future__ import annotations

from hostagent.sql.analysis import Name
from hostagent.sql.functions import is_harmless
from hostagent.sql.masking.catalog import Catalog, Routine
from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.values import Masks

_CATALOG = "pg_catalog"

# Not harmless, for they change something or tell of the server, but nothing that a masked column holds.
# Operators that a type of one's own has because it is sorted and compared: they are what its maker made of it.
COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})

_SAFE_NAMES = """
currval lastval nextval setval pg_sequence_last_value pg_sequence_parameters inet_client_addr inet_client_port
inet_server_addr inet_server_port pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all
pg_advisory_unlock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_lock
pg_try_advisory_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pg_blocking_pids
pg_cancel_backend pg_terminate_backend pg_notify pg_sleep pg_sleep_for pg_sleep_until setseed pg_current_xact_id
pg_current_xact_id_if_assigned txid_current txid_current_if_assigned pg_stat_get_dead_tuples pg_stat_get_live_tuples
pg_stat_get_numscans pg_stat_get_tuples_fetched pg_stat_get_tuples_returned pg_listening_channels pg_timezone_names
pg_timezone_abbrevs pg_current_wal_lsn pg_last_wal_replay_lsn  pg_show_all_settings
"""
SAFE = frozenset(_SAFE_NAMES.split())
# Safe where the first argument has no dot: a setting of the server, not one that anybody made.
OF_SETTING = frozenset({"current_setting", "set_config"})

# Extensions whose functions and operators only compute: none reads a relation, a file or another server.
_PURE_NAMES = """
btree_gin btree_gist citext cube earthdistance fuzzystrmatch hstore intarray isn ltree pg_trgm pgcrypto seg
unaccent uuid-ossp vector
"""
PURE_EXTENSIONS = frozenset(_PURE_NAMES.split())


def sent_name(name: Name, catalog: Catalog, masks: Masks) -> Name:
    """The name under which a called function is sent. Raises Refused when it may not be called."""
    others = [r for r in catalog.functions.get(name.name, ()) if r.visible or r.schema == name.schema]
    if name.schema == _CATALOG:
        return name if _is_safe(name.name) else _refuse(name)
    if name.schema:
        named = [r for r in others if r.schema == name.schema]
        return name if named and all(is_trusted(r, masks) for r in named) else _refuse(name)
    visible = [r for r in others if r.visible]
    if _is_safe(name.name):
        if not visible:
            return Name(_CATALOG, name.name)
        untrusted = [r for r in visible if not is_trusted(r, masks)]
        if untrusted:
            where = f"{untrusted[0].schema}.{name.name}"
            raise Refused(f"the function {name.name} could also be {where}", f"write pg_catalog.{name.name}")
        return name
    if not visible or not all(is_trusted(r, masks) for r in visible):
        return _refuse(name)
    schemas = {r.schema for r in visible}
    if len(schemas) > 1:
        raise Refused(f"the function {name.name} is in several schemas", "write its schema before it")
    return Name(schemas.pop(), name.name)


def check_setting(name: str) -> None:
    """Raises Refused where the literal that is the first argument of OF_SETTING names a setting that somebody made."""
    if "." in name:
        raise Refused("settings that somebody made are out of sight", "use settings of the server")


def check_field(name: str, catalog: Catalog, masks: Masks) -> None:
    """Raises Refused where `row.name` could call a function that nobody vouches for."""
    for routine in catalog.functions.get(name, ()):
        if routine.visible and routine.takes_row and not is_trusted(routine, masks):
            raise Refused(
                f"{name} after a dot could call the function {routine.schema}.{name}",
                f"if a column is meant, write {name} without what is before the dot, in a sub-select if needed",
            )


def check_syntax(name: str, catalog: Catalog, masks: Masks) -> None:
    """Raises Refused where what is syntax for our parser could, on an older server, call a function of that name."""
    for routine in catalog.functions.get(name, ()):
        if routine.visible and not is_trusted(routine, masks):
            raise Refused(f"{name} could call the function {routine.schema}.{name}", "use another function")


def check_operator(operator: Name, catalog: Catalog, masks: Masks) -> None:
    """Raises Refused where an operator could be one that nobody vouches for."""
    name = operator.name
    for routine in catalog.operators.get(name, ()):
        if routine.visible and not is_trusted(routine, masks) and not (routine.own_type and name in COMPARISONS):
            raise Refused(
                f"the operator {name} could be one of schema {routine.schema}, which may read masked columns",
                f"write OPERATOR(pg_catalog.{name})",
            )


def check_operator_schema(name: Name, catalog: Catalog, masks: Masks) -> None:
    """The same for an operator that is written with its schema."""
    named = [r for r in catalog.operators.get(name.name, ()) if r.schema == name.schema]
    if name.schema != _CATALOG and not (named and all(is_trusted(r, masks) for r in named)):
        raise Refused(f"the operator {name.schema}.{name.name} may read masked columns", "use one of pg_catalog")


def _is_safe(name: str) -> bool:
    return is_harmless(Name(_CATALOG, name)) or name in SAFE or name in OF_SETTING


def is_trusted(routine: Routine, masks: Masks) -> bool:
    """Whether a function or operator outside pg_catalog is known to read no masked column."""
    if routine.schema == "information_schema":  # helpers of its views; nobody but the server's owner makes any there
        return True
    return routine.extension in PURE_EXTENSIONS or masks.trusts(Name(routine.schema, routine.name))


def _refuse(name: Name) -> Name:
    raise Refused(
        f"the function {name} may read masked columns",
        "write what it does in the statement, or have it listed under `functions` of the mask",
    )
