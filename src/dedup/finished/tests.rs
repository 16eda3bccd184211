//! What a node learns and does when it tells the store of a result once more.

use std::{convert::Infallible, sync::Mutex};

use futures_util::future::join;
use http::StatusCode;

use super::*;
use crate::{
    dedup::{
        DedupLayer, Key, Keyed, StoredResponse,
        node::LEASE,
        store::{Acknowledged, ClaimId, Found, MemoryStore, Renewed, Run, Store, Ttls},
        table::Admission,
    },
    response::Taken,
};

/// What a store knows of a message from another node.
#[derive(Debug, Clone, Copy)]
enum Known {
    Nothing,
    Running,
    /// Its lease is over.
    Abandoned,
    Replied,
    Late,
    /// Its lease is over.
    LateAbandoned,
    Done,
}

fn key() -> Key {
    Key::new(["message"])
}

fn ttls() -> Ttls {
    Ttls::new(LEASE)
}

/// A claim of another node.
fn other() -> Claim {
    Claim::new(key(), ClaimId::random(), ttls())
}

fn response(body: &str) -> StoredResponse {
    StoredResponse::new(StatusCode::OK, None, body)
}

/// A message that has ended so on a node, and the node's store.
fn ended(keyed: impl Into<Keyed>, origin: Origin) -> (Finished, MemoryStore) {
    let store = MemoryStore::new();
    (ended_in(store.clone(), keyed, origin), store)
}

fn ended_in(store: impl Store, keyed: impl Into<Keyed>, origin: Origin) -> Finished {
    let node = Arc::clone(DedupLayer::shared(store).node());
    let (keyed, now) = (keyed.into(), Instant::now());
    let admission = node
        .table(keyed.key())
        .claim(keyed, ttls(), now, now, || Ok(()));
    let Admission::Run(waiting, ..) = admission else {
        panic!("expected to run, got {admission:?}")
    };
    Finished::new(&node, waiting.task(), response("own"), origin)
}

/// A store that is away.
struct Away;

impl Store for Away {
    type Error = &'static str;

    async fn claim(&self, _: Claim) -> Result<Found, Self::Error> {
        Err("away")
    }

    async fn renew(&self, _: Claim, _: Run) -> Result<Renewed, Self::Error> {
        Err("away")
    }

    async fn complete(&self, _: Claim, _: Ending) -> Result<Completed, Self::Error> {
        Err("away")
    }

    async fn acknowledge(&self, _: Claim) -> Result<Acknowledged, Self::Error> {
        Err("away")
    }

    async fn release(&self, _: Claim) -> Result<Released, Self::Error> {
        Err("away")
    }
}

/// A store that forgets all messages after each operation.
struct Forgetful(Mutex<MemoryStore>);

impl Forgetful {
    fn take(&self) -> MemoryStore {
        mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Store for Forgetful {
    type Error = Infallible;

    async fn claim(&self, claim: Claim) -> Result<Found, Infallible> {
        self.take().claim(claim).await
    }

    async fn renew(&self, claim: Claim, run: Run) -> Result<Renewed, Infallible> {
        self.take().renew(claim, run).await
    }

    async fn complete(&self, claim: Claim, ending: Ending) -> Result<Completed, Infallible> {
        self.take().complete(claim, ending).await
    }

    async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, Infallible> {
        self.take().acknowledge(claim).await
    }

    async fn release(&self, claim: Claim) -> Result<Released, Infallible> {
        self.take().release(claim).await
    }
}

async fn teach(store: &MemoryStore, known: Known) {
    let claim = other();
    let ending = match known {
        Known::Nothing => return,
        Known::Running | Known::Abandoned => None,
        Known::Replied => Some(Ending::Reply(response("other"))),
        Known::Late | Known::LateAbandoned => Some(Ending::Late(response("other"))),
        Known::Done => Some(Ending::Nothing),
    };
    store.claim(claim).await.unwrap();
    if let Some(ending) = ending {
        store.complete(claim, ending).await.unwrap();
    }
    if let Known::Abandoned | Known::LateAbandoned = known {
        time::advance(LEASE).await;
    }
}

/// What the store tells the next node that asks.
async fn next(store: &MemoryStore) -> Claimed {
    store.claim(other()).await.unwrap().claimed
}

/// Releases a result in a store that does not know its message, after the store's last answer.
async fn release_after(told: Told) -> Option<Released> {
    let (finished, _store) = ended(key(), Origin::Run);
    let store = finished.node.store.as_deref().unwrap();
    finished.release(store, told).await
}

fn replied(body: &str) -> impl Fn(&Claimed) -> bool {
    let expected = response(body);
    move |claimed| matches!(claimed, Claimed::Replied { response, .. } if *response == expected)
}

#[tokio::test(start_paused = true)]
async fn a_result_of_its_own_is_told_to_a_store_that_has_lost_it() {
    let lost = Ok(Completed::Lost);
    for (known, told) in [
        (Known::Nothing, Ok(Completed::Stored)),
        (Known::Running, Err(Unconfirmed::RunsElsewhere)),
        (Known::Abandoned, Err(Unconfirmed::Forgotten)),
        (Known::Replied, Ok(Completed::Stored)),
        (Known::Late, lost),
        (Known::LateAbandoned, Ok(Completed::Acknowledged)),
        (Known::Done, lost),
    ] {
        for origin in [Origin::Run, Origin::FailedRun, Origin::Fallback] {
            for keyed in [Keyed::from(key()), Keyed::from(key()).retried_for(LEASE)] {
                let (finished, store) = ended(keyed, origin);
                teach(&store, known).await;
                assert_eq!(finished.confirm().await, told, "{known:?} {origin:?}");
                match known {
                    Known::Nothing => assert!(replied("own")(&next(&store).await)),
                    Known::Replied => assert!(replied("other")(&next(&store).await)),
                    _ => {}
                }
            }
        }
    }
}

/// The store may have lost it: nobody else tells it again.
#[tokio::test(start_paused = true)]
async fn a_result_of_another_node_is_told_to_a_store_that_has_lost_it() {
    let lost = Ok(Completed::Lost);
    for (known, told) in [
        (Known::Nothing, Ok(Completed::Stored)),
        (Known::Running, lost),
        (Known::Abandoned, Ok(Completed::Stored)),
        (Known::Replied, Ok(Completed::Stored)),
        (Known::Late, lost),
        (Known::LateAbandoned, Ok(Completed::Acknowledged)),
        (Known::Done, lost),
    ] {
        let (finished, store) = ended(key(), Origin::Store);
        teach(&store, known).await;
        assert_eq!(finished.confirm().await, told, "{known:?}");
        if let Known::Nothing | Known::Abandoned = known {
            assert!(replied("own")(&next(&store).await), "{known:?}");
        }
    }
}

/// A delivery or a sink has got the result, and another node was lost with a late reply of the message.
#[tokio::test(start_paused = true)]
async fn a_late_reply_that_another_node_has_left_is_sent_by_nobody_after_the_result() {
    for origin in [Origin::Run, Origin::Store] {
        for is_handed_over in [false, true] {
            let (finished, store) = ended(key(), origin);
            teach(&store, Known::LateAbandoned).await;
            let finished = Finished {
                is_handed_over,
                ..finished
            };
            finished.confirm_in_background();
            time::sleep(Duration::from_mins(1)).await;
            assert_eq!(next(&store).await, Claimed::Done, "{origin:?}");
        }
    }
}

/// It may be a failure, after which the next delivery runs the message.
#[tokio::test(start_paused = true)]
async fn another_nodes_result_of_a_message_that_is_retried_is_not_told_again() {
    let retried = Keyed::from(key()).retried_for(LEASE);
    let (finished, store) = ended(retried, Origin::Store);
    assert_eq!(finished.confirm().await, Ok(Completed::Lost));
    assert!(matches!(next(&store).await, Claimed::Won(_)));
}

#[tokio::test(start_paused = true)]
async fn a_result_that_a_sink_has_got_is_kept_for_no_delivery() {
    let (finished, store) = ended(key(), Origin::Run);
    let finished = Finished {
        is_handed_over: true,
        ..finished
    };
    assert_eq!(finished.confirm().await, Ok(Completed::Acknowledged));
    assert_eq!(next(&store).await, Claimed::Done);
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_another_nodes_if_that_one_had_ended_the_message() {
    let released = release_after(Ok(Completed::Lost)).await;
    assert_eq!(released, Some(Released::SentElsewhere));
}

/// The answer to its release was lost, and then the store's data.
#[tokio::test(start_paused = true)]
async fn a_reply_that_was_late_with_this_claim_is_no_other_nodes() {
    let memory = MemoryStore::new();
    let finished = ended_in(Forgetful(Mutex::new(memory.clone())), key(), Origin::Store);
    memory.claim(finished.claim()).await.unwrap();
    let late = Ending::Late(response("own"));
    memory.complete(finished.claim(), late).await.unwrap();
    let store = finished.node.store.as_deref().unwrap();
    let released = finished.release(store, Err(Unconfirmed::Silent)).await;
    assert_eq!(released, Some(Released::Unclaimed));
}

/// The store does not know the message, so it is told, and asked again.
#[tokio::test(start_paused = true)]
async fn a_reply_is_this_nodes_if_the_store_has_lost_its_data() {
    let released = release_after(Ok(Completed::Stored)).await;
    assert_eq!(released, Some(Released::LastHold));
}

/// It has looked for the reply after the store had lost it, and releases the message when it hears that it is to run it.
#[tokio::test(start_paused = true)]
async fn a_reply_is_not_left_to_a_node_that_looks_for_it() {
    let (finished, store) = ended(key(), Origin::Run);
    let claim = other();
    store.claim(claim).await.unwrap();
    let looks = async {
        time::sleep(Duration::from_millis(2_500)).await;
        store.release(claim).await
    };
    let guarded = finished.node.store.as_deref().unwrap();
    let released = join(finished.release(guarded, Ok(Completed::Stored)), looks).await;
    let expected = (Some(Released::LastHold), Ok(Released::NotCompleted));
    assert_eq!(released, expected);
}

/// Other nodes have held the reply before.
#[tokio::test(start_paused = true)]
async fn what_the_store_says_a_while_later_decides_whose_a_reply_is() {
    let second = Duration::from_secs(1);
    for (known, known_for, released) in [
        // The store is told, and knows of no other claim.
        (Known::Nothing, second, Some(Released::LastHold)),
        (Known::Running, ASKED_FOR, Some(Released::LastHold)),
        (Known::Running, second, Some(Released::RunningElsewhere)),
        (Known::Replied, second, None),
        (Known::Late, second, Some(Released::SentElsewhere)),
        // The other node is gone.
        (Known::Late, ASKED_FOR, Some(Released::LastHold)),
        (Known::Done, second, Some(Released::SentElsewhere)),
    ] {
        let (finished, store) = ended(key(), Origin::Store);
        let guarded = finished.node.store.as_deref().unwrap();
        let taught = async {
            time::sleep(ASKED_FOR.saturating_sub(known_for)).await;
            teach(&store, known).await;
        };
        let (again, ()) = join(finished.release_again(guarded), taught).await;
        assert_eq!(again, released, "{known:?} for {known_for:?}");
    }
}

/// It is asked as long as any store that is away.
#[tokio::test(start_paused = true)]
async fn nobody_can_tell_whose_a_reply_is_while_the_store_is_away() {
    let finished = ended_in(Away, key(), Origin::Store);
    let guarded = finished.node.store.as_deref().unwrap();
    let begun = Instant::now();
    assert_eq!(finished.release_again(guarded).await, None);
    assert!(begun.elapsed() >= ASKED_FOR + ASK_AGAIN * RENEWAL);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_goes_away_does_not_ask_once_more() {
    let (finished, store) = ended(key(), Origin::Store);
    let guarded = finished.node.store.as_deref().unwrap();
    let cut = async {
        time::sleep(RENEWAL).await;
        finished.node.cut.cancel();
    };
    let begun = Instant::now();
    let (again, ()) = join(finished.release_again(guarded), cut).await;
    assert_eq!((again, begun.elapsed()), (None, RENEWAL));
    // It has claimed nothing.
    assert!(matches!(next(&store).await, Claimed::Won(_)));
}

#[tokio::test(start_paused = true)]
async fn a_result_of_its_own_is_neither_a_fallback_nor_a_part_of_another() {
    let taken = Taken {
        question: key(),
        number: 0,
        owner: [0; 16],
    };
    for (origin, is_own) in [
        (Origin::Run, true),
        (Origin::FailedRun, true),
        (Origin::Store, true),
        (Origin::Fallback, false),
    ] {
        let (mut finished, _store) = ended(key(), origin);
        assert_eq!(finished.is_own(), is_own, "{origin:?}");
        finished.response = finished.response.out_of_mailbox(taken);
        assert!(!finished.is_own(), "{origin:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_has_as_many_parts_as_it_has_messages() {
    let (mut finished, _store) = ended(key(), Origin::Run);
    assert_eq!(finished.count_parts(), 1, "no reply");
    let reply = Reply::text("one")
        .then(Reply::text("two"))
        .then(Reply::text("three"));
    finished.response = StoredResponse::of_own(&crate::response::of_whole_reply(
        reply,
        &Verified::insecure_assume(
            "<xml><ToUserName>gh</ToUserName><FromUserName>u</FromUserName></xml>",
            crate::Delivery::new("shop"),
        ),
    ));
    assert_eq!(finished.count_parts(), 3);
}
