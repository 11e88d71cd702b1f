//! A connection on which a query is read that may be left before its end.

use deadpool_postgres::Object;
use tokio::runtime::Handle;
use tokio_postgres::CancelToken;

use super::connection::Connector;

/// A connection of the pool. Dropped before [`Reading::end`], its query is cancelled and it is closed: the rest of the
/// rows would otherwise have to be received before it could be used.
pub(super) struct Reading {
    /// None when everything was read.
    client: Option<Object>,
    connector: Connector,
    token: CancelToken,
}

impl Reading {
    pub fn begin(client: Object, connector: Connector) -> Self {
        let token = client.cancel_token();
        Self { client: Some(client), connector, token }
    }

    pub fn client(&self) -> &Object {
        let Some(client) = &self.client else { unreachable!("only its end takes it") };
        client
    }

    /// Everything was read: gives the connection back.
    pub fn end(mut self) {
        drop(self.client.take());
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let (Some(client), Ok(runtime)) = (self.client.take(), Handle::try_current()) else { return };
        let (connector, token) = (self.connector.clone(), self.token.clone());
        runtime.spawn(async move {
            let unusable = Object::take(client);
            if let Err(error) = connector.cancel(token).await {
                tracing::debug!(%error, "a query could not be cancelled, its connection is closed");
            }
            drop(unusable);
        });
    }
}
