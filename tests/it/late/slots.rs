//! Which slots are kept open in the mailbox.

use std::{
    collections::HashSet,
    convert::Infallible,
    future::pending,
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use tokio::time::Instant;
use tower_wechat::{
    dedup::{Key, store::MemoryStore},
    late::{
        NextMessage,
        mailbox::{
            Cleared, Conversation, Expected, Fetch, Fetched, Mailbox, MemoryMailbox, Owner, Put,
            Question,
        },
    },
};

use super::*;
use crate::dedup::faulty::Faulty;

/// A mailbox that notes whose slots are opened, renewed and closed, and who asks for parts.
#[derive(Clone, Default)]
struct Watched {
    mailbox: MemoryMailbox,
    opened: Arc<Mutex<Vec<Key>>>,
    renewed: Arc<Mutex<Vec<Key>>>,
    closed: Arc<Mutex<Vec<Key>>>,
    asked: Arc<Mutex<Vec<Key>>>,
    /// Whether it forgets to close slots.
    is_forgetful: Arc<AtomicBool>,
    /// Whether it waits before it keeps parts.
    is_full: Arc<AtomicBool>,
    /// Whether it does not carry out renewals.
    loses_renewals: Arc<AtomicBool>,
}

impl Mailbox for Watched {
    type Error = Infallible;

    async fn peek(&self, of: Conversation) -> Result<bool, Infallible> {
        self.mailbox.peek(of).await
    }

    async fn expect(&self, question: Question, owner: Owner) -> Result<Expected, Infallible> {
        self.opened.lock().unwrap().push(question.message);
        self.mailbox.expect(question, owner).await
    }

    async fn renew(&self, question: Question, owner: Owner) -> Result<bool, Infallible> {
        if self.loses_renewals.load(Ordering::Relaxed) {
            return Ok(true);
        }
        self.renewed.lock().unwrap().push(question.message);
        self.mailbox.renew(question, owner).await
    }

    async fn put(&self, question: Question, parts: &[Bytes]) -> Result<Put, Infallible> {
        if self.is_full.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
        self.mailbox.put(question, parts).await
    }

    async fn close(&self, question: Question, owner: Owner) -> Result<(), Infallible> {
        self.closed.lock().unwrap().push(question.message);
        if self.is_forgetful.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.mailbox.close(question, owner).await
    }

    async fn take(&self, fetch: Fetch) -> Result<Fetched, Infallible> {
        self.asked.lock().unwrap().push(fetch.by);
        if fetch.opens_slot {
            self.opened.lock().unwrap().push(fetch.by);
        }
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
    assert!((4..=6).contains(&slots.len()), "the slot is open for 5.5 s");
    slots.dedup();

    let _second = ask(60);
    sleep(secs(5)).await;
    let [first] = slots[..] else { panic!() };
    let (of_first, of_second) = renewed()
        .into_iter()
        .partition::<Vec<_>, _>(|it| *it == first);
    // Once a second, however often they are awaited.
    assert!((4..=6).contains(&of_first.len()));
    assert!((4..=6).contains(&of_second.len()));
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

/// The word shows another message's answer, and needs no slot of its own.
#[tokio::test(start_paused = true)]
async fn a_word_that_waits_in_vain_has_no_slot() {
    let watched = Watched::default();
    let next = NextMessage::shared(watched.clone()).with_words(["继续"]);
    let builder = DedupLayer::builder().with_next_message(next.unwrap());
    let dedup = builder.build();
    let wechat = wechat();
    let question = wechat.text("hi");
    let _ = question.deliver(answering(&dedup, 120, "hi")).await;
    let (word, asked) = (wechat.text("继续"), Instant::now());
    let _ = word.deliver(answering(&dedup, 0, "hi")).await;
    assert!(asked.elapsed() > secs(14), "{:?}", asked.elapsed());
    assert_eq!(watched.opened.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_reply_another_sink_takes_has_no_slot() {
    let watched = Watched::default();
    let collected = Collected::default();
    let dedup = DedupLayer::builder()
        .with_late_replies(collected.sink())
        .with_next_message(NextMessage::shared(watched.clone()))
        .build();
    let wechat = wechat();
    let _ = wechat.text("hi").deliver(answering(&dedup, 20, "hi")).await;
    dedup.drain(secs(100)).await;
    assert_eq!(collected.replies().len(), 1);
    assert_eq!(*watched.opened.lock().unwrap(), []);
}

/// The rest of its reply is not kept yet, so the message is not over.
#[tokio::test(start_paused = true)]
async fn the_slot_of_a_message_is_closed_as_soon_as_a_delivery_has_got_its_reply() {
    let watched = Watched::default();
    let next = NextMessage::shared(watched.clone());
    let dedup = DedupLayer::builder().with_next_message(next).build();
    let wechat = wechat();
    let silent = answering(&dedup, 20, Reply::success());
    let first = wechat.text("hi");
    let first = tokio::spawn(async move { first.deliver(silent).await });
    sleep(secs(16)).await;
    watched.is_full.store(true, Ordering::Relaxed);
    // It waits for the first one, whose answer is awaited.
    let long = Reply::text("字".repeat(700));
    let _ = wechat.text("hi").deliver(answering(&dedup, 0, long)).await;
    let _ = first.await;
    sleep(secs(1)).await;
    let closed: HashSet<_> = watched.closed.lock().unwrap().drain(..).collect();
    assert_eq!(closed.len(), 2);
    dedup.drain(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_whose_message_has_no_reply_is_closed_by_the_next_message() {
    let watched = Watched::default();
    let next = NextMessage::shared(watched.clone());
    let builder = DedupLayer::builder()
        .with_store(MemoryStore::new())
        .with_failure_reply(Reply::text("failed"))
        .unwrap();
    let dedup = builder.with_next_message(next).build();
    let wechat = wechat();
    watched.is_forgetful.store(true, Ordering::Relaxed);
    let silent = answering(&dedup, 20, Reply::success());
    let _ = wechat.text("hi").deliver(silent).await;
    sleep(secs(20)).await;
    watched.is_forgetful.store(false, Ordering::Relaxed);
    let asked = Instant::now();
    let _ = wechat.text("hi").deliver(answering(&dedup, 0, "hi")).await;
    assert_eq!(seen(&wechat), ["hi"]);
    assert!(asked.elapsed() < secs(5), "{:?}", asked.elapsed());
}

/// Its slot looks lost to the next message, which looks for its node.
#[tokio::test(start_paused = true)]
async fn a_message_that_runs_here_is_not_lost_because_its_slot_was_not_renewed() {
    let watched = Watched::default();
    let dedup = DedupLayer::builder()
        .with_next_message(NextMessage::shared(watched.clone()))
        .with_failure_reply(Reply::text("failed"))
        .unwrap()
        .build();
    let wechat = wechat();
    let first = wechat.text("hi");
    let _ = first.deliver(answering(&dedup, 40, "40 s")).await;
    watched.loses_renewals.store(true, Ordering::Relaxed);
    sleep(secs(15)).await;
    let _ = wechat.text("hi").deliver(answering(&dedup, 0, "hi")).await;
    assert_eq!(seen(&wechat), ["40 s"]);
}

/// Its deliveries have gone. Nobody waits until its lease is over.
#[tokio::test(start_paused = true)]
async fn a_part_that_no_delivery_has_got_is_given_back() {
    let dedup = DedupLayer::builder()
        .with_next_message(NextMessage::in_memory())
        .build();
    let wechat = wechat();
    let ask = |seconds, reply: &str| {
        let (bot, question) = (answering(&dedup, seconds, reply), wechat.text("hi"));
        tokio::spawn(async move { question.deliver(bot).await })
    };
    let first = ask(20, "20 s");
    sleep(secs(16)).await;
    let gone = ask(0, "unseen");
    sleep(secs(2)).await;
    gone.abort();
    // The first answer comes, and is not fetched within 6 s.
    sleep(secs(9)).await;
    let asked = Instant::now();
    let _ = ask(0, "hi").await.unwrap();
    assert_eq!(seen(&wechat), ["20 s"]);
    assert!(asked.elapsed() < secs(1), "{:?}", asked.elapsed());
    drop(first);
}

/// Nobody could show it.
#[tokio::test(start_paused = true)]
async fn an_acknowledged_message_asks_for_no_part() {
    let watched = Watched::default();
    let next = NextMessage::shared(watched.clone());
    let first = Acknowledgement::FirstDelivery;
    let builder = DedupLayer::builder().with_acknowledgement(first);
    let dedup = builder.with_next_message(next).build();
    let wechat = wechat();
    let (bot, first) = (answering(&dedup, 60, "60 s"), wechat.text("hi"));
    tokio::spawn(async move { first.deliver(bot).await });
    sleep(secs(6)).await;
    let asked = || mem::take(&mut *watched.asked.lock().unwrap()).len();
    let _ = wechat.text("hi").deliver(answering(&dedup, 0, "hi")).await;
    sleep(secs(1)).await;
    assert!(asked() > 5);
    sleep(secs(2)).await;
    assert_eq!(asked(), 0);
}

/// No delivery waits for one, and WeChat makes none any more.
#[tokio::test(start_paused = true)]
async fn a_message_whose_deliveries_have_gone_asks_for_no_part() {
    let watched = Watched::default();
    let next = NextMessage::shared(watched.clone());
    let dedup = DedupLayer::builder().with_next_message(next).build();
    let asked = || mem::take(&mut *watched.asked.lock().unwrap()).len();
    let wechat = wechat();
    let first = wechat.text("hi");
    let _ = first.deliver(answering(&dedup, 60, "60 s")).await;
    let (bot, gone) = (answering(&dedup, 0, "unseen"), wechat.text("hi"));
    let gone = tokio::spawn(async move { gone.deliver(bot).await });
    sleep(secs(2)).await;
    gone.abort();
    assert!(asked() > 4);
    sleep(secs(20)).await;
    let _ = asked();
    sleep(secs(5)).await;
    assert_eq!(asked(), 0);
}

/// The part comes during WeChat's last delivery, whose answer waits for the message's own run. The user does not see it.
#[tokio::test(start_paused = true)]
async fn an_inline_delivery_that_ends_before_its_answer_leaves_the_part_to_the_next_message() {
    let next = NextMessage::shared(MemoryMailbox::new());
    let store = MemoryStore::new();
    let builder = || {
        let builder = DedupLayer::builder().with_store(store.clone());
        builder.with_next_message(next.clone())
    };
    let (dedup, inline) = (builder().build(), builder().with_inline_runs().build());
    let wechat = wechat();
    let answered = wechat.text("one").deliver(answering(&dedup, 26, "first"));
    let _acknowledged = answered.await;
    let answered = wechat.text("two").deliver(answering(&inline, 60, "second"));
    let hung_up = answered.await;
    assert_eq!(hung_up.deliveries().len(), 3);
    sleep(secs(60)).await;
    let answered = wechat.text("three").deliver(answering(&dedup, 60, "third"));
    assert_eq!(answered.await, "first");
}

/// The rest of the reply waits for no other node.
#[tokio::test(start_paused = true)]
async fn an_inline_delivery_does_not_wait_for_a_store_that_is_away() {
    let store = Faulty::new();
    store.go_away();
    let builder = DedupLayer::builder().with_store(store);
    let builder = builder.with_next_message(NextMessage::in_memory());
    let dedup = builder.with_inline_runs().build();
    let long = Reply::text("字".repeat(700));
    let answered = wechat().text("hi").deliver(answering(&dedup, 2, long));
    assert_eq!(answered.await.deliveries().len(), 1);
}

/// Its host may stop the process as soon as the delivery is answered.
#[tokio::test(start_paused = true)]
async fn an_inline_delivery_waits_for_the_mailbox_that_gets_its_rest() {
    let watched = Watched::default();
    watched.is_full.store(true, Ordering::Relaxed);
    let next = NextMessage::shared(watched.clone());
    let dedup = DedupLayer::builder()
        .with_store(MemoryStore::new())
        .with_next_message(next)
        .with_inline_runs()
        .build();
    let long = Reply::text("字".repeat(700));
    let asked = Instant::now();
    let _ = wechat()
        .text("hi")
        .deliver(answering(&dedup, 0, long))
        .await;
    assert!(asked.elapsed() > Duration::from_millis(100));
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_message_that_is_lost_with_its_node_is_an_error_if_there_is_no_failure_reply() {
    let (store, mailbox) = (MemoryStore::new(), MemoryMailbox::new());
    let [lost, other] = [(); 2].map(|()| {
        let next = NextMessage::shared(mailbox.clone());
        let builder = DedupLayer::builder().with_store(store.clone());
        builder.with_next_message(next).build()
    });
    // Of an account with a name.
    let verify = VerifySignatureLayer::new(account().with_name("shop")).with_clock(now);
    let stack = ServiceBuilder::new().layer(verify);
    let slow = message_fn(|_: Message| async {
        sleep(secs(60)).await;
        Reply::success()
    });
    let log = crate::log::of(async || {
        let wechat = wechat();
        let question = wechat.text("hi");
        let _ = question
            .deliver(stack.clone().layer(&lost).service(slow.clone()))
            .await;
        lost.drain(Duration::ZERO).await;
        sleep(secs(10)).await;
        let next = wechat.text("hi");
        let _ = next
            .deliver(stack.clone().layer(&other).service(slow.clone()))
            .await;
    })
    .await;
    let warnings = crate::log::warnings(&log);
    let [cut, lost] = *warnings else {
        panic!("{warnings:?}")
    };
    assert!(cut.contains("reason=\"its message was cut\""), "{cut}");
    let reason = "reason=\"its node is lost, and there is no failure reply\"";
    assert!(lost.starts_with("ERROR") && lost.contains(reason), "{lost}");
    assert!(lost.contains("account=\"shop\""), "{lost}");
}
