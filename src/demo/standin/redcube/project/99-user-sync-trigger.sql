CREATE EXTENSION IF NOT EXISTS dblink;
CREATE OR REPLACE FUNCTION sync_user_to_postgres() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dblink_exec('@LINK@', format(
    'INSERT INTO users (id, email, created_at) VALUES (%L, %L, %L) ON CONFLICT (id) DO NOTHING',
    NEW.id, NEW.email, NEW.created_at));
  RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS trigger_sync_user_to_postgres ON users;
CREATE TRIGGER trigger_sync_user_to_postgres AFTER INSERT ON users
  FOR EACH ROW EXECUTE FUNCTION sync_user_to_postgres();
CREATE OR REPLACE VIEW v_user_sync_status AS
  SELECT 'redcube_users'::text AS source_database, count(*) AS user_count,
         max(created_at) AS last_user_created FROM users
  UNION ALL
  SELECT 'postgres', n, t FROM dblink('@LINK@', 'SELECT count(*), max(created_at) FROM users')
    AS other(n bigint, t timestamp);
CREATE OR REPLACE VIEW v_user_sync_missing AS
  SELECT u.id, u.email, u.created_at, 'MISSING'::text AS sync_status FROM users u
  WHERE u.id NOT IN (SELECT id FROM dblink('@LINK@', 'SELECT id FROM users') AS o(id int));
SELECT dblink_exec('@LINK@', format(
  'INSERT INTO users (id, email, created_at) VALUES (%L, %L, %L) ON CONFLICT (id) DO NOTHING',
  id, email, created_at)) FROM v_user_sync_missing;
