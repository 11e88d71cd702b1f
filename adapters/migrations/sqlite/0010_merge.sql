-- What an import that merges remembers of the rows that it has touched, also of those that it has created.

-- Which record has set which field, as JSON; null where nothing is merged. A row that was created from one record
-- alone has no claim: all of it is that record's.
ALTER TABLE carrack_claims ADD COLUMN marks TEXT;
-- 1: a staged record that lacks required fields, and has no row to change.
ALTER TABLE carrack_displaced ADD COLUMN lacks INTEGER NOT NULL DEFAULT 0;
