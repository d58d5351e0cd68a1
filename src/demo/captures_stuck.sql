-- A story has no half hour to wait: it is as if nothing had been captured for so long. Whoever
-- would have been captured since then is due, and so are the five that come next.
WITH back AS (
    UPDATE bookings
    SET payment_capture_attempted_at = payment_capture_attempted_at - interval '45 minutes',
        payment_captured_at = payment_captured_at - interval '45 minutes'
    WHERE payment_captured_at IS NOT NULL
    RETURNING id
)
UPDATE bookings SET payment_capture_scheduled_at = now() - interval '40 minutes'
WHERE id IN (
    SELECT id FROM bookings
    WHERE id > 1 AND overall_status = 'confirmed' AND payment_captured_at IS NULL
    ORDER BY id LIMIT 5
);
