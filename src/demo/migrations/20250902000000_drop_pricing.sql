DROP FUNCTION IF EXISTS calculate_booking_price(int, numeric);
