"""Keys of the HTTP API; they say who a tenant is, so no tenant may read them."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # Nothing is granted to the tenants' role: a request looks its key up before it acts as the key's tenant.
    op.execute("""
        CREATE TABLE rag_app.api_keys (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            tenant text NOT NULL,
            name text NOT NULL,
            sha256 bytea NOT NULL UNIQUE,
            created_at timestamptz NOT NULL DEFAULT now(),
            revoked_at timestamptz,
            last_used_at timestamptz
        );
        CREATE INDEX api_keys_tenant ON rag_app.api_keys (tenant, id);
    """)


def downgrade() -> None:
    op.execute("DROP TABLE rag_app.api_keys")
