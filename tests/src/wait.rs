//! The one way in which tests wait for what no event announces: look often, give up at a deadline.
#![expect(clippy::disallowed_methods, reason = "this is the one place where tests sleep")]

use std::time::Duration;

use tokio::time::Instant;

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Looks until `look` answers something.
///
/// # Errors
/// When it fails, or the deadline has passed; then the message names what was awaited.
pub async fn until<T>(
    deadline: Instant,
    what: impl Fn() -> String,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        anyhow::ensure!(Instant::now() < deadline, "gave up waiting for {}", what());
        before_the_next_look().await;
    }
}

/// The pause between two looks, for loops in futures that must be `Send`: the compiler cannot show it of
/// [`until`] when its closure borrows.
pub async fn before_the_next_look() {
    tokio::time::sleep(LOOK).await;
}

/// Lets time pass, where the promise is that nothing happens in it.
pub async fn nothing_for(duration: Duration) {
    tokio::time::sleep(duration).await;
}
