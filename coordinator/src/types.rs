//! The data types that are known when an operation starts: those that are built in, as templates have
//! extended them, and those that templates have made.

use std::sync::Arc;

use carrack_shared::document::{Mistake, quoted};
use carrack_shared::error::PortResult;
use carrack_shared::mapping::Mapping;
use carrack_shared::port::Ports;
use carrack_shared::schema::{self, ALL, DataType, TEMPLATES};
use carrack_shared::spec::{OwnTypes, TemplateOrigin};
use carrack_shared::template::Template;

use crate::start::StartError;
use crate::templates;

/// What asks for the one type of all records to be told by looking.
pub(crate) const BY_LOOKING: &str = "auto-detect";

/// The place of the template in a request.
pub(crate) const TEMPLATE: &str = "options.templateId";

/// All of them.
pub(crate) struct Types(Vec<Arc<DataType>>);

/// What a name of a type asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    /// The one type of all records, told by looking.
    ByLooking,
    /// This one.
    One(Arc<DataType>),
    /// Each file one of its own.
    All,
}

impl Named {
    /// The type as a template wants it, where it is the one that is asked for.
    pub fn by_template(self, data_type: Arc<DataType>) -> Result<Self, Mistake> {
        let expected = match &self {
            Self::One(expected) if expected.name != data_type.name => expected.name.as_str(),
            Self::All => ALL,
            Self::One(_) | Self::ByLooking => return Ok(Self::One(data_type)),
        };
        let found = data_type.name.as_str();
        let detail = format!("found a template of {found}, expected one of {expected} as was asked for");
        Err(Mistake::new(TEMPLATE, detail))
    }
}

impl Types {
    /// As they are now.
    pub async fn known(ports: &Ports) -> PortResult<Self> {
        let mut types = schema::built_ins().to_vec();
        for stored in ports.store.data_types().await? {
            match types.iter_mut().find(|known| known.name == stored.name) {
                Some(known) => *known = Arc::new(stored),
                None => types.push(Arc::new(stored)),
            }
        }
        Ok(Self(types))
    }

    /// As they are without a template.
    #[cfg(test)]
    pub fn built_in() -> Self {
        Self(schema::built_ins().to_vec())
    }

    /// Every type.
    pub fn all(&self) -> &[Arc<DataType>] {
        &self.0
    }

    /// What this name asks for.
    pub fn asked(&self, name: &str) -> Result<Named, Mistake> {
        match name {
            BY_LOOKING => Ok(Named::ByLooking),
            ALL => Ok(Named::All),
            _ => self.named(name).map(Named::One),
        }
    }

    /// The names of all, in the order in which an export of all writes them.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|known| known.name.as_str().to_owned()).collect()
    }

    /// The type of this name; the singular of a built-in one is its alias. Templates are a type only by their name.
    pub fn named(&self, name: &str) -> Result<Arc<DataType>, Mistake> {
        let built_in = schema::built_in(name);
        let name = built_in.as_ref().map_or(name, |known| known.name.as_str());
        let found = self.0.iter().find(|known| known.name.as_str() == name);
        found.cloned().or(built_in.clone()).ok_or_else(|| {
            let known = self.names().join(", ");
            let detail = format!("found {}, expected one of {known}, {TEMPLATES}, {ALL}", quoted(name));
            Mistake::new("dataType", detail)
        })
    }
}

/// Those of these types that have to be pinned in an operation, each once: all that are not as they are built in.
pub(crate) fn pinned<'a>(types: impl IntoIterator<Item = &'a Arc<DataType>>) -> OwnTypes {
    let mut own: Vec<DataType> = Vec::new();
    for data_type in types {
        let is_built_in =
            schema::built_in(data_type.name.as_str()).is_some_and(|built_in| built_in == *data_type);
        if !is_built_in && !own.contains(data_type) {
            own.push((**data_type).clone());
        }
    }
    OwnTypes(own)
}

/// The template that is asked for.
pub(crate) async fn template(
    ports: &Ports,
    reference: &str,
) -> Result<(TemplateOrigin, Template), StartError> {
    let Some(stored) = templates::find(ports, reference).await? else {
        let detail = format!("found {}, expected the id or the name of a template", quoted(reference));
        return Err(Mistake::new(TEMPLATE, detail).into());
    };
    let template = Template::read(&stored.document).map_err(StartError::Wrong)?;
    Ok((TemplateOrigin { id: stored.id, name: stored.name, version: stored.version }, template))
}

/// The template that is asked for, its data type as the template wants it, and its mapping.
pub(crate) async fn by_template(
    ports: &Ports,
    types: &Types,
    reference: &str,
) -> Result<(TemplateOrigin, Arc<DataType>, Option<Mapping>), StartError> {
    let (origin, template) = template(ports, reference).await?;
    let table = types.named(template.data_type.as_str())?;
    let data_type = template.applied_to(Some(&table)).map_err(StartError::Wrong)?;
    Ok((origin, Arc::new(data_type), template.mapping))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_types_are_told_by_name() {
        let types = Types::built_in();
        let named = |name: &str| match types.asked(name) {
            Ok(Named::One(found)) => found.name.as_str().to_owned(),
            Ok(named) => format!("{named:?}"),
            Err(error) => error.to_string(),
        };
        let cases = [
            ("contexts", "contexts"),
            ("session", "sessions"),
            ("auto-detect", "ByLooking"),
            ("all", "All"),
            ("templates", "templates"),
            ("template", "templates"),
            ("users", r#"dataType: found "users", expected one of contexts, sessions, templates, all"#),
        ];
        for (name, expected) in cases {
            assert_eq!(named(name), expected);
        }
    }

    #[test]
    fn what_is_not_as_it_is_built_in_is_pinned_once() {
        let contexts = schema::built_in("contexts").unwrap();
        let mut other = (*contexts).clone();
        other.fields.pop();
        let other = Arc::new(other);
        assert_eq!(pinned([&contexts, &other, &other]), OwnTypes(vec![(*other).clone()]));
        assert_eq!(pinned([&contexts]), OwnTypes::default());
    }
}
