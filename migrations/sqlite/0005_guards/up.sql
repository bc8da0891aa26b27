-- Whether a session adds up, and what its photos are suspected of. Twin of migrations/postgres/0005_guards.
--
-- `head_count`, `guests`, `differences` and `confirm_reason` belong to the signature: they are there while the session is
-- confirmed.
-- `guard_warnings` compare a photo with other photos and with its lesson; they are written anew whenever the session is settled,
-- unlike `warnings`, which come from looking at the photo.

ALTER TABLE attendance_sessions ADD COLUMN head_count INTEGER CHECK (head_count >= 0);
ALTER TABLE attendance_sessions ADD COLUMN guests INTEGER CHECK (guests >= 0);
ALTER TABLE attendance_sessions ADD COLUMN differences TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(differences));
ALTER TABLE attendance_sessions ADD COLUMN confirm_reason TEXT;

ALTER TABLE session_photos ADD COLUMN guard_warnings TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(guard_warnings));
