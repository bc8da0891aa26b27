-- The pilot of a class: sessions that are worked as any other and do not count. Twin of migrations/sqlite/0007_pilot.
--
-- `classes.pilot_since` is there while the class is in pilot; who switched it stands in the audit log. A session is of the pilot for
-- good when it was made in one.
-- `pilot_opinions` is what the program says of a member without anything that a person has said: it is compared with the teacher's
-- register.

ALTER TABLE classes ADD COLUMN pilot_since TIMESTAMP;

ALTER TABLE attendance_sessions ADD COLUMN pilot BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE pilot_opinions (
    session_id BIGINT NOT NULL REFERENCES attendance_sessions (id) ON DELETE CASCADE,
    member_id  BIGINT NOT NULL REFERENCES class_members (id) ON DELETE RESTRICT,
    opinion    TEXT NOT NULL CHECK (opinion IN (
        'present', 'absent', 'asks', 'no_consent', 'no_template', 'inactive', 'photos_incomplete', 'empty_room', 'other_class')),
    confidence DOUBLE PRECISION CHECK (confidence BETWEEN 0 AND 1),
    face_id    BIGINT REFERENCES faces (id) ON DELETE SET NULL,
    PRIMARY KEY (session_id, member_id)
);
CREATE INDEX pilot_opinions_member ON pilot_opinions (member_id);
CREATE INDEX pilot_opinions_face ON pilot_opinions (face_id);
