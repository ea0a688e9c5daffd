"""The parent of each chunk in a column of its own, where BM25 reads it without the metadata."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Row-level security binds the owner too, who is to see every tenant's rows here.
    op.execute("""
        ALTER TABLE rag_app.data_chunks NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE rag_app.data_chunks ADD COLUMN parent_id text;
        UPDATE rag_app.data_chunks SET parent_id = coalesce(
            CAST(metadata_ ->> '_node_content' AS jsonb) #>> '{relationships,4,node_id}', node_id);
        ALTER TABLE rag_app.data_chunks ALTER COLUMN parent_id SET NOT NULL;
        ALTER TABLE rag_app.data_chunks FORCE ROW LEVEL SECURITY;
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE rag_app.data_chunks DROP COLUMN parent_id")
