-- Templates, whose versions never change, and the data types that they have made or extended.
CREATE TABLE carrack.templates (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,   -- in the order of creation
    id         uuid NOT NULL UNIQUE,
    owner      text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    name       text COLLATE "C" NOT NULL,
    version    text COLLATE "C" NOT NULL,
    data_type  text COLLATE "C" NOT NULL,
    document   text NOT NULL,                                     -- as it was given, member by member
    UNIQUE (name, version)
);

CREATE TABLE carrack.types (
    name     text COLLATE "C" PRIMARY KEY,
    document jsonb NOT NULL
);
