"""A request sees what the index is built with, so that vectors of two embeddings are never compared."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("GRANT SELECT ON rag_app.index_settings TO rag_app_tenant")


def downgrade() -> None:
    op.execute("""
        REVOKE SELECT ON rag_app.index_settings FROM rag_app_tenant;
        DROP TABLE IF EXISTS rag_app.next_chunks, rag_app.next_tenants;
        DELETE FROM rag_app.index_settings WHERE name LIKE 'next.%';
    """)
