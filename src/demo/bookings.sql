CREATE TABLE bookings (
    id int PRIMARY KEY,
    car int NOT NULL,
    status text NOT NULL,
    total_price numeric NOT NULL DEFAULT 349,
    payment_capture_scheduled_at timestamptz,
    payment_capture_attempted_at timestamptz,
    payment_captured_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO bookings (id, car, status, payment_capture_scheduled_at)
SELECT n, n % 40, CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'confirmed' END,
       now() + n * interval '20 seconds'
FROM generate_series(1, 1000) n;
CREATE INDEX idx_bookings_capture ON bookings (payment_capture_scheduled_at)
    WHERE payment_captured_at IS NULL;
CREATE TABLE booking_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    booking int NOT NULL,
    kind text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE SCHEMA supabase_migrations;
CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY, name text);
INSERT INTO supabase_migrations.schema_migrations VALUES
    ('20250623000001', 'add_critical_performance_indexes'),
    ('20250623000002', 'add_webhook_retries'),
    ('20250624000000', 'fix_booking_race_condition');
CREATE FUNCTION calculate_booking_price(days int, per_day numeric) RETURNS numeric
    LANGUAGE sql SECURITY DEFINER SET search_path = public AS 'SELECT days * per_day';
CREATE FUNCTION validate_booking_price(booking int, price numeric) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public
    AS 'SELECT total_price = price FROM bookings WHERE id = booking';
CREATE FUNCTION process_scheduled_payment_captures() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = public AS '
    WITH due AS (
        UPDATE bookings SET payment_capture_attempted_at = now(), payment_captured_at = now()
        WHERE id > 1 AND status = ''confirmed'' AND payment_captured_at IS NULL
          AND payment_capture_scheduled_at <= now()
        RETURNING id
    ), told AS (
        INSERT INTO booking_events (booking, kind) SELECT id, ''payment_captured'' FROM due
        RETURNING 1
    )
    SELECT count(*) FROM told';
ANALYZE bookings;
