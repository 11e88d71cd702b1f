//! Checks decoded values against the schema.
