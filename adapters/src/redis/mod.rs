//! Progress in Redis: a cache that may be flushed, frozen or down at any moment, and that never keeps a
//! worker waiting.
//!
//! Two keys per operation, both with a time to live, both with the operation's id as hash tag:
//! `carrack:v3:{ID}:batches`, a hash from `GENERATION:BATCH` to packed counts, and `carrack:v1:{ID}:state`,
//! the text `EPOCH STATE`. Nothing is ever incremented: noting a batch twice writes the same field twice.
//! Only a rebuild writes the field `GENERATION:whole`, in one transaction with all batches; a flush takes it
//! away with them, and batches noted afterwards do not bring it back. Fields of other generations are there
//! only to be forgotten with the rest.

mod circuit;
mod client;
mod packed;

use std::fmt::Display;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::{OperationId, State, Totals};
use carrack_shared::port::Progress;
use carrack_shared::port::progress::{Attempt, BatchTotals};
use redis::{Pipeline, pipe};
use tokio::sync::Notify;

use self::client::Client;

/// Seconds after which an operation that nobody notes anything of is forgotten.
const TIME_TO_LIVE_SECONDS: i64 = 3_600;

/// What stands in the place of a batch's number in the field that says that every batch is there.
const WHOLE: &str = "whole";

/// Sets the state unless a higher epoch was announced. Lua compares the epochs as doubles, which are exact
/// below 2^53.
const ANNOUNCE: &str = r"
local last = redis.call('GET', KEYS[1])
if last and tonumber(string.match(last, '^%S+')) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'EX', ARGV[3])
return 1";

/// Progress in Redis, connected when it is first used.
pub struct RedisProgress {
    recorded: Notify,
    client: Client,
}

impl RedisProgress {
    /// Prepares for the server at `url`. That it is down is not an error.
    ///
    /// # Errors
    /// When the URL is not one of a Redis server.
    pub fn connect(url: &str) -> PortResult<Self> {
        Ok(Self { recorded: Notify::new(), client: Client::new(url)? })
    }
}

#[async_trait]
impl Progress for RedisProgress {
    async fn rebuild(&self, attempt: Attempt, batches: &[BatchTotals]) -> PortResult<()> {
        let key = batches_key(attempt.operation);
        let mut request = pipe();
        request.atomic().hset(&key, field(attempt, WHOLE), "1").ignore();
        for batch in batches {
            request.hset(&key, field(attempt, batch.batch), packed::pack(&batch.totals)).ignore();
        }
        self.client.ask("rebuild", request.expire(&key, TIME_TO_LIVE_SECONDS).ignore()).await
    }

    async fn record(&self, attempt: Attempt, batch: BatchTotals) -> PortResult<()> {
        let key = batches_key(attempt.operation);
        let mut request = pipe();
        request.atomic().hset(&key, field(attempt, batch.batch), packed::pack(&batch.totals)).ignore();
        let noted = self.client.ask("record", request.expire(&key, TIME_TO_LIVE_SECONDS).ignore()).await;
        // Also where the server is away: the batch is committed.
        self.recorded.notify_one();
        noted
    }

    async fn recorded(&self) {
        self.recorded.notified().await;
    }

    async fn read(&self, attempt: Attempt) -> PortResult<Option<Totals>> {
        let mut request = pipe();
        request.hgetall(batches_key(attempt.operation));
        let (mut fields,): (Vec<(String, String)>,) = self.client.ask("read", &request).await?;
        let (ours, whole) = (field(attempt, ""), field(attempt, WHOLE));
        fields.retain(|(field, _)| field.starts_with(&ours));
        if !fields.iter().any(|(field, _)| *field == whole) {
            return Ok(None);
        }
        let batches = fields.iter().filter(|(field, _)| *field != whole);
        // A value that is not ours makes all of them some that have to be rebuilt.
        let totals: Option<Vec<Totals>> = batches.map(|(_, value)| packed::unpack(value)).collect();
        Ok(totals.map(|totals| crate::progress::sum(totals.into_iter())))
    }

    async fn announce(&self, operation: OperationId, epoch: i64, state: State) -> PortResult<()> {
        let mut request = Pipeline::new();
        request.cmd("EVAL").arg(ANNOUNCE).arg(1).arg(state_key(operation));
        request.arg(epoch).arg(state.as_str()).arg(TIME_TO_LIVE_SECONDS).ignore();
        self.client.ask("announce", &request).await
    }

    async fn announced(&self, operation: OperationId) -> PortResult<Option<State>> {
        let mut request = pipe();
        request.get(state_key(operation));
        let (announced,): (Option<String>,) = self.client.ask("read the state", &request).await?;
        Ok(announced
            .as_deref()
            .and_then(|text| text.split_once(' '))
            .and_then(|(_, name)| State::parse(name)))
    }

    async fn forget(&self, operation: OperationId) -> PortResult<()> {
        let mut request = pipe();
        request.del(&[batches_key(operation), state_key(operation)]).ignore();
        self.client.ask("forget", &request).await
    }

    async fn ready(&self) -> PortResult<()> {
        let mut request = pipe();
        request.ping().ignore();
        self.client.ask("ping", &request).await
    }
}

fn field(attempt: Attempt, name: impl Display) -> String {
    format!("{}:{name}", attempt.generation)
}

fn batches_key(operation: OperationId) -> String {
    format!("carrack:v3:{{{operation}}}:batches")
}

fn state_key(operation: OperationId) -> String {
    format!("carrack:v1:{{{operation}}}:state")
}
