//! The data types that are known when an operation starts: those that are built in, as templates have
//! extended them, and those that templates have made.

use std::sync::Arc;

use carrack_shared::document::{Mistake, quoted};
use carrack_shared::error::PortResult;
use carrack_shared::port::Ports;
use carrack_shared::schema::{self, DataType};
use carrack_shared::spec::{OwnTypes, TemplateOrigin};
use carrack_shared::template::Template;

use crate::start::StartError;
use crate::templates;

/// All of them.
pub(crate) struct Types(Vec<Arc<DataType>>);

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

    /// Every type.
    pub fn all(&self) -> &[Arc<DataType>] {
        &self.0
    }

    /// The type of this name; the singular of a built-in one is its alias.
    pub fn named(&self, name: &str) -> Result<Arc<DataType>, Mistake> {
        let built_in = schema::built_in(name);
        let name = built_in.as_ref().map_or(name, |known| known.name.as_str());
        let found = self.0.iter().find(|known| known.name.as_str() == name);
        found.cloned().ok_or_else(|| {
            let known: Vec<&str> = self.0.iter().map(|known| known.name.as_str()).collect();
            Mistake::new("dataType", format!("expected one of {}, found {}", known.join(", "), quoted(name)))
        })
    }
}

/// What of this type has to be pinned in an operation: nothing of a type as it is built in.
pub(crate) fn pinned(data_type: &DataType) -> OwnTypes {
    let is_built_in =
        schema::built_in(data_type.name.as_str()).is_some_and(|built_in| *built_in == *data_type);
    OwnTypes(if is_built_in { Vec::new() } else { vec![data_type.clone()] })
}

/// The template that is asked for, and its data type as the template wants it.
pub(crate) async fn by_template(
    ports: &Ports,
    types: &Types,
    reference: &str,
) -> Result<(TemplateOrigin, Arc<DataType>), StartError> {
    let wrong = |detail: String| StartError::from(Mistake::new("options.templateId", detail));
    let Some(stored) = templates::find(ports, reference).await? else {
        return Err(wrong(format!("found {}, expected the id or the name of a template", quoted(reference))));
    };
    let template = Template::read(&stored.document).map_err(StartError::Wrong)?;
    let table = types.named(template.data_type.as_str())?;
    let data_type = template.applied_to(Some(&table)).map_err(StartError::Wrong)?;
    let origin = TemplateOrigin { id: stored.id, name: stored.name, version: stored.version };
    Ok((origin, Arc::new(data_type)))
}
