//! The contract on the mailbox for nodes in one process.

use std::time::Duration;

use tokio::time::advance;
use tower_wechat::late::mailbox::{
    Conversation, Limits, MemoryMailbox,
    contract::{self, Subject},
};

use super::SEED;

struct Memory;

impl Subject for Memory {
    type Mailbox = MemoryMailbox;

    fn nodes(&self, limits: Limits) -> [MemoryMailbox; 2] {
        let mailbox = MemoryMailbox::new().with_limits(limits);
        [mailbox.clone(), mailbox]
    }

    async fn pass(&self, _conversations: &[Conversation], time: Duration) {
        advance(time).await;
    }
}

#[tokio::test(start_paused = true)]
async fn memory_mailbox_keeps_the_contract() {
    contract::check(&Memory, crate::cases(20_000).cases, SEED)
        .await
        .unwrap();
}
