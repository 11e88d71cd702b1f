//! What handlers take from a request. Everything that does not fit is a problem document, not a framework's
//! text.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use carrack_shared::document;
use carrack_shared::limits::TEMPLATE_BYTES;
use carrack_shared::operation::{Operation, OperationId};
use serde_json::{Map, Value};

use crate::reject_lines::{self, Selection};

use super::Api;
use super::problem::{Answer, Kind, Problem};

/// Bytes of a JSON request: the largest of them is a template.
const JSON_BYTES: usize = TEMPLATE_BYTES;

/// Operations that `history` lists where the request does not say how many.
const HISTORY: u32 = 50;

/// Operations that `history` lists at most.
const HISTORY_MAX: u32 = 500;

/// The operation that the path names.
pub(super) struct Named(pub OperationId);

impl FromRequestParts<Arc<Api>> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Answer<Self> {
        let path = Path::<String>::from_request_parts(parts, api).await;
        let id = path.map(|Path(id)| id).unwrap_or_default();
        id.parse().map(Self).map_err(|_| no_operation(&id))
    }
}

impl Named {
    /// The operation, as it stands now.
    pub(super) async fn find(&self, api: &Api) -> Answer<Operation> {
        api.ports.store.get(self.0).await?.ok_or_else(|| no_operation(&self.0.to_string()))
    }
}

pub(super) fn no_operation(id: &str) -> Problem {
    Problem::new(Kind::NotFound, format!("there is no operation {id:?}"))
}

/// `?limit=` of the history.
pub(super) struct Limit(pub u32);

impl FromRequestParts<Arc<Api>> for Limit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Arc<Api>) -> Answer<Self> {
        limit(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn limit(query: &str) -> Answer<u32> {
    let mut limit = HISTORY;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name != "limit" {
            let detail = format!("query: unknown name {name:?}, expected limit");
            return Err(Problem::new(Kind::Malformed, detail));
        }
        let fits = value.parse().ok().filter(|limit| (1..=HISTORY_MAX).contains(limit));
        limit = fits.ok_or_else(|| {
            let detail = format!("limit: found {value:?}, expected a whole number from 1 to {HISTORY_MAX}");
            Problem::new(Kind::Malformed, detail)
        })?;
    }
    Ok(limit)
}

/// Rejects that a page may have.
const REJECTS_MAX: u32 = 10_000;

/// `?code=`, `?after=` and `?limit=` of the rejects; or `?as=input` and `?file=`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WantedRejects {
    /// As lines of JSON.
    Lines(Selection),
    /// As a file like the imported one of this number, from 1.
    Input(Option<u32>),
}

impl FromRequestParts<Arc<Api>> for WantedRejects {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Arc<Api>) -> Answer<Self> {
        wanted_rejects(parts.uri.query().unwrap_or_default())
    }
}

fn wanted_rejects(query: &str) -> Answer<WantedRejects> {
    let wrong = |detail: String| Problem::new(Kind::Malformed, detail);
    let mut wanted = Selection::default();
    let (mut as_input, mut file) = (false, None);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "code" => wanted.code = Some(value.into_owned()),
            "after" => {
                let after = reject_lines::parse_place(&value);
                wanted.after = Some(after.ok_or_else(|| {
                    wrong(format!("after: expected the position of a reject, such as 1:17, found {value:?}"))
                })?);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=REJECTS_MAX).contains(limit));
                wanted.limit = Some(limit.ok_or_else(|| {
                    wrong(format!("limit: expected a whole number from 1 to {REJECTS_MAX}, found {value:?}"))
                })?);
            }
            "as" => {
                as_input = match &*value {
                    "ndjson" => false,
                    "input" => true,
                    _ => return Err(wrong(format!("as: expected ndjson or input, found {value:?}"))),
                };
            }
            "file" => {
                let number = value.parse().ok().filter(|number| *number > 0);
                file = Some(number.ok_or_else(|| {
                    wrong(format!("file: expected the number of a file, from 1, found {value:?}"))
                })?);
            }
            _ => {
                let expected = "code, after, limit, as or file";
                return Err(wrong(format!("query: unknown name {name:?}, expected {expected}")));
            }
        }
    }
    match (as_input, file) {
        (true, file) if wanted == Selection::default() => Ok(WantedRejects::Input(file)),
        (true, _) => Err(wrong("as: found input beside code, after or limit, expected all rejects".into())),
        (false, Some(_)) => Err(wrong("file: expected as=input beside it".into())),
        (false, None) => Ok(WantedRejects::Lines(wanted)),
    }
}

/// `?name=` of a download, after which its files are named.
pub(super) struct Name(pub Option<String>);

impl FromRequestParts<Arc<Api>> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Arc<Api>) -> Answer<Self> {
        let wrong = |detail: String| Problem::new(Kind::Malformed, detail);
        let mut name = None;
        for (key, value) in url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            if key != "name" {
                return Err(wrong(format!("query: unknown name {key:?}, expected name")));
            }
            if !is_file_name(&value) {
                let detail =
                    "name: expected that of a file: 1 to 70 bytes, without folders, quotes and controls";
                return Err(wrong(detail.into()));
            }
            name = Some(value.into_owned());
        }
        Ok(Self(name))
    }
}

/// Whether every system and archive takes it.
fn is_file_name(name: &str) -> bool {
    let odd = |character: char| character.is_control() || "/\\\"".contains(character);
    (1..=70).contains(&name.len()) && !name.starts_with('.') && !name.contains(odd)
}

/// What a request says of its content, for people too.
pub(super) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("nothing")
}

/// The JSON of a request, whose size is limited.
pub(super) async fn json(headers: &HeaderMap, body: Body) -> Answer<Value> {
    is_json(headers)?;
    parsed(&all(body).await?)
}

/// The same of a request that may have nothing to say.
pub(super) async fn optional_json(request: Request) -> Answer<Value> {
    let (parts, body) = request.into_parts();
    let bytes = all(body).await?;
    if bytes.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    is_json(&parts.headers)?;
    parsed(&bytes)
}

fn is_json(headers: &HeaderMap) -> Answer<()> {
    let found = content_type(headers);
    let media_type = found.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = format!("Content-Type: found {found}, expected application/json");
    Err(Problem::new(Kind::UnsupportedMediaType, detail))
}

async fn all(body: Body) -> Answer<Bytes> {
    axum::body::to_bytes(body, JSON_BYTES).await.map_err(|_| {
        let detail = format!("body: found more than {JSON_BYTES} bytes, or a body that broke off");
        Problem::new(Kind::TooLarge, detail)
    })
}

fn parsed(bytes: &[u8]) -> Answer<Value> {
    document::parse(bytes)
        .map_err(|error| Problem::new(Kind::Malformed, format!("body: expected JSON, found {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_checked() {
        for (query, expected) in [("", 50), ("limit=1", 1), ("limit=500", 500)] {
            assert_eq!(limit(query).unwrap(), expected, "{query}");
        }
        assert_eq!(wanted_rejects("").unwrap(), WantedRejects::Lines(Selection::default()));
        assert_eq!(wanted_rejects("as=input&file=2").unwrap(), WantedRejects::Input(Some(2)));
        let all = wanted_rejects("code=date.invalid&after=2%3A17&limit=10000&as=ndjson").unwrap();
        let WantedRejects::Lines(all) = all else { panic!("{all:?}") };
        assert_eq!((all.code.as_deref(), all.limit), (Some("date.invalid"), Some(10_000)));
        assert_eq!(all.after.map(reject_lines::place).as_deref(), Some("2:17"));
        for query in [
            "limit=0",
            "limit=10001",
            "after=17",
            "after=",
            "kode=x",
            "as=csv",
            "file=1",
            "as=input&file=0",
            "as=input&limit=1",
        ] {
            assert!(wanted_rejects(query).is_err(), "{query}");
        }
        for query in ["limit=0", "limit=501", "limit=x", "limit", "offset=3"] {
            assert!(limit(query).is_err(), "{query}");
        }
    }
}
