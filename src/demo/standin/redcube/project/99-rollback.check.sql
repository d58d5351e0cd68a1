SELECT NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'trigger_sync_user_to_postgres')
   AND NOT EXISTS (SELECT FROM pg_proc WHERE proname = 'sync_user_to_postgres');
