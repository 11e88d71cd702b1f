//! What is asked of rows, as SQL: fixed pieces, names from the schema, and everything else as parameters.

use carrack_shared::filter::{Condition, Literal, Texts};
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
            let sql = asked.condition(data_type, condition);
            asked.sql.push_str(" AND ");
            asked.sql.push_str(&sql);
        }
        asked
    }

    /// One condition, which stands by itself between `AND`s.
    fn condition(&mut self, data_type: &DataType, condition: &Condition) -> String {
        let column = |field: &usize| data_type.fields[*field].name.quoted();
        match condition {
            Condition::Within { fields, start, end } => {
                let columns: Vec<String> = fields.iter().map(column).collect();
                let value = format!("coalesce({})", columns.join(", "));
                let mut sql = format!("{value} IS NOT NULL");
                for (operator, end) in [(">=", start), ("<=", end)] {
                    if let Some(end) = end {
                        let number = self.bind(SqlValue(Value::Instant(*end)));
                        sql.push_str(&format!(" AND {value} {operator} ${number}::timestamptz"));
                    }
                }
                sql
            }
            Condition::OneOf { field, texts } => {
                let (column, number) = (column(field), self.bind_all(texts));
                format!("{column} = ANY(${number}::text[])")
            }
            Condition::AnyElement { field, texts } => {
                let (column, number) = (column(field), self.bind_all(texts));
                format!("jsonb_typeof({column}) = 'array' AND {column} ?| ${number}::text[]")
            }
            Condition::Member { field, name, texts } => {
                let (column, number) = (column(field), self.bind_all(texts));
                let name = self.bind(name.clone());
                format!(
                    "jsonb_typeof({column} -> ${name}::text) = 'string' \
                     AND {column} ->> ${name}::text = ANY(${number}::text[])"
                )
            }
            Condition::Compared { field, order, with } => {
                let (column, order) = (column(field), order.as_sql());
                match with {
                    // Our tables' own collation orders texts as people do.
                    Literal::Text(text) => {
                        format!("{column} COLLATE \"C\" {order} ${}::text", self.bind(text.clone()))
                    }
                    Literal::Whole(number) => format!("{column} {order} ${}::bigint", self.bind(*number)),
                    Literal::Truth(flag) => format!("{column} {order} ${}::boolean", self.bind(*flag)),
                }
            }
            Condition::Contains { field, text, at_start } => {
                let (column, number) = (column(field), self.bind(text.clone()));
                match at_start {
                    true => format!("starts_with({column}, ${number}::text)"),
                    false => format!("strpos({column}, ${number}::text) > 0"),
                }
            }
            Condition::There { field, is } => {
                format!("{} IS {}NULL", column(field), if *is { "NOT " } else { "" })
            }
            Condition::Outside { names, .. } => format!("extra ?| ${}::text[]", self.bind_all(names)),
            Condition::All(parts) => self.joined(data_type, parts, " AND "),
            Condition::Any(parts) => self.joined(data_type, parts, " OR "),
        }
    }

    fn joined(&mut self, data_type: &DataType, parts: &[Condition], by: &str) -> String {
        let parts: Vec<String> =
            parts.iter().map(|part| format!("({})", self.condition(data_type, part))).collect();
        format!("({})", parts.join(by))
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
