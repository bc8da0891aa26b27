-- First and last day of terms, for schools that set them: the day of a photo then tells the term of its class. Twin of
-- migrations/postgres/0003_terms. A class names its term in words; a term without a row here has no days.

CREATE TABLE terms (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    name      TEXT NOT NULL CHECK (name <> ''),
    name_key  TEXT NOT NULL,
    first_day TEXT NOT NULL,
    last_day  TEXT NOT NULL,
    CHECK (first_day <= last_day)
) STRICT;
CREATE UNIQUE INDEX terms_key ON terms (name_key);
