CREATE TABLE IF NOT EXISTS webhook_retries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook text NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    next_at timestamptz
);
