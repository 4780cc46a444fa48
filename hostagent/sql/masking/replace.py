"""Replace: one statement's edits, made in its text and in its tree alike, so that the two can be compared afterwards.

Every relation gets its schema, every listed function pg_catalog; a relation with masked columns that is read becomes a
sub-select under the same alias. What stands in the text is replaced token by token; nothing is written anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hostagent.sql.analysis import Name
from hostagent.sql.functions import is_harmless
from hostagent.sql.masking import routines
from hostagent.sql.masking.behind import check_read, check_types, check_write
from hostagent.sql.masking.catalog import Relation
from hostagent.sql.masking.columns import Columns, sent_schema
from hostagent.sql.masking.grouping import check_grouping
from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.returning import mask as mask_returning
from hostagent.sql.masking.returning import plain_items
from hostagent.sql.masking.sites import Role, Site, Statement
from hostagent.sql.masking.statements import READING
from hostagent.sql.masking.system import may_be_read
from hostagent.sql.masking.text import Edits, Tokens, quoted
from hostagent.sql.masking.values import Masked
from hostagent.sql.masking.views import SYSTEM_COLUMNS
from hostagent.sql.masking.writes import check_reads, check_target
from hostagent.sql.postgres.objects import qualified, strings
from hostagent.sql.postgres.tree import Tree, parse

# What may be done to a relation with masked columns as a whole: it tells nothing of them.
_TOUCHING = frozenset(
    {"AlterDefaultPrivilegesStmt", "GrantStmt", "LockStmt", "RefreshMatViewStmt", "TruncateStmt", "VacuumStmt"}
)
_ROW_FIX = "name the columns that you need"


@dataclass(slots=True)
class Replacement:
    """The edits of the statements of one text. `created` are relations that earlier statements of it made."""

    tokens: Tokens
    columns: Columns
    edits: Edits = field(default_factory=Edits)
    created: set[Name] = field(default_factory=set)
    masked: set[str] = field(default_factory=set)
    _selects: dict[tuple[int, bool, bool], tuple[str, Tree]] = field(default_factory=dict)

    def statement(self, statement: Statement) -> None:
        """Makes the edits of one statement. Raises Refused where it cannot be made safe."""
        known = [(site, self._resolve(site)) for site in statement.sites if site.role is not Role.CREATED]
        hiding = [(s, r, m) for s, r in known if r is not None and (m := self.columns.of(r))]
        self._check_statement(statement, hiding)
        for site, relation in known:
            self._relation(site, relation, statement)
        for call in statement.calls:
            self._call(call)
        self._names(statement)
        self._references(statement, hiding)
        self.created |= {site.name for site in statement.sites if site.role is Role.CREATED}

    def _resolve(self, site: Site) -> Relation | None:
        relation = self.columns.catalog.relation(site.name)
        if relation is None:
            return None
        if relation.schema.startswith("pg_toast"):
            raise Refused(f"{relation.full} holds values of other relations", "read the relation itself")
        if relation.is_system and (site.role not in (Role.READ, Role.COPIED) or not may_be_read(relation.full)):
            raise Refused(
                f"{relation.full} may tell of masked values", "pg_class, pg_attribute and the like describe relations"
            )
        return relation

    def _check_statement(self, statement: Statement, hiding: list[tuple[Site, Relation, Masked]]) -> None:
        if not hiding:
            return
        name = hiding[0][1].full
        if "MergeStmt" in statement.kinds:
            raise Refused(f"MERGE with {name}, which has masked columns", "write INSERT … ON CONFLICT, or UPDATE")
        check_grouping(statement, {id(site.body) for site, _, _ in hiding})
        if "ExplainStmt" in statement.kinds:
            raise Refused(f"a plan tells of the values of {name}, which has masked columns", "run the statement itself")
        if "ViewStmt" in statement.kinds or statement.body.get("objtype") == "OBJECT_MATVIEW":
            raise Refused(f"a view on {name} would outlive the masks", "let somebody without masks make it")
        for site, relation, _ in hiding:
            if site.role is Role.TOUCHED and statement.kind not in _TOUCHING:
                raise Refused(f"this would change what is masked: {relation.full}", "let somebody without masks run it")
            if site.role is Role.SAMPLED:
                raise Refused(f"TABLESAMPLE is for tables: {relation.full} has masked columns", "use LIMIT")
        read = [(s, m) for s, _, m in hiding if s.role is Role.READ]
        if read and statement.writes:
            hidden = {column for _, masked in read for column in masked}
            check_reads(statement.kind, statement.body, hidden, {site.alias for site, _ in read})
            if any("colnames" in site.body.get("alias", {}) for site, _ in read):
                raise Refused(f"columns of {name} are renamed in a statement that writes", _ROW_FIX)

    def _relation(self, site: Site, relation: Relation | None, statement: Statement) -> None:
        if relation is None:
            return self._unknown(site)
        masked = self.columns.of(relation)
        self._check_behind(site, relation)
        if site.role is Role.TARGET:
            returned = plain_items(site, masked) if statement.returns_to_client else []
            check_target(site, relation, masked, self.columns.masks, returned)
            if returned:
                self.masked |= {f"{relation.full}.{column}" for column in masked}
                mask_returning(site, relation, returned, self.columns, self.tokens, self.edits)
        if masked and site.role in (Role.READ, Role.COPIED):
            self.masked |= {f"{relation.full}.{column}" for column in masked}
            if site.role is Role.COPIED:
                return self._copy(site, relation)
            return self._substitute(site, relation, leave_out=statement.writes)
        return self._qualify(site, sent_schema(relation))

    def _check_behind(self, site: Site, relation: Relation) -> None:
        catalog, masks = self.columns.catalog, self.columns.masks
        if site.role in (Role.READ, Role.SAMPLED, Role.COPIED, Role.TARGET):
            check_read(relation, catalog, masks)
        if site.role is Role.TARGET or site.kind == "TruncateStmt":
            check_write(relation, catalog, masks)

    def _unknown(self, site: Site) -> None:
        """A relation that is not there stays so: also when the text is run later, under another search path."""
        if not site.name.schema and site.name not in self.created:
            self._qualify(site, "pg_temp")

    def _qualify(self, site: Site, schema: str) -> None:
        if site.name.schema == schema:
            return
        (start, end), _ = self._place(site)
        self.edits.replace(start, end, f"{quoted(schema)}.{quoted(site.name.name)}")
        site.body["schemaname"] = schema

    def _place(self, site: Site) -> tuple[tuple[int, int], int]:
        """Where the name stands, and the index of the token behind it."""
        parts, behind = self.tokens.name(self.tokens.at(site.body.get("location", 0)))
        return (parts[0][0], parts[-1][1]), behind

    def _substitute(self, site: Site, relation: Relation, *, leave_out: bool) -> None:
        only = not site.body.get("inh", False)
        (start, end), behind = self._place(site)
        before = self.tokens.at(start) - 1
        if only:
            bracket = self.tokens.word(before) == "("
            before -= bracket
            if self.tokens.word(before) != "only":
                raise Refused("the statement cannot be read token by token")
            start = self.tokens.span(before)[0]
            end = self.tokens.span(behind)[1] if bracket else end
            before -= 1
        elif self.tokens.word(behind) == "*":
            end = self.tokens.span(behind)[1]
        prefix = ""
        if self.tokens.word(before) == "table":
            start, prefix = self.tokens.span(before)[0], "SELECT * FROM "
        select, tree = self._select(relation, only=only, leave_out=leave_out)
        alias = "" if "alias" in site.body else f" AS {quoted(site.alias)}"
        self.edits.replace(start, end, f"{prefix}({select}){alias}")
        assert site.slot is not None
        container, key = site.slot
        container[key] = {
            "RangeSubselect": {
                "subquery": tree,
                "alias": site.body.get("alias", {"aliasname": site.alias}),
            }
        }

    def _select(self, relation: Relation, *, only: bool, leave_out: bool) -> tuple[str, Tree]:
        key = (relation.oid, only, leave_out)
        if key not in self._selects:
            select = self.columns.select(relation, only=only, leave_out=leave_out)
            self._selects[key] = (select, _parsed(select))
        return self._selects[key]

    def _copy(self, site: Site, relation: Relation) -> None:
        fix = f"COPY (SELECT … FROM {relation.full}) TO STDOUT"  # noqa: S608
        if relation.kind != "r":
            raise Refused(f"{relation.full} is no plain table", fix)
        (start, end), behind = self._place(site)
        if self.tokens.word(self.tokens.at(start) - 1) != "copy":
            raise Refused("the old form of COPY has no place for a query", fix)
        names = strings(site.node.pop("attlist", []))
        if names:
            while self.tokens.word(behind) != ")":
                behind += 1
            end = self.tokens.span(behind)[1]
        names = names or [column.name for column in relation.columns if not column.generated]
        select = self.columns.select(relation, only=True, names=names)
        self.edits.replace(start, end, f"({select})")
        del site.node["relation"]
        site.node["query"] = _parsed(select)

    def _call(self, call: Tree) -> None:
        name = qualified(strings(call["funcname"])) or Name("", "")
        if call.get("funcformat") == "COERCE_SQL_SYNTAX":
            return
        if name == Name("", "unnest") and len(call.get("args", [])) > 1:
            return  # syntax of a FROM list, but only without a schema; it is pg_catalog's
        wanted = routines.sent_name(name, self.columns.catalog, self.columns.masks)
        if wanted != name:
            place = self.tokens.span(self.tokens.at(call.get("location", 0)))[0]
            self.edits.replace(place, place, f"{quoted(wanted.schema)}.")
            call["funcname"] = [{"String": {"sval": wanted.schema}}, *call["funcname"]]
        if name.name in routines.OF_SETTING and call.get("args"):
            self._setting(name.name, call)

    def _setting(self, name: str, call: Tree) -> None:
        """A setting that is named by an expression: without dots it is one of the server, or none."""
        argument = call["args"][0]
        if "A_Const" in argument:
            setting = argument["A_Const"].get("sval", {}).get("sval", "").lower()
            if name == "set_config" and setting in READING:
                raise Refused(f"the setting {setting} changes how statements are read or shown", "leave it as it is")
            return routines.check_setting(setting)
        if name == "set_config":
            raise Refused("a setting is changed whose name is not known", "name the setting in a literal")
        _, behind = self.tokens.name(self.tokens.at(call.get("location", 0)))
        start, end = self.tokens.argument(behind)
        self.edits.replace(start, start, "pg_catalog.translate(")
        self.edits.replace(end, end, ", '.', '')")
        wrapped = _parsed("SELECT pg_catalog.translate(NULL, '.', '')")["SelectStmt"]["targetList"][0]["ResTarget"][
            "val"
        ]
        wrapped["FuncCall"]["args"][0] = argument
        call["args"][0] = wrapped
        return None

    def _names(self, statement: Statement) -> None:
        catalog, masks = self.columns.catalog, self.columns.masks
        for operator in sorted(statement.operators):
            check = routines.check_operator_schema if operator.schema else routines.check_operator
            check(operator, catalog, masks)
        for name in sorted(statement.fields):
            routines.check_field(name, catalog, masks)
        check_types(statement, catalog, masks)
        for name in sorted(statement.syntax):
            routines.check_syntax(name, catalog, masks)
        for method in sorted(statement.samplers):
            if not is_harmless(method):
                raise Refused(f"the sampling method {method.name} is not known", "use SYSTEM or BERNOULLI")

    def _references(self, statement: Statement, hiding: list[tuple[Site, Relation, Masked]]) -> None:
        """References by schema.relation.column lose their schema where the relation became a sub-select."""
        replaced = {(r.schema, r.name) for s, r, _ in hiding if s.role is Role.READ and "alias" not in s.body}
        read = {site.alias for site, _, _ in hiding if site.role is Role.READ}
        others = {s.alias for s in statement.sites} - read
        for body in statement.columns:
            parts = [item["String"]["sval"] if "String" in item else "*" for item in body["fields"]]
            if len(parts) > 2 and tuple(parts[-3:-1]) in replaced:
                spans, _ = self.tokens.name(self.tokens.at(body.get("location", 0)))
                self.edits.replace(spans[0][0], spans[len(parts) - 2][0], "")
                body["fields"] = body["fields"][-2:]
            if read and parts[-1] in SYSTEM_COLUMNS and not (len(parts) > 1 and parts[-2] in others):
                raise Refused(f"{parts[-1]} is a property of a stored row; masked rows have none", "use a key column")


def _parsed(select: str) -> Tree:
    (node,) = parse(select.encode())
    found: Tree = node["stmt"]
    return found
