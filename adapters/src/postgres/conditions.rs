//! What is asked of rows, as SQL: fixed pieces, names from the schema, and everything else as parameters.

use carrack_shared::filter::{Condition, Texts};
use carrack_shared::record::Value;
use carrack_shared::schema::DataType;
use tokio_postgres::types::ToSql;

use super::encode::SqlValue;

/// Conditions behind a `WHERE` that has two parameters already.
#[derive(Default)]
pub(super) struct Asked {
    /// Each begins with `AND`.
    pub sql: String,
    /// The third parameter and those behind it.
    pub values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Asked {
    /// Of the fields of a type.
    pub(super) fn new(data_type: &DataType, conditions: &[Condition]) -> Self {
        let mut asked = Self::default();
        for condition in conditions {
            asked.add(data_type, condition);
        }
        asked
    }

    fn add(&mut self, data_type: &DataType, condition: &Condition) {
        let column = |field: &usize| data_type.fields[*field].name.quoted();
        match condition {
            Condition::Within { fields, start, end } => {
                let columns: Vec<String> = fields.iter().map(column).collect();
                let value = format!("coalesce({})", columns.join(", "));
                self.and(&format!("{value} IS NOT NULL"));
                for (operator, end) in [(">=", start), ("<=", end)] {
                    if let Some(end) = end {
                        let number = self.bind(SqlValue(Value::Instant(*end)));
                        self.and(&format!("{value} {operator} ${number}::timestamptz"));
                    }
                }
            }
            Condition::OneOf { field, texts } => {
                let (column, number) = (column(field), self.bind_all(texts));
                self.and(&format!("{column} = ANY(${number}::text[])"));
            }
            Condition::AnyElement { field, texts } => {
                let (column, number) = (column(field), self.bind_all(texts));
                self.and(&format!("jsonb_typeof({column}) = 'array' AND {column} ?| ${number}::text[]"));
            }
            Condition::Member { field, name, texts } => {
                let (column, number) = (column(field), self.bind_all(texts));
                let name = self.bind((*name).to_owned());
                self.and(&format!(
                    "jsonb_typeof({column} -> ${name}::text) = 'string' \
                     AND {column} ->> ${name}::text = ANY(${number}::text[])"
                ));
            }
        }
    }

    fn and(&mut self, condition: &str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
    }

    /// The texts as one parameter, so that their number is no part of the statement.
    fn bind_all(&mut self, texts: &Texts) -> usize {
        self.bind(texts.iter().map(str::to_owned).collect::<Vec<_>>())
    }

    /// The number of a parameter.
    fn bind(&mut self, value: impl ToSql + Sync + Send + 'static) -> usize {
        self.values.push(Box::new(value));
        self.values.len() + 2
    }
}
