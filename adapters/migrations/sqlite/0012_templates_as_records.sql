-- The templates as the table of a data type. Members that are null stand in extra, as those of any record do.
CREATE VIEW carrack_data_templates AS
SELECT id, name, version,
       document ->> '$.description' AS description,
       document -> '$.schema' AS "schema",
       nullif(document -> '$.transformation', 'null') AS transformation,
       nullif(document -> '$.examples', 'null') AS examples,
       created_at AS "createdAt", owner,
       (SELECT json_group_object(key, NULL) FROM json_each(document) WHERE type = 'null' HAVING count(*) > 0) AS extra,
       number AS _position
FROM carrack_templates;
