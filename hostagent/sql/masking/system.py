"""Relations of the server that may be read in a session with masks: they describe, they hold no values of columns.

What is not listed is refused: statistics (pg_stats, pg_statistic, pg_statistic_ext_data), large objects, passwords,
files, login options of foreign servers. The connection string of a subscription is kept by the server itself from all
but superusers. Of what sessions run, the text is masked: it has other people's literals in it, and that of
a masked statement its key.
"""

from __future__ import annotations

from hostagent.sql.analysis import Name
from hostagent.sql.masking.values import Mask, Masked, MaskKind

_CATALOG_NAMES = """
pg_aggregate pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_auth_members pg_available_extension_versions
pg_available_extensions pg_cast pg_class pg_collation pg_constraint pg_conversion pg_database pg_db_role_setting
pg_default_acl pg_depend pg_description pg_enum pg_event_trigger pg_extension pg_foreign_data_wrapper
pg_foreign_server pg_foreign_table pg_group pg_index pg_indexes pg_inherits pg_init_privs pg_language pg_locks
pg_largeobject_metadata pg_matviews pg_namespace pg_opclass pg_operator pg_opfamily pg_parameter_acl
pg_partitioned_table pg_policies pg_policy pg_prepared_xacts pg_proc pg_publication pg_publication_namespace
pg_publication_rel pg_publication_tables pg_range pg_rewrite pg_roles pg_rules pg_seclabel pg_seclabels pg_sequence
pg_sequences pg_settings pg_shdepend pg_shdescription pg_shseclabel pg_stat_all_indexes pg_stat_all_tables
pg_stat_database pg_stat_sys_tables pg_stat_user_indexes pg_stat_user_tables pg_subscription pg_statio_all_tables
pg_statio_user_indexes pg_statio_user_tables pg_statistic_ext pg_tables pg_tablespace pg_timezone_abbrevs
pg_timezone_names pg_transform pg_trigger pg_ts_config pg_ts_config_map pg_ts_dict pg_ts_parser pg_ts_template
pg_type pg_user pg_views
"""
_CATALOG = frozenset(_CATALOG_NAMES.split())
_TEXT = Mask("text of statements", MaskKind.NULL, ())
# Always masked; the catalog query brings the columns of these, and of no others of the server.
_TEXTS: dict[Name, Masked] = {
    Name("pg_catalog", "pg_cursors"): {"statement": _TEXT},
    Name("pg_catalog", "pg_prepared_statements"): {"statement": _TEXT},
    Name("pg_catalog", "pg_stat_activity"): {"query": _TEXT},
}

_INFORMATION_REFUSED = frozenset({"_pg_user_mappings", "user_mapping_options"})


def may_be_read(name: Name) -> bool:
    """Whether a relation of pg_catalog or information_schema, by its qualified name, tells no value of a column."""
    if name.schema == "information_schema":
        return name.name not in _INFORMATION_REFUSED
    return name.schema == "pg_catalog" and (name.name in _CATALOG or name in _TEXTS)


def masked_columns(name: Name) -> Masked:
    """The columns of such a relation that are masked in every session with masks."""
    return _TEXTS.get(name, {})
