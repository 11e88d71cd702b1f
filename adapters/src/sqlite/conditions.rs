//! What is asked of rows, as SQL: fixed pieces, names from the schema, and everything else as parameters.

use carrack_shared::filter::{Condition, Literal, Texts};
use carrack_shared::schema::DataType;

use super::date;

/// Conditions behind a `WHERE` that has two parameters already.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Each begins with `AND`.
    pub sql: String,
    /// The third parameter and those behind it.
    pub values: Vec<String>,
}

impl Asked {
    /// Of the fields of a type.
    pub fn new(data_type: &DataType, conditions: &[Condition]) -> Self {
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
                let value = match columns.as_slice() {
                    [one] => one.clone(),
                    several => format!("coalesce({})", several.join(", ")),
                };
                let mut sql = format!("{value} IS NOT NULL");
                for (operator, end) in [(">=", start), ("<=", end)] {
                    let mut text = String::new();
                    if end.and_then(|end| date::print(end, &mut text)).is_some() {
                        let number = self.bind(text);
                        sql.push_str(&format!(" AND {value} {operator} ?{number}"));
                    }
                }
                sql
            }
            Condition::OneOf { field, texts } => {
                let (column, among) = (column(field), self.among(texts));
                format!("{column} {among}")
            }
            // Texts come out of JSON as they are; what is no array or object gives nothing.
            Condition::AnyElement { field, texts } => {
                let (column, among) = (column(field), self.among(texts));
                format!(
                    "json_type({column}) = 'array' AND EXISTS \
                     (SELECT 1 FROM json_each({column}) AS e WHERE e.type = 'text' AND e.value {among})"
                )
            }
            Condition::Member { field, name, texts } => {
                let (column, among) = (column(field), self.among(texts));
                let path = self.bind(format!("$.\"{name}\""));
                format!("json_type({column}, ?{path}) = 'text' AND json_extract({column}, ?{path}) {among}")
            }
            Condition::Compared { field, order, with } => {
                let (column, order) = (column(field), order.as_sql());
                match with {
                    Literal::Text(text) => format!("{column} {order} ?{}", self.bind(text.clone())),
                    Literal::Whole(number) => {
                        format!("{column} {order} CAST(?{} AS INTEGER)", self.bind(number.to_string()))
                    }
                    Literal::Truth(flag) => format!("{column} {order} {}", i32::from(*flag)),
                }
            }
            Condition::Contains { field, text, at_start } => {
                let (column, number) = (column(field), self.bind(text.clone()));
                match at_start {
                    true => format!("substr({column}, 1, length(?{number})) = ?{number}"),
                    false => format!("instr({column}, ?{number}) > 0"),
                }
            }
            Condition::There { field, is } => {
                format!("{} IS {}NULL", column(field), if *is { "NOT " } else { "" })
            }
            Condition::Outside { names, .. } => {
                format!("EXISTS (SELECT 1 FROM json_each(extra) AS e WHERE e.key {})", self.among(names))
            }
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
    fn among(&mut self, texts: &Texts) -> String {
        let list: serde_json::Value = texts.iter().collect();
        let number = self.bind(list.to_string());
        format!("IN (SELECT value FROM json_each(?{number}))")
    }

    /// The number of a parameter.
    fn bind(&mut self, value: String) -> usize {
        self.values.push(value);
        self.values.len() + 2
    }
}
