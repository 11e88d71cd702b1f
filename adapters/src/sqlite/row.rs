//! Writes one row into a data table, and tells a refused row from a failed batch.
//!
//! SQLite undoes a statement that breaks a constraint, and nothing else: the transaction goes on. Only a
//! trigger can leave something behind (`RAISE(FAIL)`), so in a table with triggers every row is written in
//! a savepoint of its own.

use carrack_shared::record::{RecordHash, Rows, Value};
use carrack_shared::scalar;
use carrack_shared::schema::{DataType, FieldType};
use rusqlite::types::Null;
use rusqlite::{CachedStatement, Error, ErrorCode, Transaction};

use super::error::{SqlResult, impossible, refused};
use super::stored::Utf8;
use super::{date, tables};

/// What became of a row.
pub(super) enum Written {
    /// It was written.
    Row,
    /// Nothing was: the key is taken, or a trigger said so.
    Nothing,
    /// The table refused it, and says why.
    Refused(String),
}

/// Keeps what a statement does to one row to itself, where its table has triggers.
pub(super) struct Guard<'tx> {
    tx: &'tx Transaction<'tx>,
    guarded: bool,
    table: String,
}

impl<'tx> Guard<'tx> {
    /// For the rows of a type.
    pub fn new(tx: &'tx Transaction<'_>, data_type: &DataType) -> SqlResult<Self> {
        let guarded = tables::has_triggers(tx, data_type)?;
        Ok(Self { tx, guarded, table: tables::name(data_type) })
    }

    /// Executes a statement that writes one row.
    pub fn run(&self, execute: impl FnOnce() -> rusqlite::Result<usize>) -> SqlResult<Written> {
        if !self.guarded {
            return outcome(execute());
        }
        self.tx.prepare_cached("SAVEPOINT carrack_row")?.execute([])?;
        let written = outcome(execute());
        if self.tx.is_autocommit() {
            // RAISE(ROLLBACK) has undone the whole batch; nothing can be told about its other rows.
            return Err(refused(format!("a trigger of {} rolled the whole batch back", self.table)));
        }
        if !matches!(written, Ok(Written::Row)) {
            self.tx.prepare_cached("ROLLBACK TO carrack_row")?.execute([])?;
        }
        self.tx.prepare_cached("RELEASE carrack_row")?.execute([])?;
        written
    }
}

/// A statement whose parameters are numbered as the table's columns.
pub(super) struct RowWriter<'tx> {
    statement: CachedStatement<'tx>,
    guard: Guard<'tx>,
    /// Number of the parameter of `extra`; the system columns follow.
    extra: usize,
    date: String,
}

impl<'tx> RowWriter<'tx> {
    /// Prepares `sql` for rows of `operation`.
    pub fn new(
        tx: &'tx Transaction<'_>,
        sql: &str,
        data_type: &DataType,
        operation: &str,
        stamp: &str,
    ) -> SqlResult<Self> {
        let mut statement = tx.prepare_cached(sql)?;
        let extra = data_type.fields.len() + 1;
        statement.raw_bind_parameter(extra + 1, operation)?;
        statement.raw_bind_parameter(extra + 3, stamp)?;
        Ok(Self { statement, guard: Guard::new(tx, data_type)?, extra, date: String::new() })
    }

    /// Writes row `row`.
    pub fn write(&mut self, rows: &Rows, row: usize, hash: &RecordHash) -> SqlResult<Written> {
        for slot in 0..rows.width() {
            let field_type = rows.data_type().fields.get(slot).map(|field| field.field_type);
            self.bind(slot + 1, rows.value(row, slot), field_type)?;
        }
        self.statement.raw_bind_parameter(self.extra + 2, rows.origin(row).position.stored())?;
        self.statement.raw_bind_parameter(self.extra + 4, &hash[..])?;
        self.guard.run(|| self.statement.raw_execute())
    }

    fn bind(&mut self, parameter: usize, value: Value<'_>, field_type: Option<FieldType>) -> SqlResult<()> {
        let unfit = || impossible("a cell that does not fit its column");
        match (value, field_type) {
            (Value::Missing, _) => self.statement.raw_bind_parameter(parameter, Null)?,
            (Value::Json(cell), Some(FieldType::Integer)) => {
                self.statement.raw_bind_parameter(parameter, scalar::integer(cell).ok_or_else(unfit)?)?;
            }
            (Value::Json(cell), Some(FieldType::Number)) => {
                self.statement.raw_bind_parameter(parameter, scalar::number(cell).ok_or_else(unfit)?)?;
            }
            (Value::Json(cell), Some(FieldType::Boolean)) => {
                self.statement.raw_bind_parameter(parameter, scalar::boolean(cell).ok_or_else(unfit)?)?;
            }
            (Value::Text(bytes) | Value::Json(bytes), _) => {
                self.statement.raw_bind_parameter(parameter, Utf8(bytes))?;
            }
            (Value::Instant(micros), _) => {
                self.date.clear();
                date::print(micros, &mut self.date)
                    .ok_or_else(|| impossible(format!("an instant of {micros} µs, which is no date")))?;
                self.statement.raw_bind_parameter(parameter, &self.date)?;
            }
        }
        Ok(())
    }
}

fn outcome(executed: rusqlite::Result<usize>) -> SqlResult<Written> {
    match executed {
        Ok(0) => Ok(Written::Nothing),
        Ok(_) => Ok(Written::Row),
        Err(Error::SqliteFailure(code, message)) if is_of_the_row(code.code) => {
            Ok(Written::Refused(message.unwrap_or_else(|| code.to_string())))
        }
        Err(error) => Err(error.into()),
    }
}

fn is_of_the_row(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
}
