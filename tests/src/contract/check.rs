//! What a check of a port is and how it is run: on a subject of its own, in bounded time.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;

/// After this long a check hangs. The slowest takes a fifth of it.
pub const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Checks that run at a time.
const AT_ONCE: usize = 4;

/// A promise that can be checked. It panics when the promise is broken.
pub struct Check<S> {
    /// The promise.
    pub name: &'static str,
    /// Checks it on a fresh subject.
    pub run: fn(S) -> BoxFuture<'static, ()>,
}

/// A promise that was broken.
#[derive(Debug)]
pub struct Broken {
    /// The promise.
    pub name: &'static str,
    /// How.
    pub reason: String,
}

/// Makes the list of all checks of a suite from the names of their functions.
#[macro_export]
macro_rules! checks {
    ($subject:ty: $($promise:ident)+) => {
        /// Every check of this port.
        pub const ALL: &[$crate::contract::check::Check<$subject>] = &[$(
            $crate::contract::check::Check { name: stringify!($promise), run: |subject| Box::pin($promise(subject)) },
        )+];
    };
}

/// Runs every check on a subject of its own that `fresh` makes, each for at most `limit`.
pub async fn broken<S: Send + 'static>(
    checks: &[Check<S>],
    fresh: impl AsyncFn() -> S,
    limit: Duration,
) -> Vec<Broken> {
    let outcomes = stream::iter(checks).map(async |check| run(check, fresh().await, limit).await);
    outcomes.buffered(AT_ONCE).filter_map(async |outcome| outcome.err()).collect().await
}

/// Runs one check. The subject is gone when this answers.
async fn run<S: Send + 'static>(check: &Check<S>, subject: S, limit: Duration) -> Result<(), Broken> {
    let mut running = tokio::spawn((check.run)(subject));
    let reason = match tokio::time::timeout(limit, &mut running).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(panic)) => panic.to_string(),
        Err(_) => format!("not done after {limit:?}, it hangs"),
    };
    running.abort();
    Err(Broken { name: check.name, reason })
}

/// Asserts that a defect is found: by the check `name`, with a reason that contains `reason`.
pub async fn assert_found<S: Send + 'static>(
    checks: &[Check<S>],
    (defect, name, reason): (&str, &str, &str),
    subject: S,
    limit: Duration,
) {
    let check = checks.iter().find(|check| check.name == name).expect("a check of this name");
    match run(check, subject, limit).await {
        Ok(()) => panic!("{defect}: {name} did not notice"),
        Err(found) => {
            assert!(
                found.reason.contains(reason),
                "{defect}: {name}: expected {reason:?}, found {:?}",
                found.reason
            );
        }
    }
}
