-- First and last day of terms, for schools that set them: the day of a photo then tells the term of its class. Twin of
-- migrations/sqlite/0003_terms. A class names its term in words; a term without a row here has no days.

CREATE TABLE terms (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      TEXT NOT NULL CHECK (name <> ''),
    name_key  TEXT COLLATE "C" NOT NULL,
    first_day DATE NOT NULL,
    last_day  DATE NOT NULL,
    CHECK (first_day <= last_day)
);
CREATE UNIQUE INDEX terms_key ON terms (name_key);
