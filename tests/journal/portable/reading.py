"""Which features a statement uses, by PostgreSQL's own parser, and what in it nobody has judged yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pgparse  # type: ignore[import-not-found]  # it ships no types

from tests.journal.portable import features as of
from tests.journal.portable.features import Feature

Node = dict[str, Any]

# What every engine has: constructs by the parser's names, functions by ours.
PLAIN_NODES = {
    *("A_Const", "A_Expr", "A_Star", "BoolExpr", "CaseExpr", "CaseWhen", "CoalesceExpr", "ColumnRef"),
    *("CommonTableExpr", "DeleteStmt", "FuncCall", "IndexElem", "InsertStmt", "Integer", "JoinExpr", "List"),
    *("LockingClause", "MinMaxExpr", "NullTest", "ParamRef", "RangeFunction", "RangeSubselect", "RangeVar"),
    *("ResTarget", "RowExpr", "SelectStmt", "SortBy", "String", "SubLink", "TypeCast", "UpdateStmt"),
}
PLAIN_DDL = PLAIN_NODES | {
    *("AlterTableCmd", "AlterTableStmt", "ColumnDef", "CommentStmt", "Constraint", "CreateFunctionStmt"),
    *(
        "Boolean",
        "DoStmt",
        "FunctionParameter",
        "ObjectWithArgs",
        "RenameStmt",
        "TypeName",
        *("TableLikeClause", "VariableSetStmt"),
    ),
    *("CreateStmt", "CreateTrigStmt", "DefElem", "DropStmt", "Float", "IndexStmt"),
    *("PartitionBoundSpec", "PartitionCmd", "PartitionElem", "PartitionSpec"),
}
PLAIN_FUNCTIONS = {
    *("count", "current_setting", "encode", "get_byte", "length", "max", "min", "now", "substring", "sum"),
    *("right", "to_date", "unnest"),
}
BY_FUNCTION = {
    "set_config": of.DURABLE,
    "pg_logical_emit_message": of.BARRIER,
    "pg_current_snapshot": of.SNAPSHOT,
    "pg_snapshot_xmax": of.SNAPSHOT,
    "pg_snapshot_xmin": of.SNAPSHOT,
    "pg_current_xact_id": of.PLACE,
    "pg_notify": of.NOTIFY,
    "row_number": of.WINDOW,
    "pg_advisory_xact_lock": of.ADVISORY,
    "add_month": of.PARTITIONS,
    "drop_month": of.PARTITIONS,
    "to_regclass": of.PARTITIONS,
}
BY_NODE = {
    "CreateTrigStmt": of.TRIGGER,
    "PartitionSpec": of.PARTITIONS,
    "PartitionCmd": of.PARTITIONS,
    "PartitionBoundSpec": of.PARTITIONS,
    "SubLink": of.SUBQUERY,
}
PLAIN_FIELDS = {
    "FuncCall": {"agg_star", "args", "funcformat", "funcname", "location"},
    "SelectStmt": {
        *("all", "distinctClause", "fromClause", "groupClause", "larg", "limitCount", "limitOption"),
        *("lockingClause", "op", "rarg", "sortClause", "targetList", "whereClause", "withClause"),
        *("valuesLists", "groupDistinct"),
    },
}
"""The clauses that every engine has, of what has clauses without a node of their own."""
_WRITES = {"InsertStmt", "UpdateStmt", "DeleteStmt"}


class Read(NamedTuple):
    """What was read of one statement or script."""

    features: frozenset[Feature]
    unknown: frozenset[str]
    """Constructs and functions that nobody has judged yet."""
    keys: frozenset[str]
    """Columns that are compared for equality, or are given values in an INSERT."""


def read(sql: str, plain: set[str] | None = None) -> Read:
    """Read SQL; `plain` are the constructs that every engine has, those of statements unless told.

    Raises pgparse.PGQueryError for what PostgreSQL would not parse.
    """
    nodes = [*_nodes(pgparse.parse(sql))]
    functions = {_name(node) for kind, node in nodes if kind == "FuncCall"}
    found = {feature for kind, node in nodes for feature in _features(kind, node)}
    found |= {BY_FUNCTION[name] for name in functions if name in BY_FUNCTION}
    written = Counter(node["relation"]["relname"] for kind, node in nodes if kind in _WRITES)
    if any(kind == "CommonTableExpr" for kind, _ in nodes) and any(count > 1 for count in written.values()):
        found.add(of.WRITTEN_TWICE)
    unknown = {kind for kind, _ in nodes} - (plain or PLAIN_NODES)
    unknown |= {field for kind, node in nodes for field in _odd_fields(kind, node)}
    unknown |= functions - PLAIN_FUNCTIONS - set(BY_FUNCTION)
    return Read(frozenset(found), frozenset(unknown), frozenset(_keys(nodes)))


def _nodes(tree: object) -> Iterator[tuple[str, Node]]:
    """Give every node with its kind; the parser writes kinds with a capital and fields without."""
    if isinstance(tree, dict):
        for name, part in tree.items():
            if name[0].isupper() and isinstance(part, dict):
                yield name, part
            yield from _nodes(part)
    elif isinstance(tree, list):
        for part in tree:
            yield from _nodes(part)


def _features(kind: str, node: Node) -> Iterator[Feature]:
    if kind in BY_NODE:
        yield BY_NODE[kind]
    for of_kind, feature, is_used in _USES:
        if kind == of_kind and is_used(node):
            yield feature


def _odd_fields(kind: str, node: Node) -> Iterator[str]:
    """Give the clauses of a statement or call that have no node of their own, such as OVER."""
    yield from (
        f"{kind}.{name}"
        for name in node
        if kind in PLAIN_FIELDS
        and name not in PLAIN_FIELDS[kind]
        and not (name == "over" and _name(node) == "row_number")
    )


def _keys(nodes: list[tuple[str, Node]]) -> Iterator[str]:
    for kind, node in nodes:
        if kind == "A_Expr" and node["name"][0]["String"]["sval"] == "=":
            yield from (
                _column(side)
                for of_kind, side in _nodes([node.get("lexpr"), node.get("rexpr")])
                if of_kind == "ColumnRef"
            )
        if kind == "InsertStmt":
            yield from (column["ResTarget"]["name"] for column in node["cols"])


def _name(node: Node) -> str:
    return str(node["funcname"][-1]["String"]["sval"])


def _column(node: Node) -> str:
    return str(node["fields"][-1].get("String", {}).get("sval", ""))


_USES: tuple[tuple[str, Feature, Callable[[Node], bool]], ...] = (
    ("CommonTableExpr", of.WRITES_IN_WITH, lambda node: bool(_WRITES & set(node["ctequery"]))),
    *(
        (kind, of.RECURSIVE, lambda node: bool(node.get("withClause", {}).get("recursive")))
        for kind in ("SelectStmt", *_WRITES)
    ),
    ("RangeSubselect", of.LATERAL, lambda node: "lateral" in node),
    ("LockingClause", of.LOCKS, lambda _: True),
    ("InsertStmt", of.ON_CONFLICT, lambda node: "onConflictClause" in node),
    ("UpdateStmt", of.JOINED_WRITE, lambda node: "fromClause" in node),
    ("DeleteStmt", of.JOINED_WRITE, lambda node: "usingClause" in node),
    ("FuncCall", of.UNNEST, lambda node: _name(node) == "unnest" and len(node["args"]) > 1),
    ("ColumnRef", of.PLACE, lambda node: _column(node) == "written_in"),
    ("ColumnDef", of.PLACE, lambda node: _column({"fields": node["typeName"]["names"]}) == "xid8"),
    ("Constraint", of.IDENTITY, lambda node: node["contype"] == "CONSTR_IDENTITY"),
    ("AlterTableCmd", of.STORAGE, lambda node: node["subtype"] in {"AT_SetStorage", "AT_SetRelOptions"}),
)
