"""The order in which PostgreSQL's regression files build on each other, and the two data files that most of them read.

The suite's own data files are not at hand. `onek` and `tenk1` are made here after their shape: every column follows
from `unique1`, a permutation. The other files stay missing, and loading them fails in both runs.
"""

from __future__ import annotations

from pathlib import Path

_ORDER = """
test_setup
boolean char name varchar text int2 int4 int8 oid float4 float8 bit numeric txid uuid enum money rangetypes pg_lsn
regproc
strings md5 numerology point lseg line box path polygon circle date time timetz timestamp timestamptz interval inet
macaddr macaddr8 multirangetypes
geometry horology tstypes regex type_sanity opr_sanity misc_sanity comments expressions unicode xid mvcc
copy copyselect copydml insert insert_conflict
create_function_c create_misc create_operator create_procedure create_table create_type create_schema
create_index create_index_spgist create_view index_including index_including_gist
create_aggregate create_function_sql create_cast constraints triggers select inherit typed_table vacuum drop_if_exists
updatable_views roleattributes create_am hash_func errors infinite_recurse
sanity_check
select_into select_distinct select_distinct_on select_implicit select_having subselect union case join aggregates
transactions random portals arrays btree_index hash_index update delete namespace prepared_xacts
brin gin gist spgist privileges init_privs security_label collate matview lock replica_identity rowsecurity
object_address tablesample groupingsets drop_operator password identity generated join_hash
brin_bloom brin_multi
create_table_like alter_generic alter_operator misc async dbsize merge misc_functions sysviews tsrf tid tidscan
tidrangescan collate.icu.utf8 incremental_sort create_role
rules psql psql_crosstab amutils stats_ext collate.linux.utf8 collate.windows.win1252
select_parallel write_parallel vacuum_parallel
subscription publication select_views portals_p2 foreign_key cluster dependency guc bitmapops combocid tsearch tsdicts
foreign_data window xmlmap functional_deps advisory_lock indirect_toast equivclass
json jsonb json_encoding jsonpath jsonpath_encoding jsonb_jsonpath sqljson
plancache limit plpgsql copy2 temp domain rangefuncs prepare conversion truncate alter_table sequence polymorphism
rowtypes returning largeobject with xml
partition_join partition_prune reloptions hash_part indexing partition_aggregate partition_info tuplesort explain
compression memoize stats
oidjoins event_trigger fast_default tablespace
"""


def ordered(files: list[Path]) -> list[Path]:
    """The files in the suite's order; what the order does not know comes last."""
    rank = {name: number for number, name in enumerate(_ORDER.split())}
    return sorted(files, key=lambda path: (rank.get(path.stem, len(rank)), path.stem))


def write_data(directory: Path) -> None:
    """Make `onek.data` and `tenk.data` there."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, count, step in (("onek", 1000, 457), ("tenk", 10000, 7001)):
        rows = ("\t".join(_row((8800 + n * step) % count, n, n)) for n in range(count))
        (directory / f"{name}.data").write_text("\n".join(rows) + "\n")


def _row(unique1: int, unique2: int, number: int) -> list[str]:
    moduli = (2, 4, 10, 20, 100, 1000, 2000, 5000, 10000)
    odd = unique1 % 100 * 2
    four = ("AAAA", "HHHH", "OOOO", "VVVV")[number % 4] + "xx"
    values = (unique1, unique2, *(unique1 % m for m in moduli), odd, odd + 1)
    return [*map(str, values), _letters(unique1), _letters(unique2), four]


def _letters(number: int) -> str:
    word = ""
    for _ in range(3):
        word = chr(ord("A") + number % 26) + word
        number //= 26
    return word[::-1] + "AAA"
