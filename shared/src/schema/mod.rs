//! Data types: a name, a key, and fields in the order of the table's columns.

mod built_in;
mod constraints;
mod identifier;
mod infer;

use serde::{Deserialize, Serialize};

pub use built_in::{SAID_OF_TEMPLATES, TEMPLATES, built_in, built_ins};
pub use constraints::{Constraints, ItemType, TextFormat};
pub use identifier::Identifier;
pub use infer::{TypeDoubt, infer, infer_all};

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Text. Column: `text`.
    String,
    /// A whole number of 64 bits. Column: `bigint`, or `INTEGER` in SQLite.
    Integer,
    /// A number that a double holds exactly. Column: `double precision`, or `REAL` in SQLite.
    Number,
    /// A number, to its last digit. Column: `numeric`, or text in SQLite.
    Decimal,
    /// True or false. Column: `boolean`, or 0 and 1 in SQLite.
    Boolean,
    /// An instant. Column: `timestamptz` in PostgreSQL, RFC 3339 text with six decimals in SQLite.
    Date,
    /// A JSON array. Column: `jsonb`, or text in SQLite.
    Array,
    /// A JSON object. Column: `jsonb`, or text in SQLite.
    Object,
    /// Bytes, which stand in an object of their own. Column: `jsonb`, or text in SQLite, with the
    /// [`crate::content::Reference`].
    Binary,
}

impl FieldType {
    /// Every type.
    pub const ALL: [Self; 9] = [
        Self::String,
        Self::Integer,
        Self::Number,
        Self::Decimal,
        Self::Boolean,
        Self::Date,
        Self::Array,
        Self::Object,
        Self::Binary,
    ];

    /// Reads back [`FieldType::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// The name that users write and read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Array => "array",
            Self::Object => "object",
            Self::Binary => "binary",
        }
    }

    /// Whether an empty text is no value of it, so that in a format that knows only texts it stands for a
    /// missing one.
    pub(crate) fn is_never_empty(self) -> bool {
        !matches!(self, Self::String | Self::Array | Self::Binary)
    }
}

/// A field of a data type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name in files and its column in the table.
    pub name: Identifier,
    /// What it holds.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// Whether a record without it is refused.
    #[serde(default)]
    pub required: bool,
    /// What its values must be, beyond their type.
    #[serde(default, skip_serializing_if = "Constraints::is_empty")]
    pub constraints: Constraints,
}

impl Field {
    /// A field whose values are only bound by its type.
    pub fn new(name: Identifier, field_type: FieldType, required: bool) -> Self {
        Self { name, field_type, required, constraints: Constraints::default() }
    }
}

/// A data type: records of one kind, stored in one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataType {
    /// Its name, which is also its table's.
    pub name: Identifier,
    /// Its fields, in the order of the table's columns.
    pub fields: Vec<Field>,
    /// The field, by number, whose text identifies a record. Always a required string.
    pub key: usize,
}

impl DataType {
    /// The number of the field with this name.
    pub fn slot(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name.as_str() == name)
    }

    /// A type that knows no field, of which every record is all fields outside the schema. Nothing can be
    /// stored in it.
    pub(crate) fn without_fields() -> Self {
        Self { name: Identifier("nothing".into()), fields: Vec::new(), key: 0 }
    }

    /// The same without constraints: what its table is like.
    pub fn columns(&self) -> Self {
        let bare = |field: &Field| Field::new(field.name.clone(), field.field_type, field.required);
        Self { name: self.name.clone(), fields: self.fields.iter().map(bare).collect(), key: self.key }
    }

    /// Whether its table has the columns of the other's, in their order.
    pub fn has_columns_of(&self, other: &Self) -> bool {
        let columns = |data_type: &Self| -> Vec<(Identifier, FieldType)> {
            data_type.fields.iter().map(|field| (field.name.clone(), field.field_type)).collect()
        };
        self.key == other.key && columns(self) == columns(other)
    }

    /// A type of these fields, for reading records that become those of another type. Nothing can be stored
    /// in it.
    pub(crate) fn only_read(fields: Vec<(String, FieldType)>) -> Self {
        let field = |(name, field_type)| Field::new(Identifier(name), field_type, false);
        Self { fields: fields.into_iter().map(field).collect(), ..Self::without_fields() }
    }

    /// The key's field.
    pub fn key_field(&self) -> &Field {
        &self.fields[self.key]
    }
}

/// The name that stands for several data types at once.
pub const ALL: &str = "all";

/// The field that `includeMetadata` is about.
pub const METADATA: &str = "metadata";
