-- What the service needs: users and tokens, who may see which class, who did what, corrections with their history, progress for
-- those who watch, answers for requests that come twice. Twin of migrations/postgres/0004_service.
--
-- Passwords are Argon2 hashes. Tokens are kept as the SHA-256 of their random text: whoever reads this database cannot use them.
-- `actor` columns hold the name at that time, so that a line stays readable when the account is gone.

CREATE TABLE users (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    name                TEXT NOT NULL CHECK (name <> ''),
    name_key            TEXT NOT NULL,
    display_name        TEXT NOT NULL,
    role                TEXT NOT NULL CHECK (role IN ('admin', 'teacher', 'viewer')),
    password_hash       TEXT NOT NULL,
    active              INTEGER NOT NULL CHECK (active IN (0, 1)),
    failed_logins       INTEGER NOT NULL DEFAULT 0 CHECK (failed_logins >= 0),
    locked_until        TEXT,
    password_changed_at TEXT NOT NULL,
    created_at          TEXT NOT NULL,
    updated_at          TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX users_key ON users (name_key);

-- The classes that a teacher may see and change.
CREATE TABLE user_classes (
    user_id  INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    class_id INTEGER NOT NULL REFERENCES classes (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, class_id)
) STRICT;
CREATE INDEX user_classes_class ON user_classes (class_id);

-- Each is used once, for the next of its family. One that comes twice was stolen: the whole family is revoked.
CREATE TABLE refresh_tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    family     TEXT NOT NULL CHECK (family <> ''),
    token_hash TEXT NOT NULL CHECK (length(token_hash) = 64),
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at    TEXT,
    revoked_at TEXT
) STRICT;
CREATE UNIQUE INDEX refresh_tokens_hash ON refresh_tokens (token_hash);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

-- For other systems. `hint` are the first characters, to tell one from another.
CREATE TABLE api_tokens (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT NOT NULL CHECK (name <> ''),
    token_hash   TEXT NOT NULL CHECK (length(token_hash) = 64),
    hint         TEXT NOT NULL,
    scopes       TEXT NOT NULL CHECK (json_valid(scopes)),
    created_by   INTEGER REFERENCES users (id) ON DELETE SET NULL,
    created_at   TEXT NOT NULL,
    expires_at   TEXT,
    last_used_at TEXT,
    revoked_at   TEXT
) STRICT;
CREATE UNIQUE INDEX api_tokens_hash ON api_tokens (token_hash);
CREATE INDEX api_tokens_created_by ON api_tokens (created_by);

CREATE TABLE audit_log (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          TEXT NOT NULL,
    actor_kind  TEXT NOT NULL CHECK (actor_kind IN ('user', 'token', 'command', 'link', 'nobody')),
    actor_id    INTEGER,
    actor       TEXT NOT NULL,
    action      TEXT NOT NULL CHECK (action <> ''),
    object_kind TEXT,
    object_id   INTEGER,
    class_id    INTEGER,
    request_id  TEXT,
    address     TEXT,
    detail      TEXT NOT NULL CHECK (json_valid(detail))
) STRICT;
CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_actor ON audit_log (actor_kind, actor_id, id);
CREATE INDEX audit_log_object ON audit_log (object_kind, object_id, id);
CREATE INDEX audit_log_action ON audit_log (action, id);

-- A request that changes something and is sent twice with one key is done once; the second gets the stored answer. No status: the
-- first is still at work.
CREATE TABLE idempotency_keys (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    caller      TEXT NOT NULL,
    key         TEXT NOT NULL CHECK (key <> ''),
    fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 64),
    status      INTEGER,
    headers     TEXT NOT NULL CHECK (json_valid(headers)),
    body        BLOB,
    created_at  TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX idempotency_keys_key ON idempotency_keys (caller, key);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

-- What people said about records, in order.
CREATE TABLE record_changes (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id  INTEGER NOT NULL REFERENCES attendance_sessions (id) ON DELETE CASCADE,
    member_id   INTEGER NOT NULL REFERENCES class_members (id) ON DELETE RESTRICT,
    from_status TEXT NOT NULL CHECK (from_status IN ('unmarked', 'present', 'absent', 'late', 'excused')),
    from_source TEXT NOT NULL CHECK (from_source IN ('auto', 'manual', 'import')),
    status      TEXT NOT NULL CHECK (status IN ('unmarked', 'present', 'absent', 'late', 'excused')),
    source      TEXT NOT NULL CHECK (source IN ('auto', 'manual', 'import')),
    reason      TEXT,
    actor_kind  TEXT NOT NULL CHECK (actor_kind IN ('user', 'token', 'command')),
    actor_id    INTEGER,
    actor       TEXT NOT NULL,
    at          TEXT NOT NULL
) STRICT;
CREATE INDEX record_changes_record ON record_changes (session_id, member_id, id);
CREATE INDEX record_changes_member ON record_changes (member_id);

-- What people said about faces: who it is, or, without a member, that it is nobody of the class. Kept by place in the photo (pixels
-- as in `faces`), because faces are written anew whenever a photo is looked at again.
CREATE TABLE face_decisions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    photo_id   INTEGER NOT NULL REFERENCES session_photos (id) ON DELETE CASCADE,
    x          REAL NOT NULL,
    y          REAL NOT NULL,
    w          REAL NOT NULL CHECK (w > 0),
    h          REAL NOT NULL CHECK (h > 0),
    member_id  INTEGER REFERENCES class_members (id) ON DELETE RESTRICT,
    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('user', 'token', 'command')),
    actor_id   INTEGER,
    actor      TEXT NOT NULL,
    at         TEXT NOT NULL
) STRICT;
CREATE INDEX face_decisions_photo ON face_decisions (photo_id);
CREATE INDEX face_decisions_member ON face_decisions (member_id);

-- Progress for those who watch. Written under the lock of the session or job it is about, so that for each of them ids grow in the
-- order of commits and nobody who goes on from an id misses one.
CREATE TABLE events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         TEXT NOT NULL,
    session_id INTEGER REFERENCES attendance_sessions (id) ON DELETE CASCADE,
    job_id     INTEGER,
    kind       TEXT NOT NULL CHECK (kind <> ''),
    data       TEXT NOT NULL CHECK (json_valid(data)),
    CHECK (session_id IS NOT NULL OR job_id IS NOT NULL)
) STRICT;
CREATE INDEX events_session ON events (session_id, id);
CREATE INDEX events_job ON events (job_id, id);
CREATE INDEX events_at ON events (at);

ALTER TABLE attendance_sessions ADD COLUMN confirmed_at TEXT;
ALTER TABLE attendance_sessions ADD COLUMN confirmed_by TEXT;
CREATE INDEX attendance_sessions_starts_at ON attendance_sessions (starts_at, id);

-- `owner` asked for the job, as `user:5` or `token:3`. `progress` and `result` are read by whoever knows the kind.
ALTER TABLE jobs ADD COLUMN owner TEXT;
ALTER TABLE jobs ADD COLUMN progress TEXT CHECK (progress IS NULL OR json_valid(progress));
ALTER TABLE jobs ADD COLUMN result TEXT CHECK (result IS NULL OR json_valid(result));
CREATE INDEX jobs_owner ON jobs (owner, id) WHERE owner IS NOT NULL;

-- Which rows name an object: asked for every object of the store by `rollcall admin storage check`.
CREATE INDEX session_photos_object ON session_photos (object_key);
CREATE INDEX face_samples_object ON face_samples (object_key);
