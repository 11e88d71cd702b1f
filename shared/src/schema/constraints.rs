//! What the values of a field must be, beyond their type.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Rules for one field. What is absent is not checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Constraints {
    /// The only values that are allowed, as they stand in a file.
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Value>,
    /// A regular expression that the text matches somewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The least value: a decimal number, or an instant for a date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<String>,
    /// The greatest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<String>,
    /// The least number of characters of a text, or of items of an array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u64>,
    /// The greatest number of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u64>,
    /// What each item of an array is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<ItemType>,
    /// The form of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<TextFormat>,
    /// The value of a record that does not have the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Whether the field may be null. Where it is not said: if the field is not required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nullable: Option<bool>,
}

impl Constraints {
    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What an item of an array is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemType {
    /// A text.
    String,
    /// A number without a fraction.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl ItemType {
    /// Every type.
    pub const ALL: [Self; 6] =
        [Self::String, Self::Integer, Self::Number, Self::Boolean, Self::Array, Self::Object];

    /// The name that users write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    /// Reads back [`ItemType::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// Whether a value is of it, in canonical JSON.
    pub fn holds(self, json: &str) -> bool {
        match json.as_bytes().first() {
            Some(b'"') => self == Self::String,
            Some(b't' | b'f') => self == Self::Boolean,
            Some(b'[') => self == Self::Array,
            Some(b'{') => self == Self::Object,
            Some(b'n') | None => false,
            _ => self == Self::Number || self == Self::Integer && !json.contains('.'),
        }
    }
}

/// Forms of texts that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextFormat {
    /// RFC 3339, with an offset.
    DateTime,
    /// `local@domain`.
    Email,
    /// RFC 3986, with a scheme.
    Uri,
    /// Five groups of hexadecimal digits.
    Uuid,
}

impl TextFormat {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::DateTime, Self::Email, Self::Uri, Self::Uuid];

    /// The name that users write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DateTime => "date-time",
            Self::Email => "email",
            Self::Uri => "uri",
            Self::Uuid => "uuid",
        }
    }

    /// Reads back [`TextFormat::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }
}
