//! Bearer tokens, of which only hashes are stored.

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::port::Tokens;

use super::PostgresStore;
use super::sql::{execute, get, query_opt};

#[async_trait]
impl Tokens for PostgresStore {
    async fn add_token(&self, owner: &str, sha256: [u8; 32]) -> PortResult<()> {
        const SQL: &str = "INSERT INTO carrack.tokens (sha256, owner) VALUES ($1, $2)
             ON CONFLICT (sha256) DO UPDATE SET owner = excluded.owner";
        execute(&self.client().await?, "store a token", SQL, &[&&sha256[..], &owner]).await?;
        Ok(())
    }

    async fn token_owner(&self, sha256: [u8; 32]) -> PortResult<Option<String>> {
        const SQL: &str = "SELECT owner FROM carrack.tokens WHERE sha256 = $1";
        let row = query_opt(&self.client().await?, "look up a token", SQL, &[&&sha256[..]]).await?;
        row.map(|row| get(&row, "owner")).transpose()
    }
}
