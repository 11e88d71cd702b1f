-- What an import that merges remembers of the rows that it has touched, also of those that it has created.

-- Which record has set which field; null where nothing is merged. A row that was created from one record alone has
-- no claim: all of it is that record's.
ALTER TABLE carrack.claims ADD COLUMN marks json;
-- A staged record that lacks required fields, and has no row to change.
ALTER TABLE carrack.displaced ADD COLUMN lacks boolean NOT NULL DEFAULT false;
