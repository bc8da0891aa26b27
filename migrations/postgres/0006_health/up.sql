-- Samples that were learned from faces of confirmed sessions. Twin of migrations/sqlite/0006_health.
--
-- A learned sample names the session whose signature vouches for it, and goes with it. Faces are written anew when a photo is
-- looked at again: the sample then only loses the pointer.

ALTER TABLE face_samples ADD COLUMN origin TEXT NOT NULL DEFAULT 'portrait' CHECK (origin IN ('portrait', 'session'));
ALTER TABLE face_samples ADD COLUMN session_id BIGINT REFERENCES attendance_sessions (id) ON DELETE CASCADE
    CHECK ((origin = 'session') = (session_id IS NOT NULL));
ALTER TABLE face_samples ADD COLUMN face_id BIGINT REFERENCES faces (id) ON DELETE SET NULL
    CHECK (face_id IS NULL OR origin = 'session');
CREATE INDEX face_samples_session ON face_samples (session_id);
CREATE INDEX face_samples_face ON face_samples (face_id);
-- Of one session a student's template learns at most one face, whatever runs twice.
CREATE UNIQUE INDEX face_samples_learned ON face_samples (student_id, pack_id, pack_version, session_id)
    WHERE session_id IS NOT NULL;
