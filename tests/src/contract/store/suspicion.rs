//! Suspicions: what a worker notes before it dies is there for the next one, and nobody else writes it.

use carrack_shared::operation::State;
use carrack_shared::segment::Claim;
use carrack_shared::spec::Duplicates;
use carrack_shared::suspicion::Suspicion;

use super::Fresh;
use super::fixture::{cut, many};
use super::import::{EXPIRED, LEASE, Planned};

/// An import of `batches` batches with two records each.
async fn import(fresh: &Fresh, batches: usize) -> Planned {
    let pieces = cut(&many("k", 2 * batches), &vec![2; batches]);
    Planned::import(&fresh.store(), Duplicates::Skip, pieces).await
}

/// A suspicion with every part in use, and one that differs from others by `deaths`.
fn suspicion(deaths: u32) -> Suspicion {
    let mut suspicion = Suspicion::default();
    for earlier in 0..5 {
        suspicion.mark(Some(1..2), earlier);
        suspicion.learn(earlier + 1);
    }
    suspicion.mark(Some(0..2), deaths);
    assert_eq!(suspicion.poison(), [1]);
    suspicion
}

impl Planned {
    async fn suspect(&self, claim: &Claim, suspicion: &Suspicion) -> bool {
        self.store.suspect(&self.operation, claim, suspicion).await.unwrap()
    }
}

pub(super) async fn what_a_holder_notes_is_told_to_the_next(fresh: Fresh) {
    let import = import(&fresh, 3).await;
    let claims = import.try_claim(0, 3, EXPIRED).await;
    assert!(claims.iter().all(|claim| claim.suspicion == Suspicion::default()), "{claims:?}");
    for deaths in [7, 8] {
        assert!(import.suspect(&claims[1], &suspicion(deaths)).await);
    }
    let next = import.through(&fresh.reopened().await).try_claim(0, 3, EXPIRED).await;
    let found: Vec<_> = next.iter().map(|claim| &claim.suspicion).collect();
    let none = Suspicion::default();
    assert_eq!(found, [&none, &suspicion(8), &none], "what the next holder is told");
    assert!(import.suspect(&next[1], &none).await);
    assert_eq!(import.claim(1, LEASE).await.suspicion, none, "it was noted anew");
}

pub(super) async fn only_the_holder_of_a_batch_notes_anything(fresh: Fresh) {
    let import = import(&fresh, 3).await;
    let first = import.claim(0, EXPIRED).await;
    assert!(import.suspect(&first, &suspicion(6)).await, "nobody has replaced it");
    let second = import.claim(0, EXPIRED).await;
    assert!(!import.suspect(&first, &suspicion(7)).await, "it was replaced");
    import.store.release(&import.operation, &[second], "shutting down").await.unwrap();
    let third = import.claim(0, LEASE).await;
    assert_eq!(third.suspicion, suspicion(6));
    import.store.release(&import.operation, std::slice::from_ref(&third), "again").await.unwrap();
    assert!(!import.suspect(&third, &suspicion(7)).await, "it was given back");

    let done = import.claim(1, LEASE).await;
    import.commit(&done).await;
    assert!(!import.suspect(&done, &suspicion(7)).await, "it is done");
}

pub(super) async fn what_was_noted_outlives_everything_but_its_batch(fresh: Fresh) {
    let import = import(&fresh, 1).await;
    let claim = import.claim(0, EXPIRED).await;
    assert!(import.suspect(&claim, &suspicion(6)).await);
    let due = import.store.due(9, 9, LEASE).await.unwrap();
    import.store.sent(&due).await.unwrap();
    assert_eq!(import.store.rescue(LEASE).await.unwrap(), 1);
    assert_eq!(import.claim(0, LEASE).await.suspicion, suspicion(6), "after a rescue");
    import.store.restart().await.unwrap();
    let last = import.claim(0, LEASE).await;
    assert_eq!(last.suspicion, suspicion(6), "after a restart");
    import.commit(&last).await;
    assert_eq!(import.close().await.state, State::Succeeded);
}
