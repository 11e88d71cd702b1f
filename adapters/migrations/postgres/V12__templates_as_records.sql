-- The templates as the table of a data type. Members that are null stand in extra, as those of any record do.
CREATE VIEW carrack_data.templates AS
SELECT id::text COLLATE "C" AS id, name, version,
       document::jsonb ->> 'description' AS description,
       document::jsonb -> 'schema' AS schema,
       nullif(document::jsonb -> 'transformation', 'null') AS transformation,
       nullif(document::jsonb -> 'examples', 'null') AS examples,
       created_at AS "createdAt", owner,
       (SELECT jsonb_object_agg(key, value) FROM jsonb_each(document::jsonb) WHERE value = 'null') AS extra,
       number AS _position
FROM carrack.templates;
