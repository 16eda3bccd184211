//! What happens at the bounds of all conversations, and what they take.

use tokio::time::advance;

use super::*;

fn user(number: u32) -> Conversation {
    Conversation::new("account", &number.to_string())
}

fn question(user: Conversation) -> Question {
    Question::new(user, Key::new(["question"]), Duration::from_secs(20))
}

const OWNER: Owner = Owner([1; 16]);

impl MemoryMailbox {
    async fn keep(&self, number: u32, size: usize) -> u32 {
        let part = Bytes::from(vec![0; size]);
        let put = self.put(question(user(number)), &[part]).await;
        match put.expect("memory") {
            Put::Kept { dropped } => dropped,
            other => panic!("{other:?}"),
        }
    }

    async fn has(&self, number: u32) -> bool {
        self.peek(user(number)).await.expect("memory")
    }

    async fn fetch(&self, number: u32) -> Fetched {
        let fetch = Fetch::new(user(number), Key::new(["next"]), Duration::ZERO, OWNER);
        self.take(fetch).await.expect("memory")
    }

    fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn len(&self) -> usize {
        let conversations = self.lock();
        assert_eq!(conversations.order.len(), conversations.entries.len());
        conversations.entries.len()
    }
}

#[tokio::test(start_paused = true)]
async fn the_conversation_that_was_used_least_recently_is_dropped_and_counted() {
    let mailbox = MemoryMailbox::new().with_capacity(2);
    assert_eq!(mailbox.keep(1, 10).await, 0);
    assert_eq!(mailbox.keep(2, 10).await, 0);
    assert!(matches!(mailbox.fetch(1).await, Fetched::Part(_)));
    assert_eq!(mailbox.keep(3, 10).await, 1);
    assert!(mailbox.has(1).await && !mailbox.has(2).await && mailbox.has(3).await);
    let expected = mailbox.expect(question(user(4)), OWNER).await;
    assert_eq!(expected, Ok(Expected::Yours { dropped: 1 }));
    assert!(!mailbox.has(1).await && mailbox.has(3).await);
    // A mark takes room too.
    assert_eq!(
        mailbox.clear(user(5), Duration::ZERO).await,
        Ok(Cleared::new(0, 1))
    );
    assert_eq!(mailbox.len(), 2);
    // An awaited slot has no part.
    assert_eq!(mailbox.keep(6, 10).await, 0);
    assert!(!mailbox.has(4).await);
}

#[tokio::test(start_paused = true)]
async fn all_parts_and_slots_have_a_bound() {
    let mailbox = MemoryMailbox::new();
    mailbox.keep(0, 1000).await;
    let mailbox = MemoryMailbox::new().with_max_bytes(10 * mailbox.bytes());
    for number in 0..10 {
        assert_eq!(mailbox.keep(number, 1000).await, 0);
    }
    assert_eq!(mailbox.keep(10, 2000).await, 2);
    assert_eq!(mailbox.len(), 9);
    assert!(!mailbox.has(1).await && mailbox.has(2).await);
}

/// Nobody has to ask for them.
#[tokio::test(start_paused = true)]
async fn conversations_whose_time_is_over_are_dropped_without_being_used() {
    let mailbox = MemoryMailbox::new();
    for number in 0..10 {
        mailbox.keep(number, 10).await;
    }
    advance(Duration::from_mins(30)).await;
    assert!(!mailbox.has(0).await);
    assert_eq!(
        mailbox.keep(10, 10).await,
        0,
        "they have not been dropped for room"
    );
    assert_eq!(mailbox.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_of_a_conversation_that_has_nothing() {
    let mailbox = MemoryMailbox::new();
    let question = question(user(1));
    assert_eq!(mailbox.fetch(1).await, Fetched::Nothing);
    assert_eq!(mailbox.renew(question, OWNER).await, Ok(false));
    mailbox.expect(question, OWNER).await.expect("memory");
    mailbox.close(question, OWNER).await.expect("memory");
    assert_eq!((mailbox.len(), mailbox.bytes()), (0, 0));
}

/// The docs of [`MemoryMailbox`] say what it takes when it is full.
#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_users_fit_into_a_hundred_mebibytes() {
    // A table of entries may be half empty after it has grown, and so may a node of a tree.
    let conversation = 2 * (size_of::<(Key, Entry)>() + 1) + 2 * size_of::<(u64, Key)>();
    let mailbox = MemoryMailbox::new();
    for number in 0..100_000 {
        assert_eq!(mailbox.keep(number, 300).await, 0);
    }
    assert_eq!(mailbox.len(), 100_000);
    let size = mailbox.bytes() + 100_000 * conversation;
    assert!(size <= 100 * 1024 * 1024, "{size} bytes");
    // With larger ones, as many are kept as there is room for.
    let mut dropped = 0;
    for number in 100_000..150_000 {
        dropped += mailbox.keep(number, 2000).await;
    }
    assert!(dropped > 50_000, "{dropped} parts");
    assert!(mailbox.bytes() <= 64 * 1024 * 1024);
}
