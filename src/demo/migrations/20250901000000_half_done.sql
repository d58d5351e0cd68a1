CREATE TABLE half_done (id int);
INSERT INTO half_done SELECT 1 / 0;
