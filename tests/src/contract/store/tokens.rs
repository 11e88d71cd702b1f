//! Bearer tokens.

use super::Fresh;

pub(super) async fn a_token_is_known_by_its_hash_alone(fresh: Fresh) {
    let store = fresh.store();
    let mut almost = [7; 32];
    almost[31] = 8;
    store.add_token("ada", [7; 32]).await.unwrap();
    store.add_token("ada", [9; 32]).await.unwrap();
    store.add_token("Grace Hopper", almost).await.unwrap();
    let store = fresh.reopened().await;
    for (hash, owner) in
        [([7; 32], Some("ada")), ([9; 32], Some("ada")), (almost, Some("Grace Hopper")), ([0; 32], None)]
    {
        assert_eq!(store.token_owner(hash).await.unwrap().as_deref(), owner);
    }
}
