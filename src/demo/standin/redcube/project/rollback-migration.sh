#!/bin/bash
# Hands its SQL to a program that reads no input.
MIGRATION=$1
echo "Rolling back migration $MIGRATION..."
docker exec redcube_postgres psql -U postgres -d redcube_users <<SQL
DROP TRIGGER IF EXISTS trigger_sync_user_to_postgres ON users;
DROP FUNCTION IF EXISTS sync_user_to_postgres();
SQL
echo "✅ Migration Rollback Complete"
