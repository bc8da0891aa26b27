-- Classes, people, sessions, photos, faces and records. Twin of migrations/sqlite/0001_core: same tables, columns,
-- checks and index names; only types and identity columns are spelled differently.
--
-- IDENTITY: an id is never used twice, because object keys are made of ids. Times are UTC. COLLATE "C": compared and
-- sorted byte by byte, as SQLite does. `*_key` columns hold what is compared (trimmed, lower case), the column beside
-- it what was written.

CREATE TABLE classes (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        TEXT NOT NULL CHECK (name <> ''),
    section     TEXT NOT NULL,
    term        TEXT NOT NULL,
    name_key    TEXT COLLATE "C" NOT NULL,
    section_key TEXT COLLATE "C" NOT NULL,
    term_key    TEXT COLLATE "C" NOT NULL,
    created_at  TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX classes_key ON classes (term_key, name_key, section_key);

CREATE TABLE students (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    prn        TEXT NOT NULL CHECK (prn <> ''),
    name       TEXT NOT NULL,
    email      TEXT,
    consent    TEXT NOT NULL CHECK (consent IN ('unknown', 'given', 'withdrawn')),
    consent_at TIMESTAMP,
    active     BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX students_prn ON students (prn);

-- A student who leaves and comes back has one row per stay. Both dates are days in the class; null is open-ended.
CREATE TABLE class_members (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    class_id   BIGINT NOT NULL REFERENCES classes (id) ON DELETE RESTRICT,
    student_id BIGINT NOT NULL REFERENCES students (id) ON DELETE RESTRICT,
    roll_no    TEXT COLLATE "C" NOT NULL CHECK (roll_no <> ''),
    valid_from DATE,
    valid_to   DATE,
    CHECK (valid_from <= valid_to)
);
CREATE UNIQUE INDEX class_members_roll_no ON class_members (class_id, roll_no) WHERE valid_to IS NULL;
CREATE UNIQUE INDEX class_members_current ON class_members (class_id, student_id) WHERE valid_to IS NULL;
CREATE UNIQUE INDEX class_members_stay ON class_members (class_id, student_id, coalesce(valid_from, DATE '0001-01-01'));
CREATE INDEX class_members_student ON class_members (student_id);

CREATE TABLE subjects (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     TEXT NOT NULL CHECK (name <> ''),
    name_key TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX subjects_key ON subjects (name_key);

CREATE TABLE face_samples (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    student_id   BIGINT NOT NULL REFERENCES students (id) ON DELETE CASCADE,
    pack_id      TEXT NOT NULL,
    pack_version TEXT NOT NULL,
    sha256       TEXT NOT NULL CHECK (length(sha256) = 64),
    object_key   TEXT NOT NULL,
    embedding    BYTEA NOT NULL,
    dims         INTEGER NOT NULL CHECK (dims > 0),
    quality      TEXT NOT NULL CHECK (quality::json IS NOT NULL),
    weight       DOUBLE PRECISION NOT NULL CHECK (weight > 0),
    created_at   TIMESTAMP NOT NULL,
    CHECK (octet_length(embedding) = 4 * dims)
);
CREATE UNIQUE INDEX face_samples_image ON face_samples (student_id, pack_id, pack_version, sha256);

CREATE TABLE attendance_sessions (
    id                  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    class_id            BIGINT NOT NULL REFERENCES classes (id) ON DELETE RESTRICT,
    subject_id          BIGINT REFERENCES subjects (id) ON DELETE SET NULL,
    name                TEXT,
    name_key            TEXT COLLATE "C" NOT NULL,
    starts_at           TIMESTAMP NOT NULL,
    state               TEXT NOT NULL CHECK (state IN ('open', 'review', 'confirmed')),
    flags               TEXT NOT NULL CHECK (flags::json IS NOT NULL),
    gallery_fingerprint TEXT,
    strangers           INTEGER NOT NULL CHECK (strangers >= 0),
    created_at          TIMESTAMP NOT NULL,
    updated_at          TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX attendance_sessions_key ON attendance_sessions (class_id, starts_at, name_key);
CREATE INDEX attendance_sessions_subject ON attendance_sessions (subject_id);

CREATE TABLE session_photos (
    id               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id       BIGINT NOT NULL REFERENCES attendance_sessions (id) ON DELETE CASCADE,
    sha256           TEXT NOT NULL CHECK (length(sha256) = 64),
    object_key       TEXT NOT NULL,
    original_name    TEXT NOT NULL,
    bytes            BIGINT NOT NULL CHECK (bytes >= 0),
    state            TEXT NOT NULL CHECK (state IN ('queued', 'processing', 'done', 'failed')),
    error_code       TEXT,
    error_message    TEXT,
    width            INTEGER CHECK (width > 0),
    height           INTEGER CHECK (height > 0),
    captured_at      TIMESTAMP,
    smallest_face_px REAL CHECK (smallest_face_px > 0),
    faces_left_out   INTEGER NOT NULL CHECK (faces_left_out >= 0),
    warnings         TEXT NOT NULL CHECK (warnings::json IS NOT NULL),
    timings          TEXT NOT NULL CHECK (timings::json IS NOT NULL),
    pack_id          TEXT,
    pack_version     TEXT,
    provider         TEXT,
    policy           TEXT NOT NULL CHECK (policy::json IS NOT NULL),
    processed_at     TIMESTAMP,
    created_at       TIMESTAMP NOT NULL,
    CHECK ((state = 'failed') = (error_code IS NOT NULL)),
    CHECK (state <> 'done' OR (width IS NOT NULL AND height IS NOT NULL AND pack_id IS NOT NULL
        AND pack_version IS NOT NULL AND provider IS NOT NULL AND processed_at IS NOT NULL))
);
CREATE UNIQUE INDEX session_photos_image ON session_photos (session_id, sha256);
CREATE INDEX session_photos_sha256 ON session_photos (sha256);

-- x, y, w, h: pixels of the upright photo, origin top left. A member who was recognised is not deleted.
CREATE TABLE faces (
    id                  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    photo_id            BIGINT NOT NULL REFERENCES session_photos (id) ON DELETE CASCADE,
    ordinal             INTEGER NOT NULL CHECK (ordinal >= 0),
    x                   REAL NOT NULL,
    y                   REAL NOT NULL,
    w                   REAL NOT NULL CHECK (w > 0),
    h                   REAL NOT NULL CHECK (h > 0),
    landmarks           TEXT NOT NULL CHECK (landmarks::json IS NOT NULL),
    detection_score     REAL NOT NULL,
    quality             TEXT NOT NULL CHECK (quality::json IS NOT NULL),
    embedding           BYTEA CHECK (octet_length(embedding) > 0 AND octet_length(embedding) % 4 = 0),
    verdict             TEXT CHECK (verdict IN ('match', 'doubt', 'stranger')),
    member_id           BIGINT REFERENCES class_members (id) ON DELETE RESTRICT,
    combined            DOUBLE PRECISION,
    cosine              DOUBLE PRECISION,
    confidence          DOUBLE PRECISION CHECK (confidence BETWEEN 0 AND 1),
    runner_up_member_id BIGINT REFERENCES class_members (id) ON DELETE SET NULL,
    runner_up_combined  DOUBLE PRECISION,
    reason              TEXT,
    person              INTEGER,
    CHECK (member_id IS NOT NULL OR verdict IS NULL OR verdict <> 'match'),
    CHECK (member_id IS NULL OR (verdict IS NOT NULL AND verdict <> 'stranger'))
);
CREATE UNIQUE INDEX faces_ordinal ON faces (photo_id, ordinal);
CREATE UNIQUE INDEX faces_one_per_member ON faces (photo_id, member_id) WHERE verdict = 'match';
CREATE INDEX faces_member ON faces (member_id);
CREATE INDEX faces_runner_up ON faces (runner_up_member_id);

CREATE TABLE attendance_records (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id BIGINT NOT NULL REFERENCES attendance_sessions (id) ON DELETE CASCADE,
    member_id  BIGINT NOT NULL REFERENCES class_members (id) ON DELETE RESTRICT,
    status     TEXT NOT NULL CHECK (status IN ('unmarked', 'present', 'absent', 'late', 'excused')),
    source     TEXT NOT NULL CHECK (source IN ('auto', 'manual', 'import')),
    confidence DOUBLE PRECISION CHECK (confidence BETWEEN 0 AND 1),
    face_id    BIGINT REFERENCES faces (id) ON DELETE SET NULL,
    note       TEXT,
    updated_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX attendance_records_key ON attendance_records (session_id, member_id);
CREATE INDEX attendance_records_member ON attendance_records (member_id);
CREATE INDEX attendance_records_face ON attendance_records (face_id);
