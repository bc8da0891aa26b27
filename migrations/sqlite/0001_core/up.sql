-- Classes, people, sessions, photos, faces and records. Twin of migrations/postgres/0001_core: same tables, columns,
-- checks and index names; only types and identity columns are spelled differently.
--
-- AUTOINCREMENT: an id is never used twice, because object keys are made of ids. Times are UTC text, dates ISO text.
-- `*_key` columns hold what is compared (trimmed, lower case), the column beside it what was written.

CREATE TABLE classes (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL CHECK (name <> ''),
    section     TEXT NOT NULL,
    term        TEXT NOT NULL,
    name_key    TEXT NOT NULL,
    section_key TEXT NOT NULL,
    term_key    TEXT NOT NULL,
    created_at  TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX classes_key ON classes (term_key, name_key, section_key);

CREATE TABLE students (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    prn        TEXT NOT NULL CHECK (prn <> ''),
    name       TEXT NOT NULL,
    email      TEXT,
    consent    TEXT NOT NULL CHECK (consent IN ('unknown', 'given', 'withdrawn')),
    consent_at TEXT,
    active     INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX students_prn ON students (prn);

-- A student who leaves and comes back has one row per stay. Both dates are days in the class; null is open-ended.
CREATE TABLE class_members (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    class_id   INTEGER NOT NULL REFERENCES classes (id) ON DELETE RESTRICT,
    student_id INTEGER NOT NULL REFERENCES students (id) ON DELETE RESTRICT,
    roll_no    TEXT NOT NULL CHECK (roll_no <> ''),
    valid_from TEXT,
    valid_to   TEXT,
    CHECK (valid_from <= valid_to)
) STRICT;
CREATE UNIQUE INDEX class_members_roll_no ON class_members (class_id, roll_no) WHERE valid_to IS NULL;
CREATE UNIQUE INDEX class_members_current ON class_members (class_id, student_id) WHERE valid_to IS NULL;
CREATE UNIQUE INDEX class_members_stay ON class_members (class_id, student_id, coalesce(valid_from, '0001-01-01'));
CREATE INDEX class_members_student ON class_members (student_id);

CREATE TABLE subjects (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT NOT NULL CHECK (name <> ''),
    name_key TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX subjects_key ON subjects (name_key);

CREATE TABLE face_samples (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    student_id   INTEGER NOT NULL REFERENCES students (id) ON DELETE CASCADE,
    pack_id      TEXT NOT NULL,
    pack_version TEXT NOT NULL,
    sha256       TEXT NOT NULL CHECK (length(sha256) = 64),
    object_key   TEXT NOT NULL,
    embedding    BLOB NOT NULL,
    dims         INTEGER NOT NULL CHECK (dims > 0),
    quality      TEXT NOT NULL CHECK (json_valid(quality)),
    weight       REAL NOT NULL CHECK (weight > 0),
    created_at   TEXT NOT NULL,
    CHECK (octet_length(embedding) = 4 * dims)
) STRICT;
CREATE UNIQUE INDEX face_samples_image ON face_samples (student_id, pack_id, pack_version, sha256);

CREATE TABLE attendance_sessions (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    class_id            INTEGER NOT NULL REFERENCES classes (id) ON DELETE RESTRICT,
    subject_id          INTEGER REFERENCES subjects (id) ON DELETE SET NULL,
    name                TEXT,
    name_key            TEXT NOT NULL,
    starts_at           TEXT NOT NULL,
    state               TEXT NOT NULL CHECK (state IN ('open', 'review', 'confirmed')),
    flags               TEXT NOT NULL CHECK (json_valid(flags)),
    gallery_fingerprint TEXT,
    strangers           INTEGER NOT NULL CHECK (strangers >= 0),
    created_at          TEXT NOT NULL,
    updated_at          TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX attendance_sessions_key ON attendance_sessions (class_id, starts_at, name_key);
CREATE INDEX attendance_sessions_subject ON attendance_sessions (subject_id);

CREATE TABLE session_photos (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id       INTEGER NOT NULL REFERENCES attendance_sessions (id) ON DELETE CASCADE,
    sha256           TEXT NOT NULL CHECK (length(sha256) = 64),
    object_key       TEXT NOT NULL,
    original_name    TEXT NOT NULL,
    bytes            INTEGER NOT NULL CHECK (bytes >= 0),
    state            TEXT NOT NULL CHECK (state IN ('queued', 'processing', 'done', 'failed')),
    error_code       TEXT,
    error_message    TEXT,
    width            INTEGER CHECK (width > 0),
    height           INTEGER CHECK (height > 0),
    captured_at      TEXT,
    smallest_face_px REAL CHECK (smallest_face_px > 0),
    faces_left_out   INTEGER NOT NULL CHECK (faces_left_out >= 0),
    warnings         TEXT NOT NULL CHECK (json_valid(warnings)),
    timings          TEXT NOT NULL CHECK (json_valid(timings)),
    pack_id          TEXT,
    pack_version     TEXT,
    provider         TEXT,
    policy           TEXT NOT NULL CHECK (json_valid(policy)),
    processed_at     TEXT,
    created_at       TEXT NOT NULL,
    CHECK ((state = 'failed') = (error_code IS NOT NULL)),
    CHECK (state <> 'done' OR (width IS NOT NULL AND height IS NOT NULL AND pack_id IS NOT NULL
        AND pack_version IS NOT NULL AND provider IS NOT NULL AND processed_at IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX session_photos_image ON session_photos (session_id, sha256);
CREATE INDEX session_photos_sha256 ON session_photos (sha256);

-- x, y, w, h: pixels of the upright photo, origin top left. A member who was recognised is not deleted.
CREATE TABLE faces (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    photo_id            INTEGER NOT NULL REFERENCES session_photos (id) ON DELETE CASCADE,
    ordinal             INTEGER NOT NULL CHECK (ordinal >= 0),
    x                   REAL NOT NULL,
    y                   REAL NOT NULL,
    w                   REAL NOT NULL CHECK (w > 0),
    h                   REAL NOT NULL CHECK (h > 0),
    landmarks           TEXT NOT NULL CHECK (json_valid(landmarks)),
    detection_score     REAL NOT NULL,
    quality             TEXT NOT NULL CHECK (json_valid(quality)),
    embedding           BLOB CHECK (octet_length(embedding) > 0 AND octet_length(embedding) % 4 = 0),
    verdict             TEXT CHECK (verdict IN ('match', 'doubt', 'stranger')),
    member_id           INTEGER REFERENCES class_members (id) ON DELETE RESTRICT,
    combined            REAL,
    cosine              REAL,
    confidence          REAL CHECK (confidence BETWEEN 0 AND 1),
    runner_up_member_id INTEGER REFERENCES class_members (id) ON DELETE SET NULL,
    runner_up_combined  REAL,
    reason              TEXT,
    person              INTEGER,
    CHECK (member_id IS NOT NULL OR verdict IS NULL OR verdict <> 'match'),
    CHECK (member_id IS NULL OR (verdict IS NOT NULL AND verdict <> 'stranger'))
) STRICT;
CREATE UNIQUE INDEX faces_ordinal ON faces (photo_id, ordinal);
CREATE UNIQUE INDEX faces_one_per_member ON faces (photo_id, member_id) WHERE verdict = 'match';
CREATE INDEX faces_member ON faces (member_id);
CREATE INDEX faces_runner_up ON faces (runner_up_member_id);

CREATE TABLE attendance_records (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER NOT NULL REFERENCES attendance_sessions (id) ON DELETE CASCADE,
    member_id  INTEGER NOT NULL REFERENCES class_members (id) ON DELETE RESTRICT,
    status     TEXT NOT NULL CHECK (status IN ('unmarked', 'present', 'absent', 'late', 'excused')),
    source     TEXT NOT NULL CHECK (source IN ('auto', 'manual', 'import')),
    confidence REAL CHECK (confidence BETWEEN 0 AND 1),
    face_id    INTEGER REFERENCES faces (id) ON DELETE SET NULL,
    note       TEXT,
    updated_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX attendance_records_key ON attendance_records (session_id, member_id);
CREATE INDEX attendance_records_member ON attendance_records (member_id);
CREATE INDEX attendance_records_face ON attendance_records (face_id);
