//! The contract on the store for nodes in one process.

use std::time::Duration;

use tokio::time::advance;
use tower_wechat::dedup::{
    Key,
    contract::{self, Subject},
    store::MemoryStore,
};

use super::SEED;

struct Memory;

impl Subject for Memory {
    type Store = MemoryStore;

    fn nodes(&self) -> [MemoryStore; 2] {
        let store = MemoryStore::new();
        [store.clone(), store]
    }

    async fn pass(&self, _keys: &[Key], time: Duration) {
        advance(time).await;
    }
}

#[tokio::test(start_paused = true)]
async fn memory_store_keeps_the_contract() {
    contract::check(&Memory, crate::cases(20_000).cases, SEED)
        .await
        .unwrap();
}
