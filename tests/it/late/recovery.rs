//! A question whose node is lost after its run: the store tells the node that gets the next message what became of the reply.

use http::StatusCode;
use tokio::{task::JoinHandle, time::Instant};
use tower_wechat::{
    dedup::{
        Key, StoredResponse,
        store::{Claim, ClaimId, Completed, Ending, Released, Store, Ttls},
    },
    late::{
        NextMessage,
        mailbox::{Conversation, Mailbox, MemoryMailbox, Owner, Question},
    },
};

use super::*;
use crate::dedup::faulty::{Faulty, Operation};

/// The user's next message, at another node.
struct Next {
    /// Where both nodes keep their messages.
    store: Faulty,
    /// The way of this node to the store.
    way: Faulty,
    /// The claim of the lost node, which holds the reply "saved".
    lost: Claim,
    message: JoinHandle<Transcript>,
    wechat: Simulator,
}

impl Next {
    async fn after_a_lost_node() -> Self {
        let (store, mailbox) = (Faulty::new(), MemoryMailbox::new());
        let ttls = Ttls::new(secs(5));
        let lost = Claim::new(Key::new(["question"]), ClaimId::random(), ttls);
        let of = Question::new(Conversation::new("", USER), lost.key, Duration::ZERO);
        let owner = Owner::new(lost.id.to_bytes());
        mailbox.expect(of, owner).await.unwrap();
        store.claim(lost).await.unwrap();
        let saved = "<xml><ToUserName>u</ToUserName><FromUserName>a</FromUserName>\
                     <CreateTime>1700000000</CreateTime><MsgType>text</MsgType>\
                     <Content>saved</Content></xml>";
        let saved = StoredResponse::new(StatusCode::OK, None, saved);
        let completed = store.complete(lost, Ending::Reply(saved)).await;
        assert_eq!(completed.unwrap(), Completed::Stored);
        sleep(secs(10)).await;

        let way = store.beside();
        let dedup = DedupLayer::builder()
            .with_store(way.clone())
            .with_next_message(NextMessage::shared(mailbox))
            .build();
        let wechat = wechat();
        let (bot, message) = (answering(&dedup, 0, "own"), wechat.text("hi"));
        Self {
            store,
            way,
            lost,
            message: tokio::spawn(async move { message.deliver(bot).await }),
            wechat,
        }
    }

    /// Waits until the node has asked for this many claims.
    async fn has_claimed(&self, times: usize) {
        for _ in 0..1000 {
            if self.way.calls(Operation::Claim) >= times {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("no claim {times} within ten seconds");
    }

    /// Releases the lost node's hold.
    async fn release(&self) -> Released {
        self.store.release(self.lost).await.unwrap()
    }

    /// Waits for the message's answer, and returns what the user has seen by then.
    async fn seen(self) -> Vec<String> {
        let _ = self.message.await.unwrap();
        seen(&self.wechat)
    }
}

/// The node that was thought lost leaves the reply to the one that has asked.
#[tokio::test(start_paused = true)]
async fn a_reply_that_is_left_to_the_recovery_is_shown() {
    let next = Next::after_a_lost_node().await;
    next.way
        .delay(Operation::Claim, Duration::ZERO, Duration::from_millis(100));
    // The message's own claim, and that of the recovery.
    next.has_claimed(2).await;
    sleep(Duration::from_millis(50)).await;
    assert_eq!(next.release().await, Released::HeldElsewhere);
    let way = next.way.clone();
    assert_eq!(next.seen().await, ["saved"]);
    assert_eq!(way.calls(Operation::Claim), 2, "it is shown at once");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_its_node_still_holds_is_not_shown_by_the_recovery() {
    let next = Next::after_a_lost_node().await;
    // Once a second, however often the message looks for a part.
    next.has_claimed(2).await;
    let begun = Instant::now();
    next.has_claimed(4).await;
    assert!(begun.elapsed() > Duration::from_millis(1_900));
    sleep(Duration::from_millis(50)).await;
    assert_eq!(next.release().await, Released::LastHold);
    let sent = next.store.complete(next.lost, Ending::Nothing).await;
    assert!(sent.is_ok());
    assert_eq!(next.seen().await, ["own"]);
}

/// As after a restart of the only node, whose mailbox is in Redis.
#[tokio::test(start_paused = true)]
async fn without_a_store_a_question_of_another_process_ends_in_the_failure_reply() {
    let mailbox = MemoryMailbox::new();
    let of = Question::new(
        Conversation::new("", USER),
        Key::new(["question"]),
        Duration::ZERO,
    );
    mailbox.expect(of, Owner::new([1; 16])).await.unwrap();
    sleep(secs(10)).await;
    let dedup = DedupLayer::builder()
        .with_next_message(NextMessage::shared(mailbox))
        .with_failure_reply(Reply::text("failed"))
        .unwrap()
        .build();
    let wechat = wechat();
    let _ = wechat.text("hi").deliver(answering(&dedup, 0, "own")).await;
    assert_eq!(seen(&wechat), ["failed"]);
}
