//! The port to bearer tokens, of which only hashes are stored.

use async_trait::async_trait;

use crate::error::PortResult;

/// Bearer tokens.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Stores a token's SHA-256 for `owner`.
    async fn add_token(&self, owner: &str, sha256: [u8; 32]) -> PortResult<()>;

    /// The owner of the token with this SHA-256; none if there is none.
    async fn token_owner(&self, sha256: [u8; 32]) -> PortResult<Option<String>>;
}
