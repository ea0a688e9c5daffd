"""What changed since a generation, chunks by source, and who may list the tenants."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # Row-level security binds the owner too, who is to see every tenant's rows here.
    op.execute("""
        ALTER TABLE rag_app.tenants NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE rag_app.documents NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE rag_app.data_chunks NO FORCE ROW LEVEL SECURITY;

        ALTER TABLE rag_app.tenants ADD COLUMN settled bigint NOT NULL DEFAULT 0;
        UPDATE rag_app.tenants SET settled = generation;
        ALTER TABLE rag_app.documents
            ADD COLUMN chunks integer NOT NULL DEFAULT 0,
            ADD COLUMN generation bigint NOT NULL DEFAULT 0;
        UPDATE rag_app.documents AS document SET
            chunks = (SELECT count(*) FROM rag_app.data_chunks AS chunk
                      WHERE (chunk.tenant, chunk.doc_id) = (document.tenant, document.doc_id)),
            generation = (SELECT generation FROM rag_app.tenants AS known WHERE known.tenant = document.tenant);
        ALTER TABLE rag_app.documents ALTER COLUMN chunks DROP DEFAULT, ALTER COLUMN generation DROP DEFAULT;

        ALTER TABLE rag_app.tenants FORCE ROW LEVEL SECURITY;
        ALTER TABLE rag_app.documents FORCE ROW LEVEL SECURITY;
        ALTER TABLE rag_app.data_chunks FORCE ROW LEVEL SECURITY;

        DROP INDEX rag_app.documents_source;
        CREATE INDEX documents_source ON rag_app.documents (tenant, source) INCLUDE (chunks);
        CREATE INDEX documents_generation ON rag_app.documents (tenant, generation);
        CREATE INDEX data_chunks_source ON rag_app.data_chunks (tenant, source);
    """)
    # Deletions younger than the tenant's `settled` generation: whoever knows an older state reads all anew. And what is
    # known of the tenants' own indexes; one without `ef_search` is not to be used.
    op.execute("""
        CREATE TABLE rag_app.deletions (
            tenant text NOT NULL,
            generation bigint NOT NULL,
            doc_id text NOT NULL,
            PRIMARY KEY (tenant, generation, doc_id)
        );
        CREATE TABLE rag_app.dense_indexes (
            tenant text PRIMARY KEY,
            chunks bigint NOT NULL,
            ef_search integer,
            recall real NOT NULL,
            measured_at timestamptz NOT NULL DEFAULT now()
        );
    """)
    for table in ("deletions", "dense_indexes"):
        op.execute(
            f"ALTER TABLE rag_app.{table} ENABLE ROW LEVEL SECURITY;"
            f"ALTER TABLE rag_app.{table} FORCE ROW LEVEL SECURITY;"
            f"CREATE POLICY own_rows ON rag_app.{table} USING (tenant = current_setting('rag_app.tenant', true));"
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON rag_app.{table} TO rag_app_tenant"
        )
    # Reindexing asks which tenants there are; requests run as the tenants' role and still see their own row alone.
    op.execute("CREATE POLICY listed_to_owner ON rag_app.tenants FOR SELECT TO CURRENT_USER USING (true)")
    # Documents are staged in temporary tables; where PUBLIC may not make any and we may grant it, the role may.
    op.execute("""
        DO $$ BEGIN
            IF NOT has_database_privilege('rag_app_tenant', current_database(), 'TEMPORARY') THEN
                EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO rag_app_tenant', current_database());
            END IF;
        END $$;
    """)


def downgrade() -> None:
    # Indexes by tenant belong to this version; an older one would keep them up and never use them.
    op.execute("""
        DO $$ DECLARE known record; BEGIN
            FOR known IN SELECT indexrelid::regclass AS index FROM pg_index
                WHERE indrelid = 'rag_app.data_chunks'::regclass AND indpred IS NOT NULL
            LOOP EXECUTE format('DROP INDEX %s', known.index); END LOOP;
        END $$;
        DROP POLICY listed_to_owner ON rag_app.tenants;
        DROP TABLE rag_app.deletions, rag_app.dense_indexes;
        DROP INDEX rag_app.data_chunks_source, rag_app.documents_generation, rag_app.documents_source;
        ALTER TABLE rag_app.documents DROP COLUMN chunks, DROP COLUMN generation;
        ALTER TABLE rag_app.tenants DROP COLUMN settled;
        CREATE INDEX documents_source ON rag_app.documents (tenant, source);
    """)
