-- Attendance as schools know it. Twin of migrations/sqlite/0008_attendance.
--
-- `status_styles` is how the school writes, counts and colours the five meanings: all five rows, or none, and then the settings say
-- it. Points are hundredths; none: the status does not count.

CREATE TABLE status_styles (
    status            TEXT PRIMARY KEY CHECK (status IN ('present', 'absent', 'late', 'excused', 'unmarked')),
    label             TEXT NOT NULL CHECK (label <> ''),
    short             TEXT NOT NULL CHECK (length(short) BETWEEN 1 AND 3),
    points_hundredths INTEGER CHECK (points_hundredths BETWEEN 0 AND 100),
    colour            TEXT NOT NULL CHECK (length(colour) = 7),
    CHECK (status <> 'present' OR points_hundredths IS NOT NULL),
    CHECK (status <> 'unmarked' OR points_hundredths IS NULL)
);
CREATE UNIQUE INDEX status_styles_short ON status_styles (short);
