"""What Alembic runs to render the steps as SQL. It never opens a database: `journal.schema` does."""

from __future__ import annotations

from alembic import context

context.configure(dialect_name=context.config.attributes["dialect"], transactional_ddl=False)
context.run_migrations()
