//! A node that goes away while replies are on their way, and a mailbox that is away.

use std::{
    future::{Future, ready},
    sync::atomic::{AtomicUsize, Ordering},
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

/// Hands over one part, then hangs.
struct Stuck;

impl LateSink for Stuck {
    async fn accept(&self, late: &mut LateReply) {
        if let Some(part) = late.next_part(2048) {
            part.hand_over();
        }
        std::future::pending::<()>().await;
    }
}

/// A node whose first sink hangs. The mailbox is behind it.
fn stuck(mailbox: &MemoryMailbox) -> DedupLayer {
    DedupLayer::builder()
        .with_late_replies(Stuck)
        .with_next_message(NextMessage::shared(mailbox.clone()))
        .build()
}

/// Returns what another node shows of the mailbox, until its own answers come.
async fn left(mailbox: &MemoryMailbox, wechat: &Simulator) -> Vec<String> {
    let before = seen(wechat).len();
    let next = NextMessage::shared(mailbox.clone());
    let dedup = DedupLayer::builder().with_next_message(next).build();
    let bot = answering(&dedup, 0, "nothing is left");
    for _ in 0..4 {
        let _ = wechat.text("hi").deliver(bot.clone()).await;
    }
    let shown = seen(wechat).into_iter().skip(before);
    let left = shown.take_while(|shown| !shown.contains("nothing is left"));
    left.map(|part| part.chars().take(1).collect()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_cut_puts_into_the_mailbox_what_a_sink_has_not_handed_over() {
    for after in [2, 20] {
        let mailbox = MemoryMailbox::new();
        let dedup = stuck(&mailbox);
        let bot = answering(&dedup, after, story(4));
        let wechat = wechat();
        let _ = wechat.text("hi").deliver(bot).await;
        // With the sink.
        sleep(secs(10)).await;
        let start = tokio::time::Instant::now();
        dedup.drain(Duration::ZERO).await;
        assert!(start.elapsed() <= secs(1));
        // The passive reply had the first part after 2 s.
        let expected = if after == 2 { 2 } else { 1 };
        let expected: Vec<_> = (expected..4).map(|part| part.to_string()).collect();
        assert_eq!(left(&mailbox, &wechat).await, expected, "{after}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_puts_the_reply_of_a_fetching_message_into_the_mailbox() {
    let mailbox = MemoryMailbox::new();
    let dedup = stuck(&mailbox);
    let bot = answering(&dedup, 20, story(3));
    let wechat = wechat();
    let _ = wechat.text("hi").deliver(bot.clone()).await;
    // The sink has had its minute.
    sleep(secs(100)).await;
    let _ = wechat.text("and").deliver(bot).await;
    // The second message has fetched a part, and its own reply is with the sink.
    sleep(secs(25)).await;
    dedup.drain(Duration::ZERO).await;
    assert_eq!(left(&mailbox, &wechat).await, ["2", "1", "2"]);
}

/// A mailbox that does not work.
#[derive(Clone, Default)]
struct Away {
    asked: Arc<AtomicUsize>,
    /// It went away after this message had found that something is kept.
    is_peeked: bool,
}

impl Away {
    fn fail<T>(&self) -> impl Future<Output = Result<T, &'static str>> + use<T> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        ready(Err("no paper"))
    }
}

impl Mailbox for Away {
    type Error = &'static str;

    async fn peek(&self, _: Conversation) -> Result<bool, Self::Error> {
        if self.is_peeked {
            return Ok(true);
        }
        self.fail().await
    }

    async fn expect(&self, _: Question, _: Owner) -> Result<Expected, Self::Error> {
        self.fail().await
    }

    async fn renew(&self, _: Question, _: Owner) -> Result<bool, Self::Error> {
        self.fail().await
    }

    async fn put(&self, _: Question, _: &[Bytes]) -> Result<Put, Self::Error> {
        self.fail().await
    }

    async fn close(&self, _: Question, _: Owner) -> Result<(), Self::Error> {
        self.fail().await
    }

    async fn take(&self, _: Fetch) -> Result<Fetched, Self::Error> {
        self.fail().await
    }

    async fn settle(&self, _: Conversation, _: Key, _: Key, _: u32) -> Result<bool, Self::Error> {
        self.fail().await
    }

    async fn give_back(&self, _: Conversation, _: Key, _: Owner) -> Result<(), Self::Error> {
        self.fail().await
    }

    async fn clear(&self, _: Conversation, _: Duration) -> Result<Cleared, Self::Error> {
        self.fail().await
    }
}

/// Tells a bot whose mailbox is away 50 messages in half a second, and returns how often the mailbox was asked.
async fn tell_many() -> usize {
    let away = Away::default();
    let next = NextMessage::shared(away.clone());
    let dedup = DedupLayer::builder().with_next_message(next).build();
    let bot = answering(&dedup, 0, "hi");
    let wechat = wechat();
    for _ in 0..50 {
        let _ = wechat.text("hi").deliver(bot.clone()).await;
        sleep(10 * MILLISECOND).await;
    }
    assert_eq!(seen(&wechat).len(), 50);
    away.asked.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_is_away_is_left_alone() {
    assert_eq!(tell_many().await, 3);
}

/// It is tried again, but not until the message is acknowledged.
#[tokio::test(start_paused = true)]
async fn a_word_does_not_wait_for_a_mailbox_that_is_away() {
    let away = Away {
        is_peeked: true,
        ..Away::default()
    };
    let next = NextMessage::shared(away).with_words(["more"]);
    let dedup = DedupLayer::builder().with_next_message(next.unwrap());
    let wechat = wechat();
    let bot = answering(&dedup.build(), 0, "hi");
    let _ = wechat.text("more").deliver(bot).await;
    let shown = wechat.chat(USER).shown()[0].clone();
    assert_eq!(shown.to_string(), "hi");
    assert!((MILLISECOND..secs(1)).contains(&shown.at()), "{shown:?}");
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_mailbox_that_is_away_is_one_warning() {
    let log = crate::log::of(async || assert_eq!(tell_many().await, 3)).await;
    assert_eq!(crate::log::warnings(&log).len(), 1, "{log}");
}
