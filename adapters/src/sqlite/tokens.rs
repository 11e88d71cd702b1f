//! Bearer tokens.

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::port::Tokens;

use super::stored::{execute, first};
use super::{SqliteStore, clock};

#[async_trait]
impl Tokens for SqliteStore {
    async fn add_token(&self, owner: &str, sha256: [u8; 32]) -> PortResult<()> {
        let owner = owner.to_owned();
        self.writer
            .transact(move |tx| {
                let sql = "INSERT INTO carrack_tokens (sha256, owner, created_at) VALUES (?1, ?2, ?3)
                           ON CONFLICT (sha256) DO UPDATE SET owner = excluded.owner";
                execute(tx, sql, (sha256, owner, clock::stamp(tx)?))?;
                Ok(())
            })
            .await
    }

    async fn token_owner(&self, sha256: [u8; 32]) -> PortResult<Option<String>> {
        let sql = "SELECT owner FROM carrack_tokens WHERE sha256 = ?1";
        self.reader.run(move |connection| first(connection, sql, [sha256], |row| Ok(row.get("owner")?))).await
    }
}
