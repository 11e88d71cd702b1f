//! A template for each built-in type, which asks no more than the type does.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Builder;

use crate::port::templates::StoredTemplate;
use crate::schema::{self, DataType};

/// Who owns what is built in.
const CARRACK: &str = "carrack";

/// The templates that every deployment has, the same in each.
pub fn built_ins() -> Vec<StoredTemplate> {
    schema::built_ins().iter().map(built_in).collect()
}

fn built_in(data_type: &Arc<DataType>) -> StoredTemplate {
    let name = data_type.name.as_str();
    let fields: Vec<Value> = data_type
        .fields
        .iter()
        .map(|field| {
            json!({
                "name": field.name.as_str(), "type": field.field_type.as_str(), "required": field.required,
            })
        })
        .collect();
    let document = json!({
        "name": name,
        "description": format!("what is built in for {name}"),
        "version": "1.0.0",
        "schema": { "type": name, "fields": fields },
    });
    let digest = Sha256::digest(format!("carrack template {name}"));
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    StoredTemplate {
        id: Builder::from_custom_bytes(id).into_uuid(),
        owner: CARRACK.into(),
        created_at: Timestamp::UNIX_EPOCH,
        name: name.into(),
        version: "1.0.0".into(),
        data_type: name.into(),
        document,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;

    #[test]
    fn what_is_built_in_is_a_template_as_any_other() {
        let mut ids = Vec::new();
        for (template, data_type) in built_ins().iter().zip(schema::built_ins()) {
            let read = Template::read(&template.document).unwrap();
            assert_eq!(read.applied_to(Some(data_type)).unwrap(), **data_type);
            ids.push(template.id);
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), schema::built_ins().len());
    }
}
