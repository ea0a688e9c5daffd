"""Flags with their history, and comparisons of the two pipelines; they belong to no tenant."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE rag_app.flags (
            name text PRIMARY KEY,
            value jsonb NOT NULL,
            expires_at timestamptz,
            changed_by text NOT NULL,
            changed_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE TABLE rag_app.flag_changes (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            name text NOT NULL,
            action text NOT NULL CHECK (action IN ('set', 'unset')),
            old jsonb,
            new jsonb,
            expires_at timestamptz,
            changed_by text NOT NULL,
            changed_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE INDEX flag_changes_name ON rag_app.flag_changes (name, id);
        CREATE TABLE rag_app.shadow_comparisons (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            at timestamptz NOT NULL DEFAULT now(),
            overlap real NOT NULL,
            same_first boolean NOT NULL,
            old_ms real NOT NULL,
            new_ms real NOT NULL,
            old_chunks integer NOT NULL,
            new_chunks integer NOT NULL,
            old_degraded boolean NOT NULL,
            new_degraded boolean NOT NULL
        );
        CREATE INDEX shadow_comparisons_at ON rag_app.shadow_comparisons (at);
    """)


def downgrade() -> None:
    op.execute("DROP TABLE rag_app.shadow_comparisons, rag_app.flag_changes, rag_app.flags")
