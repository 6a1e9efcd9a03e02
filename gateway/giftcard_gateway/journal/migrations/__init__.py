"""The schema of every journal, step by step; `journal.schema` runs the steps."""
