"""Parts of statements: what makes a commit durable, and how records of the audit are added."""

from __future__ import annotations

# A commit is durable whatever the role, the database or a pooler between us has been set to: the setting
# travels in the statement itself. remote_apply is left alone because it promises more.
DURABLY = (
    "durable AS MATERIALIZED (SELECT set_config('synchronous_commit',"
    " CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END,"
    " true) AS synchronous_commit)"
)

AUDIT_COLUMNS = "chain, number, at_us, key_id, document, mac"


def append(first: int) -> str:
    """Return the insert of records of the audit, whose columns are the parameters from `first` on."""
    kinds = ("text", "bigint", "bigint", "text", "bytea", "bytea")
    given = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(kinds, first))
    # One that is there was written by an earlier try whose answer was lost.
    return (
        f"INSERT INTO audit ({AUDIT_COLUMNS}) SELECT given.* FROM durable CROSS JOIN unnest({given})"
        f" AS given ({AUDIT_COLUMNS}) ON CONFLICT (chain, number) DO NOTHING"
    )
