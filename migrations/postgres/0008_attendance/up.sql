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

-- `leaves` excuse a student beforehand. A document lies in the store under `document_key`; what is known of it is there with it.
CREATE TABLE leaves (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    student_id      BIGINT NOT NULL REFERENCES students (id) ON DELETE RESTRICT,
    first_day       DATE NOT NULL,
    last_day        DATE NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('leave', 'sick', 'duty')),
    remark          TEXT,
    document_key    TEXT COLLATE "C",
    document_name   TEXT,
    document_sha256 TEXT CHECK (length(document_sha256) = 64),
    document_bytes  BIGINT CHECK (document_bytes >= 0),
    created_by      TEXT NOT NULL,
    created_at      TIMESTAMP NOT NULL,
    CHECK (last_day >= first_day),
    CHECK ((document_key IS NULL) = (document_name IS NULL)),
    CHECK ((document_key IS NULL) = (document_sha256 IS NULL)),
    CHECK ((document_key IS NULL) = (document_bytes IS NULL))
);
CREATE INDEX leaves_student ON leaves (student_id, first_day);
CREATE INDEX leaves_days ON leaves (first_day, last_day);
CREATE INDEX leaves_object ON leaves (document_key);

-- Days without lessons: of one class, or, without one, of the whole school.
CREATE TABLE holidays (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    class_id  BIGINT REFERENCES classes (id) ON DELETE CASCADE,
    first_day DATE NOT NULL,
    last_day  DATE NOT NULL,
    name      TEXT NOT NULL CHECK (name <> ''),
    CHECK (last_day >= first_day)
);
CREATE INDEX holidays_class ON holidays (class_id);
CREATE INDEX holidays_days ON holidays (first_day, last_day);

-- A lesson that comes every week. `weekday` is 1 on Monday, `starts_min` the minute of the day on the school's clocks. That no two
-- slots of a class are at one time is checked where they are written, all at once.
CREATE TABLE timetable_slots (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    class_id   BIGINT NOT NULL REFERENCES classes (id) ON DELETE CASCADE,
    subject_id BIGINT REFERENCES subjects (id) ON DELETE RESTRICT,
    weekday    INTEGER NOT NULL CHECK (weekday BETWEEN 1 AND 7),
    starts_min INTEGER NOT NULL CHECK (starts_min BETWEEN 0 AND 1439),
    minutes    INTEGER NOT NULL CHECK (minutes BETWEEN 1 AND 1440),
    valid_from DATE NOT NULL,
    valid_to   DATE,
    CHECK (valid_to >= valid_from)
);
CREATE INDEX timetable_slots_class ON timetable_slots (class_id, weekday);
CREATE INDEX timetable_slots_subject ON timetable_slots (subject_id);

-- The user who has signed a session, while it is signed and there is the user; the name at that time stands beside it. `remark` is
-- what whoever took the register wants to be known.
ALTER TABLE attendance_sessions ADD COLUMN confirmed_by_id BIGINT REFERENCES users (id) ON DELETE SET NULL;
ALTER TABLE attendance_sessions ADD COLUMN remark TEXT;
CREATE INDEX attendance_sessions_confirmed_by ON attendance_sessions (confirmed_by_id);
