-- What the service needs: users and tokens, who may see which class, who did what, corrections with their history, progress for
-- those who watch, answers for requests that come twice. Twin of migrations/sqlite/0004_service.
--
-- Passwords are Argon2 hashes. Tokens are kept as the SHA-256 of their random text: whoever reads this database cannot use them.
-- `actor` columns hold the name at that time, so that a line stays readable when the account is gone.

CREATE TABLE users (
    id                  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                TEXT NOT NULL CHECK (name <> ''),
    name_key            TEXT COLLATE "C" NOT NULL,
    display_name        TEXT NOT NULL,
    role                TEXT NOT NULL CHECK (role IN ('admin', 'teacher', 'viewer')),
    password_hash       TEXT NOT NULL,
    active              BOOLEAN NOT NULL,
    failed_logins       INTEGER NOT NULL DEFAULT 0 CHECK (failed_logins >= 0),
    locked_until        TIMESTAMP,
    password_changed_at TIMESTAMP NOT NULL,
    created_at          TIMESTAMP NOT NULL,
    updated_at          TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX users_key ON users (name_key);

-- The classes that a teacher may see and change.
CREATE TABLE user_classes (
    user_id  BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    class_id BIGINT NOT NULL REFERENCES classes (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, class_id)
);
CREATE INDEX user_classes_class ON user_classes (class_id);

-- Each is used once, for the next of its family. One that comes twice was stolen: the whole family is revoked.
CREATE TABLE refresh_tokens (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    family     TEXT COLLATE "C" NOT NULL CHECK (family <> ''),
    token_hash TEXT COLLATE "C" NOT NULL CHECK (length(token_hash) = 64),
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    used_at    TIMESTAMP,
    revoked_at TIMESTAMP
);
CREATE UNIQUE INDEX refresh_tokens_hash ON refresh_tokens (token_hash);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

-- For other systems. `hint` are the first characters, to tell one from another.
CREATE TABLE api_tokens (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         TEXT NOT NULL CHECK (name <> ''),
    token_hash   TEXT COLLATE "C" NOT NULL CHECK (length(token_hash) = 64),
    hint         TEXT NOT NULL,
    scopes       TEXT NOT NULL CHECK (scopes::json IS NOT NULL),
    created_by   BIGINT REFERENCES users (id) ON DELETE SET NULL,
    created_at   TIMESTAMP NOT NULL,
    expires_at   TIMESTAMP,
    last_used_at TIMESTAMP,
    revoked_at   TIMESTAMP
);
CREATE UNIQUE INDEX api_tokens_hash ON api_tokens (token_hash);
CREATE INDEX api_tokens_created_by ON api_tokens (created_by);

CREATE TABLE audit_log (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          TIMESTAMP NOT NULL,
    actor_kind  TEXT NOT NULL CHECK (actor_kind IN ('user', 'token', 'command', 'link', 'nobody')),
    actor_id    BIGINT,
    actor       TEXT NOT NULL,
    action      TEXT COLLATE "C" NOT NULL CHECK (action <> ''),
    object_kind TEXT COLLATE "C",
    object_id   BIGINT,
    class_id    BIGINT,
    request_id  TEXT,
    address     TEXT,
    detail      TEXT NOT NULL CHECK (detail::json IS NOT NULL)
);
CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_actor ON audit_log (actor_kind, actor_id, id);
CREATE INDEX audit_log_object ON audit_log (object_kind, object_id, id);
CREATE INDEX audit_log_action ON audit_log (action, id);

-- A request that changes something and is sent twice with one key is done once; the second gets the stored answer. No status: the
-- first is still at work.
CREATE TABLE idempotency_keys (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    caller      TEXT COLLATE "C" NOT NULL,
    key         TEXT COLLATE "C" NOT NULL CHECK (key <> ''),
    fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 64),
    status      INTEGER,
    headers     TEXT NOT NULL CHECK (headers::json IS NOT NULL),
    body        BYTEA,
    created_at  TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX idempotency_keys_key ON idempotency_keys (caller, key);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

-- What people said about records, in order.
CREATE TABLE record_changes (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id  BIGINT NOT NULL REFERENCES attendance_sessions (id) ON DELETE CASCADE,
    member_id   BIGINT NOT NULL REFERENCES class_members (id) ON DELETE RESTRICT,
    from_status TEXT NOT NULL CHECK (from_status IN ('unmarked', 'present', 'absent', 'late', 'excused')),
    from_source TEXT NOT NULL CHECK (from_source IN ('auto', 'manual', 'import')),
    status      TEXT NOT NULL CHECK (status IN ('unmarked', 'present', 'absent', 'late', 'excused')),
    source      TEXT NOT NULL CHECK (source IN ('auto', 'manual', 'import')),
    reason      TEXT,
    actor_kind  TEXT NOT NULL CHECK (actor_kind IN ('user', 'token', 'command')),
    actor_id    BIGINT,
    actor       TEXT NOT NULL,
    at          TIMESTAMP NOT NULL
);
CREATE INDEX record_changes_record ON record_changes (session_id, member_id, id);
CREATE INDEX record_changes_member ON record_changes (member_id);

-- What people said about faces: who it is, or, without a member, that it is nobody of the class. Kept by place in the photo (pixels
-- as in `faces`), because faces are written anew whenever a photo is looked at again.
CREATE TABLE face_decisions (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    photo_id   BIGINT NOT NULL REFERENCES session_photos (id) ON DELETE CASCADE,
    x          REAL NOT NULL,
    y          REAL NOT NULL,
    w          REAL NOT NULL CHECK (w > 0),
    h          REAL NOT NULL CHECK (h > 0),
    member_id  BIGINT REFERENCES class_members (id) ON DELETE RESTRICT,
    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('user', 'token', 'command')),
    actor_id   BIGINT,
    actor      TEXT NOT NULL,
    at         TIMESTAMP NOT NULL
);
CREATE INDEX face_decisions_photo ON face_decisions (photo_id);
CREATE INDEX face_decisions_member ON face_decisions (member_id);

-- Progress for those who watch. Written under the lock of the session or job it is about, so that for each of them ids grow in the
-- order of commits and nobody who goes on from an id misses one.
CREATE TABLE events (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         TIMESTAMP NOT NULL,
    session_id BIGINT REFERENCES attendance_sessions (id) ON DELETE CASCADE,
    job_id     BIGINT,
    kind       TEXT NOT NULL CHECK (kind <> ''),
    data       TEXT NOT NULL CHECK (data::json IS NOT NULL),
    CHECK (session_id IS NOT NULL OR job_id IS NOT NULL)
);
CREATE INDEX events_session ON events (session_id, id);
CREATE INDEX events_job ON events (job_id, id);
CREATE INDEX events_at ON events (at);

ALTER TABLE attendance_sessions ADD COLUMN confirmed_at TIMESTAMP;
ALTER TABLE attendance_sessions ADD COLUMN confirmed_by TEXT;
CREATE INDEX attendance_sessions_starts_at ON attendance_sessions (starts_at, id);

-- `owner` asked for the job, as `user:5` or `token:3`. `progress` and `result` are read by whoever knows the kind.
ALTER TABLE jobs ADD COLUMN owner TEXT COLLATE "C";
ALTER TABLE jobs ADD COLUMN progress TEXT CHECK (progress IS NULL OR progress::json IS NOT NULL);
ALTER TABLE jobs ADD COLUMN result TEXT CHECK (result IS NULL OR result::json IS NOT NULL);
CREATE INDEX jobs_owner ON jobs (owner, id) WHERE owner IS NOT NULL;

-- Which rows name an object: asked for every object of the store by `rollcall admin storage check`.
CREATE INDEX session_photos_object ON session_photos (object_key);
CREATE INDEX face_samples_object ON face_samples (object_key);
