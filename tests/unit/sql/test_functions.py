"""The list of harmless functions."""

from __future__ import annotations

from importlib import resources

import pytest

from hostagent.sql.analysis import Analysis, Name
from hostagent.sql.functions import is_harmless
from hostagent.sql.postgres import analyze

HARMLESS = "now count sum lower format_type to_jsonb pg_get_viewdef has_table_privilege timezone system"
OTHERS = """
pg_read_file pg_ls_dir lo_import lo_export lo_get query_to_xml table_to_xml cursor_to_xml ts_stat ts_rewrite dblink
set_config current_setting pg_sleep pg_terminate_backend pg_cancel_backend pg_reload_conf pg_notify nextval setval
currval lastval pg_advisory_lock pg_stat_get_activity pg_logical_emit_message pg_switch_wal txid_current pg_promote
pg_create_restore_point pg_hba_file_rules json_value unknown Now operator:+
"""


@pytest.mark.parametrize("name", HARMLESS.split())
def test_harmless(name: str) -> None:
    assert is_harmless(Name("", name))
    assert is_harmless(Name("pg_catalog", name))
    assert not is_harmless(Name("app", name))


@pytest.mark.parametrize("name", OTHERS.split())
def test_not_harmless(name: str) -> None:
    assert not is_harmless(Name("", name))
    assert not is_harmless(Name("pg_catalog", name))


def test_the_list_is_sorted_and_has_no_name_twice() -> None:
    lines = resources.files("hostagent.sql").joinpath("data/postgres_functions.txt").read_text().splitlines()
    assert lines == sorted(set(lines))
    assert len(lines) > 1000


def test_what_psql_asks_to_describe_a_table_is_harmless() -> None:
    text = """
    SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
      (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true)
       FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid)
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = '1' AND a.attname OPERATOR(pg_catalog.~) '^(t)$' COLLATE pg_catalog.default
      AND pg_catalog.pg_table_is_visible(a.attrelid)"""
    result = analyze(text)
    assert isinstance(result, Analysis)
    assert all(is_harmless(name) for name in result.statements[0].functions)
