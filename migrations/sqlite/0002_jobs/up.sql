-- The queue. Twin of migrations/postgres/0002_jobs.
--
-- A job knows nothing of what it does: `kind` and `payload` are read by whoever runs it. `topic` says who can run it, `run_id`
-- which batch waits for it, `dedup_key` what there must not be twice among the jobs that are not finished. A claim walks
-- jobs_claim or jobs_claim_run, which hold waiting jobs only, so finished ones cost it nothing.

CREATE TABLE jobs (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    kind         TEXT NOT NULL CHECK (kind <> ''),
    topic        TEXT NOT NULL CHECK (topic <> ''),
    payload      TEXT NOT NULL CHECK (json_valid(payload)),
    dedup_key    TEXT,
    run_id       TEXT,
    priority     INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    attempt      INTEGER NOT NULL CHECK (attempt >= 0),
    max_attempts INTEGER NOT NULL CHECK (max_attempts > 0),
    due_at       TEXT NOT NULL,
    lease_until  TEXT,
    worker       TEXT,
    errors       TEXT NOT NULL CHECK (json_valid(errors)),
    created_at   TEXT NOT NULL,
    started_at   TEXT,
    finished_at  TEXT,
    CHECK (state <> 'running' OR (lease_until IS NOT NULL AND worker IS NOT NULL AND started_at IS NOT NULL)),
    CHECK ((lease_until IS NULL) = (state <> 'running')),
    CHECK ((finished_at IS NULL) = (state IN ('queued', 'running')))
) STRICT;
CREATE INDEX jobs_claim ON jobs (topic, priority, due_at, id) WHERE state = 'queued';
CREATE INDEX jobs_claim_run ON jobs (run_id, topic, priority, due_at, id) WHERE state = 'queued';
CREATE INDEX jobs_lease ON jobs (lease_until) WHERE state = 'running';
CREATE UNIQUE INDEX jobs_dedup ON jobs (dedup_key) WHERE finished_at IS NULL;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
