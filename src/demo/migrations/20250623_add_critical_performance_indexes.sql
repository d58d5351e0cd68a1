CREATE INDEX IF NOT EXISTS idx_bookings_status ON bookings (overall_status, payment_status);
CREATE INDEX IF NOT EXISTS idx_bookings_car_status_dates
    ON bookings (car_id, overall_status, start_date, end_date);
