//! Which slots are kept open in the mailbox.

use std::{
    convert::Infallible,
    mem,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use tower_wechat::{
    dedup::Key,
    late::{
        NextMessage,
        mailbox::{
            Cleared, Conversation, Expected, Fetch, Fetched, Mailbox, MemoryMailbox, Owner, Put,
            Question,
        },
    },
};

use super::*;

/// A mailbox that notes whose slots are renewed and closed.
#[derive(Clone, Default)]
struct Watched {
    mailbox: MemoryMailbox,
    renewed: Arc<Mutex<Vec<Key>>>,
    closed: Arc<Mutex<Vec<Key>>>,
}

impl Mailbox for Watched {
    type Error = Infallible;

    async fn peek(&self, of: Conversation) -> Result<bool, Infallible> {
        self.mailbox.peek(of).await
    }

    async fn expect(&self, question: Question, owner: Owner) -> Result<Expected, Infallible> {
        self.mailbox.expect(question, owner).await
    }

    async fn renew(&self, question: Question, owner: Owner) -> Result<bool, Infallible> {
        self.renewed.lock().unwrap().push(question.message);
        self.mailbox.renew(question, owner).await
    }

    async fn put(&self, question: Question, parts: &[Bytes]) -> Result<Put, Infallible> {
        self.mailbox.put(question, parts).await
    }

    async fn close(&self, question: Question, owner: Owner) -> Result<(), Infallible> {
        self.closed.lock().unwrap().push(question.message);
        self.mailbox.close(question, owner).await
    }

    async fn take(&self, fetch: Fetch) -> Result<Fetched, Infallible> {
        self.mailbox.take(fetch).await
    }

    async fn settle(
        &self,
        of: Conversation,
        by: Key,
        question: Key,
        number: u32,
    ) -> Result<bool, Infallible> {
        self.mailbox.settle(of, by, question, number).await
    }

    async fn give_back(&self, of: Conversation, by: Key, owner: Owner) -> Result<(), Infallible> {
        self.mailbox.give_back(of, by, owner).await
    }

    async fn clear(&self, of: Conversation, age: Duration) -> Result<Cleared, Infallible> {
        self.mailbox.clear(of, age).await
    }
}

/// Else it would look lost to the messages behind it.
#[tokio::test(start_paused = true)]
async fn the_slot_of_a_message_that_waits_for_an_earlier_answer_is_renewed() {
    let watched = Watched::default();
    let next = NextMessage::shared(watched.clone());
    let dedup = DedupLayer::builder().with_next_message(next).build();
    let renewed = || mem::take(&mut *watched.renewed.lock().unwrap());
    let wechat = wechat();
    let ask = |seconds| {
        let (bot, question) = (answering(&dedup, seconds, "hi"), wechat.text("hi"));
        tokio::spawn(async move { question.deliver(bot).await })
    };

    let _first = ask(60);
    sleep(secs(10)).await;
    assert_eq!(renewed(), [], "nothing is kept, and it is not acknowledged");
    sleep(secs(10)).await;
    let mut slots = renewed();
    slots.dedup();

    let _second = ask(60);
    sleep(secs(5)).await;
    let [first] = slots[..] else { panic!() };
    let (of_first, of_second) = renewed()
        .into_iter()
        .partition::<Vec<_>, _>(|it| *it == first);
    assert!(of_first.len() >= 4 && of_second.len() >= 4);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_fetches_nothing_has_no_slot_to_close() {
    let watched = Watched::default();
    let next = NextMessage::shared(watched.clone());
    let dedup = DedupLayer::builder().with_next_message(next).build();
    let closed = || mem::take(&mut *watched.closed.lock().unwrap()).len();
    let wechat = wechat();
    let _ = wechat
        .text("hi")
        .deliver(answering(&dedup, 20, "20 s"))
        .await;
    sleep(secs(10)).await;
    let _ = closed();
    // Now a reply is kept. The event does not fetch it, so it opens no slot.
    let subscribed = wechat.event("subscribe");
    let _ = subscribed.deliver(answering(&dedup, 0, "welcome")).await;
    sleep(secs(10)).await;
    assert_eq!(closed(), 0);
    let _ = wechat.text("hi").deliver(answering(&dedup, 0, "hi")).await;
    assert_eq!(seen(&wechat), ["welcome", "20 s"]);
}
