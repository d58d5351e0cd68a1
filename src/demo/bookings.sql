CREATE TABLE payment_capture_rules (
    id int PRIMARY KEY,
    name text NOT NULL,
    hours_before int NOT NULL
);
ALTER TABLE payment_capture_rules ENABLE ROW LEVEL SECURITY;
INSERT INTO payment_capture_rules VALUES (1, 'the day before', 24);
CREATE TABLE bookings (
    id int PRIMARY KEY,
    car_id int NOT NULL,
    overall_status text NOT NULL,
    payment_status text NOT NULL DEFAULT 'authorized',
    start_date date NOT NULL DEFAULT current_date + 30,
    end_date date NOT NULL DEFAULT current_date + 34,
    total_price numeric NOT NULL DEFAULT 349,
    payment_capture_rule_id int REFERENCES payment_capture_rules DEFAULT 1,
    payment_capture_scheduled_at timestamptz,
    payment_capture_attempted_at timestamptz,
    payment_captured_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);
-- Those that fall due one after the other from now on. Row 1 is the one that is fought over.
INSERT INTO bookings (id, car_id, overall_status, payment_capture_scheduled_at)
SELECT n, n % 40, CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'confirmed' END,
       now() + CASE WHEN n = 1 THEN interval '30 days' ELSE n * interval '20 seconds' END
FROM generate_series(1, 1000) n;
-- Those of the last day, captured when they were due.
INSERT INTO bookings (id, car_id, overall_status, payment_status, payment_capture_scheduled_at,
                      payment_capture_attempted_at, payment_captured_at)
SELECT 1000 + n, n % 40, 'confirmed', 'captured', at, at, at
FROM generate_series(1, 70) n, LATERAL (SELECT now() - n * interval '15 minutes' AS at) was;
CREATE INDEX idx_bookings_capture ON bookings (payment_capture_scheduled_at)
    WHERE payment_captured_at IS NULL;
CREATE INDEX idx_bookings_status ON bookings (overall_status, payment_status);
CREATE INDEX idx_bookings_car_status_dates
    ON bookings (car_id, overall_status, start_date, end_date);
CREATE TABLE booking_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    booking_id int NOT NULL,
    event_type text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO booking_events (booking_id, event_type, created_at)
SELECT id, 'payment_captured', payment_captured_at FROM bookings
WHERE payment_captured_at IS NOT NULL;
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
        UPDATE bookings SET payment_capture_attempted_at = now(), payment_captured_at = now(),
               payment_status = ''captured''
        WHERE id > 1 AND overall_status = ''confirmed'' AND payment_captured_at IS NULL
          AND payment_capture_scheduled_at <= now()
        RETURNING id
    ), told AS (
        INSERT INTO booking_events (booking_id, event_type)
        SELECT id, ''payment_captured'' FROM due RETURNING 1
    )
    SELECT count(*) FROM told';
CREATE FUNCTION schedule_payment_capture() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.payment_capture_scheduled_at = coalesce(
        NEW.payment_capture_scheduled_at, NEW.start_date - interval '1 day');
    RETURN NEW;
END $$;
CREATE TRIGGER booking_creation_payment_capture BEFORE INSERT ON bookings
    FOR EACH ROW EXECUTE FUNCTION schedule_payment_capture();
CREATE TRIGGER booking_confirmation_payment_capture BEFORE UPDATE OF overall_status ON bookings
    FOR EACH ROW EXECUTE FUNCTION schedule_payment_capture();
CREATE SCHEMA staging;
CREATE TABLE staging.bookings (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    car_id int NOT NULL,
    start_date date NOT NULL,
    end_date date NOT NULL
);
ANALYZE bookings;
