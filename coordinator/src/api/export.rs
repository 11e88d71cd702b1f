//! `POST export` and the download of what came of it.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use serde_json::{Map, Value};

use super::auth::Owner;
use super::extract::{Name, Named};
use super::operations::accepted;
use super::problem::{Answer, Problem};
use super::{Shared, extract, idempotency};
use crate::join::{Files, archive};
use crate::options::Options;
use crate::start::{self, ExportRequest};
use carrack_shared::document::Mistake;

/// Creates an export.
pub(super) async fn export(
    State(api): Shared,
    Extension(Owner(owner)): Extension<Owner>,
    request: Request,
) -> Answer<Response> {
    let key = idempotency::key(request.headers())?;
    let (parts, body) = request.into_parts();
    let document = extract::json(&parts.headers, body).await?;
    let request = read(&document).map_err(Problem::wrong)?;
    let spec = start::export_spec(&api.ports, request).await?;
    let idempotency = idempotency::of(key, &[b"export", idempotency::without_key(document).as_bytes()]);
    let started = start::create(&api.ports, &owner, spec, idempotency).await?;
    accepted(&api, &started.operation).await
}

/// What a request asks for; everything that is wrong with it at once.
fn read(document: &Value) -> Result<ExportRequest, Vec<Mistake>> {
    let Value::Object(members) = document else {
        return Err(vec![Mistake::new("body", "expected an object with dataType and options")]);
    };
    let unknown = members.keys().filter(|name| !["dataType", "options"].contains(&name.as_str()));
    let mut mistakes: Vec<Mistake> =
        unknown.map(|name| Mistake::new(name, "unknown name, expected dataType and options")).collect();
    let nothing = Value::Object(Map::new());
    let options = Options::from_value(members.get("options").unwrap_or(&nothing));
    let spec = match members.get("dataType").and_then(Value::as_str) {
        Some(data_type) => start::export_request(data_type, options),
        None => {
            mistakes.push(Mistake::new("dataType", "expected the name of a type"));
            Err(options.err().unwrap_or_default())
        }
    };
    match spec {
        Ok(spec) if mistakes.is_empty() => Ok(spec),
        spec => {
            mistakes.extend(spec.err().into_iter().flatten());
            Err(mistakes)
        }
    }
}

/// Streams the file of a finished export, or its files in a tar archive where there are several.
pub(super) async fn download(State(api): Shared, named: Named, Name(name): Name) -> Answer<Response> {
    let operation = named.find(&api).await?;
    let files = Files::of(&api.ports, &operation).await?;
    let shown = name.clone().unwrap_or_else(|| files.default_name());
    let (media_type, length, body, shown) = if files.has_manifest() {
        (archive::MEDIA_TYPE, None, archive::tar(files, name.as_deref()), format!("{shown}.tar"))
    } else {
        let (length, content) = files.streamed(0).await?;
        (files.media_type(), length, content, shown)
    };
    let body = body.inspect(move |piece| {
        if let Err(error) = piece {
            tracing::warn!(operation = %operation.id, error = error.chain(), "download cut off");
        }
    });
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.extend(length.map(|length| (header::CONTENT_LENGTH, HeaderValue::from(length))));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{shown}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_wrong_is_told_at_once() {
        let document = json!({"datatype": "contexts", "options": {"format": "pdf", "colour": 1}});
        let mistakes = read(&document).unwrap_err();
        let places: Vec<&str> = mistakes.iter().map(|mistake| mistake.at.as_str()).collect();
        assert_eq!(places, ["datatype", "dataType", "options.format", "options.colour"]);
        let both = read(&json!({"dataType": "auto-detect", "options": {"format": "pdf"}})).unwrap_err();
        assert_eq!(both.len(), 2, "{both:?}");
        assert!(read(&json!({"dataType": "contexts"})).is_ok());
        assert!(read(&json!([])).is_err());
    }
}
