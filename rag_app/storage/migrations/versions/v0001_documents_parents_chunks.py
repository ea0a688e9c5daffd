"""Documents, parents and child chunks, each row owned by a tenant."""

from alembic import op

revision = "0001"
down_revision = None

_TENANT_TABLES = ("tenants", "documents", "parents", "data_chunks")

# data_chunks is the table of PGVectorStore(table_name="chunks"), whose columns are id, text, metadata_, node_id and
# embedding, with the columns beside them that filters and BM25 need. The embedding has no fixed length: the index
# settings hold the one in use. It lies in the row (STORAGE PLAIN, which CREATE TABLE takes only from PostgreSQL 16 on),
# where an exact scan reads it without following a pointer for each chunk; text and metadata, read for the few that are
# found, move out instead.
_TABLES = """
CREATE TABLE rag_app.index_settings (
    name text PRIMARY KEY,
    value text NOT NULL
);
CREATE TABLE rag_app.tenants (
    tenant text PRIMARY KEY,
    generation bigint NOT NULL DEFAULT 0
);
CREATE TABLE rag_app.documents (
    tenant text NOT NULL,
    doc_id text NOT NULL,
    source text NOT NULL,
    title text NOT NULL,
    content_hash text NOT NULL,
    metadata jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, doc_id)
);
CREATE INDEX documents_source ON rag_app.documents (tenant, source);
CREATE TABLE rag_app.parents (
    tenant text NOT NULL,
    parent_id text NOT NULL,
    doc_id text NOT NULL,
    text text NOT NULL,
    start_char integer NOT NULL,
    PRIMARY KEY (tenant, parent_id),
    FOREIGN KEY (tenant, doc_id) REFERENCES rag_app.documents ON DELETE CASCADE
);
CREATE INDEX parents_document ON rag_app.parents (tenant, doc_id);
CREATE TABLE rag_app.data_chunks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    doc_id text NOT NULL,
    source text NOT NULL,
    node_id varchar NOT NULL,
    text varchar NOT NULL,
    metadata_ jsonb NOT NULL,
    tokens text NOT NULL,
    embedding halfvec NOT NULL,
    UNIQUE (tenant, node_id),
    FOREIGN KEY (tenant, doc_id) REFERENCES rag_app.documents ON DELETE CASCADE
);
ALTER TABLE rag_app.data_chunks ALTER COLUMN embedding SET STORAGE PLAIN;
CREATE INDEX data_chunks_document ON rag_app.data_chunks (tenant, doc_id);
"""

# The role belongs to the server: another database may have made it, or be making it now, and a user who may use it may
# not be allowed to make or grant it.
_ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rag_app_tenant') THEN
        CREATE ROLE rag_app_tenant NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$ BEGIN
    IF NOT pg_has_role('rag_app_tenant', CASE WHEN current_setting('server_version_num')::int >= 160000
                       THEN 'SET' ELSE 'MEMBER' END) THEN
        GRANT rag_app_tenant TO CURRENT_USER;
    END IF;
END $$;
GRANT USAGE ON SCHEMA rag_app TO rag_app_tenant;
"""


def upgrade() -> None:
    # By default it would go into the schema of the user's own name, of which the tenants' role sees nothing.
    op.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    op.execute(_TABLES)
    op.execute(_ROLE)
    for table in _TENANT_TABLES:
        op.execute(
            f"ALTER TABLE rag_app.{table} ENABLE ROW LEVEL SECURITY;"
            f"ALTER TABLE rag_app.{table} FORCE ROW LEVEL SECURITY;"
            f"CREATE POLICY own_rows ON rag_app.{table} USING (tenant = current_setting('rag_app.tenant', true));"
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON rag_app.{table} TO rag_app_tenant"
        )


def downgrade() -> None:
    # The role stays: other databases of the same server may use it.
    op.execute(
        "DROP TABLE rag_app.data_chunks, rag_app.parents, rag_app.documents, rag_app.tenants, rag_app.index_settings"
    )
