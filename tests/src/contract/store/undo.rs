//! What an import keeps so that it can be undone.

use std::time::Duration;

use carrack_shared::spec::Duplicates;

use super::Fresh;
use super::fixture::{CONTEXTS, cut, many, records};
use super::import::Planned;

const HOUR: Duration = Duration::from_secs(60 * 60);

async fn images(fresh: &Fresh) -> i64 {
    fresh.integer(&format!("SELECT count(*) FROM {}", fresh.control("images"))).await
}

async fn loaded(fresh: &Fresh, mode: Duplicates, notation: &str) -> Planned {
    let import = Planned::import(&fresh.store(), mode, cut(&records(notation), &[1, 1, 1, 1])).await;
    import.run().await;
    import
}

/// Not of what it creates or leaves as it is, and none where none are asked for.
pub(super) async fn overwriting_keeps_one_image_of_each_row_that_it_changes(fresh: Fresh) {
    let store = fresh.store();
    loaded(&fresh, Duplicates::Reject, "a=1 b=1 c=1").await;
    assert_eq!(images(&fresh).await, 0);
    for mode in [Duplicates::Skip, Duplicates::Reject] {
        loaded(&fresh, mode, "a=2 b=2").await;
        assert_eq!(images(&fresh).await, 0, "{mode:?}");
    }
    let pieces = cut(&records("a=2 b=2 c=2"), &[2]);
    Planned::import_for_good(&store, Duplicates::Overwrite, pieces).await.run().await;
    assert_eq!(images(&fresh).await, 0, "nobody asked for them");
    // `a` is changed twice, `b` changed and changed back, `c` left as it is, `d` created and changed.
    loaded(&fresh, Duplicates::Overwrite, "a=3 a=4 b=3 b=2 c=2 d=1 d=2").await;
    assert_eq!(images(&fresh).await, 2);
}

pub(super) async fn a_refused_row_leaves_no_image(fresh: Fresh) {
    loaded(&fresh, Duplicates::Reject, "a=1 b=1").await;
    fresh.refuse_titles(CONTEXTS).await;
    loaded(&fresh, Duplicates::Overwrite, "a=refused b=2").await;
    assert_eq!(images(&fresh).await, 1);
}

pub(super) async fn images_are_forgotten_some_time_after_the_end(fresh: Fresh) {
    let store = fresh.store();
    Planned::import(&store, Duplicates::Reject, cut(&many("k", 6), &[])).await.run().await;
    loaded(&fresh, Duplicates::Overwrite, "k0001=2 k0002=2 k0003=2").await;
    let running = Planned::import(&store, Duplicates::Overwrite, cut(&records("k0004=2"), &[])).await;
    running.load_all().await;
    assert_eq!(store.forget_images(HOUR).await.unwrap(), 0, "it has just ended");
    assert_eq!(store.forget_images(Duration::ZERO).await.unwrap(), 3);
    assert_eq!(store.forget_images(Duration::ZERO).await.unwrap(), 0, "they are gone");
    assert_eq!(images(&fresh).await, 1, "those of what still runs are not forgotten");
    running.close().await;
    assert_eq!(store.forget_images(Duration::ZERO).await.unwrap(), 1);
}
