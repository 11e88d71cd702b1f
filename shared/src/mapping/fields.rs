//! The fields of one record that a mapping is about, by numbers that are given out when it is compiled.

use super::path::Path;
use super::value::Value;
use crate::format::json::Refusal;

/// The names of these fields, each with its number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(pub Vec<String>);

/// A path among them.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The number of the first name.
    pub top: usize,
    /// The number of the field whose name is the whole path.
    whole: Option<usize>,
    /// The names below the first.
    pub below: Vec<String>,
    /// As users write it.
    pub path: Path,
}

impl Place {
    /// Whether it leads to the name with this number.
    pub fn is_about(&self, number: usize) -> bool {
        self.top == number || self.whole == Some(number)
    }

    /// Whether it shares a name with another one.
    pub fn meets(&self, other: &Self) -> bool {
        self.is_about(other.top) || other.whole.is_some_and(|whole| self.is_about(whole))
    }

    /// The place of a member of what is here.
    pub fn member(&self, name: &str) -> Self {
        let mut place = Self { whole: None, ..self.clone() };
        place.below.push(name.to_owned());
        place.path.names.push(name.to_owned());
        place
    }
}

impl Names {
    /// The number of a name, given out now if it has none.
    pub fn number(&mut self, name: &str) -> usize {
        self.find(name).unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        })
    }

    /// The number of a name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|known| known == name)
    }

    /// Where a path leads.
    pub fn place(&mut self, path: &Path) -> Place {
        let (top, below) = path.names.split_first().map_or(("", &[][..]), |(top, below)| (top, below));
        Place {
            top: self.number(top),
            whole: path.whole.as_deref().map(|whole| self.number(whole)),
            below: below.to_vec(),
            path: path.clone(),
        }
    }
}

/// Their values in one record.
#[derive(Debug, Default)]
pub(crate) struct Fields<'v> {
    pub values: Vec<Option<Value<'v>>>,
    /// Those in which a fault was found: they are not looked at any more.
    pub faulty: Vec<bool>,
}

impl<'v> Fields<'v> {
    /// None of so many.
    pub fn none(count: usize) -> Self {
        Self { values: vec![None; count], faulty: vec![false; count] }
    }

    /// Whether a fault was found where this leads.
    pub fn is_faulty(&self, place: &Place) -> bool {
        self.faulty[place.top] || place.whole.is_some_and(|whole| self.faulty[whole])
    }

    /// The value there, if there is one.
    ///
    /// # Errors
    /// When something on the way is no object.
    pub fn get(&self, place: &Place) -> Result<Option<&Value<'v>>, Refusal> {
        if let Some(value) = place.whole.and_then(|whole| self.values[whole].as_ref()) {
            return Ok(Some(value));
        }
        let mut found = self.values[place.top].as_ref();
        for (depth, name) in place.below.iter().enumerate() {
            found = match found {
                None | Some(Value::Null) => return Ok(None),
                Some(Value::Object(members)) => {
                    members.iter().find(|(own, _)| own == name).map(|(_, value)| value)
                }
                Some(other) => return Err(no_object(other, place, depth)),
            };
        }
        Ok(found)
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// As [`Fields::get`].
    pub fn get_mut(&mut self, place: &Place) -> Result<Option<&mut Value<'v>>, Refusal> {
        if let Some(whole) = place.whole.filter(|whole| self.values[*whole].is_some()) {
            return Ok(self.values[whole].as_mut());
        }
        let mut found = self.values[place.top].as_mut();
        for (depth, name) in place.below.iter().enumerate() {
            found = match found {
                None | Some(Value::Null) => return Ok(None),
                Some(Value::Object(members)) => {
                    members.iter_mut().find(|(own, _)| own == name).map(|(_, value)| value)
                }
                Some(other) => return Err(no_object(other, place, depth)),
            };
        }
        Ok(found)
    }

    /// Takes the value there out, and an object that is empty without it.
    ///
    /// # Errors
    /// As [`Fields::get`].
    pub fn take(&mut self, place: &Place) -> Result<Option<Value<'v>>, Refusal> {
        if let Some(value) = place.whole.and_then(|whole| self.values[whole].take()) {
            return Ok(Some(value));
        }
        let at = &mut self.values[place.top];
        match at {
            Some(whole) if !place.below.is_empty() => {
                let found = taken(whole, place, 0)?;
                if found.is_some() && whole.is_empty_object() {
                    *at = None;
                }
                Ok(found)
            }
            at => Ok(at.take()),
        }
    }

    /// Puts a value there; objects on the way are made where there are none. What was there is replaced.
    ///
    /// # Errors
    /// As [`Fields::get`].
    pub fn put(&mut self, place: &Place, value: Value<'v>) -> Result<(), Refusal> {
        if place.below.is_empty() {
            self.values[place.top] = Some(value);
            return Ok(());
        }
        let mut whole = self.values[place.top].take().unwrap_or(Value::Null);
        let done = put_below(&mut whole, place, 0, value);
        self.values[place.top] = Some(whole);
        done
    }
}

fn put_below<'v>(at: &mut Value<'v>, place: &Place, depth: usize, value: Value<'v>) -> Result<(), Refusal> {
    let Some(name) = place.below.get(depth) else {
        *at = value;
        return Ok(());
    };
    if matches!(at, Value::Null) {
        *at = Value::Object(Vec::new());
    }
    let Value::Object(members) = at else { return Err(no_object(at, place, depth)) };
    let index = members.iter().position(|(own, _)| own == name).unwrap_or_else(|| {
        members.push((name.clone().into(), Value::Null));
        members.len() - 1
    });
    put_below(&mut members[index].1, place, depth + 1, value)
}

/// Takes the value out that is below `at`, which is `depth` levels on the way.
fn taken<'v>(at: &mut Value<'v>, place: &Place, depth: usize) -> Result<Option<Value<'v>>, Refusal> {
    let members = match at {
        Value::Object(members) => members,
        Value::Null => return Ok(None),
        other => return Err(no_object(other, place, depth)),
    };
    let Some(index) = members.iter().position(|(own, _)| *own == place.below[depth]) else { return Ok(None) };
    if depth + 1 == place.below.len() {
        return Ok(Some(members.remove(index).1));
    }
    let inner = &mut members[index].1;
    let found = taken(inner, place, depth + 1)?;
    if found.is_some() && inner.is_empty_object() {
        members.remove(index);
    }
    Ok(found)
}

fn no_object(found: &Value<'_>, place: &Place, depth: usize) -> Refusal {
    let name = if depth == 0 { place.path.names.first() } else { place.below.get(depth - 1) };
    let (name, wanted) = (name.map_or("", String::as_str), place.below.get(depth).map_or("", String::as_str));
    let (name, wanted) = (crate::format::shown::text(name), crate::format::shown::text(wanted));
    let message = format!("found {} in {name}, expected an object with the member {wanted}", found.shown());
    Refusal::new("transform.path", message)
}
