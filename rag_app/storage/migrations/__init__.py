"""Alembic's scripts: the schema, version by version."""
