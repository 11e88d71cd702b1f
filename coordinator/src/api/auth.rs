//! Who sends a request: the owner of its bearer token.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;

use super::Api;
use super::problem::{Answer, Kind, Problem};
use crate::token;

/// The owner of the token that a request carried.
#[derive(Debug, Clone)]
pub(super) struct Owner(pub String);

/// Lets a request pass if it carries a token that is known.
pub(super) async fn authorize(
    State(api): State<Arc<Api>>,
    mut request: Request,
    next: Next,
) -> Answer<Response> {
    let token = bearer(request.headers()).ok_or_else(|| {
        Problem::new(Kind::Unauthorized, "Authorization: found no bearer token, expected `Bearer TOKEN`")
    })?;
    let owner = api.ports.store.token_owner(token::sha256(token)).await?.ok_or_else(|| {
        Problem::new(
            Kind::Unauthorized,
            "Authorization: the token is unknown, expected one of `tokens create`",
        )
    })?;
    request.extensions_mut().insert(Owner(owner));
    Ok(next.run(request).await)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_from_the_header() {
        let cases = [
            ("Bearer abc", Some("abc")),
            ("bearer  abc", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("", None),
        ];
        for (value, expected) in cases {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            assert_eq!(bearer(&headers), expected, "{value:?}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
