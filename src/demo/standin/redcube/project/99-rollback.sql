DROP VIEW IF EXISTS v_user_sync_missing;
DROP VIEW IF EXISTS v_user_sync_status;
DROP TRIGGER IF EXISTS trigger_sync_user_to_postgres ON users;
DROP FUNCTION IF EXISTS sync_user_to_postgres();
