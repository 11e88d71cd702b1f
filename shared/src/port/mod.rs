//! The ports: what Carrack needs of the outside, as small traits. Each adapter passes the port's contract
//! suite; only `adapters::connect` knows which one is behind a port.

pub mod batches;
pub mod finalising;
pub mod objects;
pub mod operations;
pub mod outbox;
pub mod planning;
pub mod progress;
pub mod queue;
pub mod records;
pub mod rejects;
pub mod staging;
pub mod templates;
pub mod tokens;
pub mod undoing;
pub mod verifying;
pub mod workers;

use std::sync::Arc;

use crate::layer::secret::MasterKey;

pub use batches::Batches;
pub use finalising::Finalising;
pub use objects::Objects;
pub use operations::Operations;
pub use outbox::Outbox;
pub use planning::Planning;
pub use progress::Progress;
pub use queue::Queue;
pub use records::Records;
pub use rejects::Rejects;
pub use staging::Staging;
pub use templates::Templates;
pub use tokens::Tokens;
pub use undoing::Undoing;
pub use verifying::Verifying;
pub use workers::Workers;

/// The database: every port whose effects share a transaction or a clock with the others.
pub trait Store:
    Operations
    + Planning
    + Batches
    + Outbox
    + Finalising
    + Staging
    + Records
    + Rejects
    + Templates
    + Tokens
    + Undoing
    + Verifying
    + Workers
{
}

impl<T> Store for T where
    T: Operations
        + Planning
        + Batches
        + Outbox
        + Finalising
        + Staging
        + Records
        + Rejects
        + Templates
        + Tokens
        + Undoing
        + Verifying
        + Workers
{
}

/// One adapter for each port.
#[derive(Clone)]
pub struct Ports {
    /// The database: the only truth.
    pub store: Arc<dyn Store>,
    /// Sources, export parts and long frames.
    pub objects: Arc<dyn Objects>,
    /// Wake-up hints for workers.
    pub queue: Arc<dyn Queue>,
    /// A cache of progress and cancel flags.
    pub progress: Arc<dyn Progress>,
    /// The key that wraps the keys of files, if this deployment has one.
    pub master_key: Option<Arc<MasterKey>>,
}
