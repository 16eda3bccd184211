//! Tasks that end in the middle: their results reach somebody, and their claims are given up.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::time::{sleep, timeout};
use tower_wechat::{
    dedup::{
        DedupBuilder,
        store::{
            Acknowledged, Claim, Completed, Ending, Found, MemoryStore, Released, Renewed, Run,
            Store,
        },
    },
    late::LateReply,
};

use super::{
    faulty::{Faulty, Operation},
    *,
};

/// A `MemoryStore` whose answers can be kept back.
#[derive(Clone, Default)]
struct Odd {
    store: MemoryStore,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Clone, Default)]
struct Faults {
    refused: Option<Key>,
    complete: Option<Completion>,
    is_release_refused: bool,
    acknowledge_never_answers: bool,
}

#[derive(Clone, Copy)]
enum Completion {
    CarriedOut,
    Lost,
}

impl Odd {
    fn faults(&self) -> Faults {
        self.faults.lock().unwrap().clone()
    }

    fn set(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.faults.lock().unwrap());
    }

    fn check(&self, key: Key) -> Result<(), &'static str> {
        match self.faults().refused {
            Some(refused) if refused == key => Err("this shard is down"),
            _ => Ok(()),
        }
    }
}

impl Store for Odd {
    type Error = &'static str;

    async fn claim(&self, claim: Claim) -> Result<Found, &'static str> {
        self.check(claim.key)?;
        Ok(self.store.claim(claim).await.unwrap())
    }

    async fn renew(&self, claim: Claim, run: Run) -> Result<Renewed, &'static str> {
        self.check(claim.key)?;
        Ok(self.store.renew(claim, run).await.unwrap())
    }

    async fn complete(&self, claim: Claim, ending: Ending) -> Result<Completed, &'static str> {
        self.check(claim.key)?;
        match self.faults().complete {
            None => Ok(self.store.complete(claim, ending).await.unwrap()),
            Some(Completion::Lost) => pending().await,
            Some(Completion::CarriedOut) => {
                self.store.complete(claim, ending).await.unwrap();
                pending().await
            }
        }
    }

    async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, &'static str> {
        self.check(claim.key)?;
        let answer = self.store.acknowledge(claim).await.unwrap();
        if self.faults().acknowledge_never_answers {
            pending::<()>().await;
        }
        Ok(answer)
    }

    async fn release(&self, claim: Claim) -> Result<Released, &'static str> {
        self.check(claim.key)?;
        if self.faults().is_release_refused {
            return Err("away");
        }
        Ok(self.store.release(claim).await.unwrap())
    }
}

/// Counts the runs and the late replies of a service that answers `reply` after some time.
#[derive(Clone, Default)]
struct Counts {
    runs: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
    late: Arc<AtomicUsize>,
}

impl Counts {
    fn runs(&self) -> usize {
        self.runs.load(SeqCst)
    }

    /// The runs that have made a reply.
    fn finished(&self) -> usize {
        self.finished.load(SeqCst)
    }

    fn late(&self) -> usize {
        self.late.load(SeqCst)
    }

    fn layer<Scope>(&self, builder: DedupBuilder<Scope>) -> DedupLayer {
        let late = Arc::clone(&self.late);
        let hook = move |_: LateReply| {
            late.fetch_add(1, SeqCst);
            async {}
        };
        builder.with_late_replies(hook).build()
    }

    fn service(&self, layer: &DedupLayer, takes: Duration) -> impl Delivers + use<> {
        let counts = self.clone();
        layer.layer(service_fn(move |_: Request<Verified>| {
            let counts = counts.clone();
            async move {
                counts.runs.fetch_add(1, SeqCst);
                sleep(takes).await;
                counts.finished.fetch_add(1, SeqCst);
                Ok::<_, Infallible>(ok("reply"))
            }
        }))
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn message(number: u32) -> String {
    text("user", &number.to_string(), "hi")
}

fn request(body: String) -> Request<Verified> {
    Request::new(assume(body))
}

async fn answer(service: &impl Delivers, body: String) -> Response<Bytes> {
    service.clone().send(request(body)).await
}

/// A cluster with a shard that is down: other messages' operations succeed all the time.
#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_one_message_does_not_keep_it_from_running() {
    let (store, counts) = (Odd::default(), Counts::default());
    store.set(|faults| faults.refused = Some(Key::of(&request(message(1)))));
    let layer = counts.layer(DedupLayer::builder().with_store(store));
    let service = counts.service(&layer, millis(10));
    let others = tokio::spawn({
        let service = service.clone();
        async move {
            for number in 100.. {
                let _ = timeout(millis(50), answer(&service, message(number))).await;
                sleep(millis(50)).await;
            }
        }
    });
    let refused = answer(&service, message(1)).await;
    others.abort();
    assert_eq!(refused.body(), "reply");
}

/// Its run is a part of the delivery, and the host drops both.
#[tokio::test(start_paused = true)]
async fn a_reply_survives_an_inline_delivery_that_is_dropped_while_it_completes() {
    let (store, counts) = (Odd::default(), Counts::default());
    store.set(|faults| faults.complete = Some(Completion::CarriedOut));
    let builder = DedupLayer::builder().with_store(store.clone());
    let layer = counts.layer(builder.with_inline_runs());
    let service = counts.service(&layer, millis(1_000));
    let delivery = service.start(&message(1));
    sleep(millis(1_100)).await;
    delivery.abort();
    store.set(|faults| faults.complete = None);
    sleep(millis(20_000)).await;
    assert_eq!((counts.runs(), counts.late()), (1, 1));
}

#[test]
fn a_reply_that_waits_for_a_delivery_when_its_runtime_ends_leaves_no_entry() {
    let counts = Counts::default();
    let layer = counts.layer(DedupLayer::builder().with_capacity(1));
    let service = counts.service(&layer, millis(50));
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    };
    runtime().block_on(async {
        let delivery = service.start(&message(1));
        sleep(millis(20)).await;
        delivery.abort();
        sleep(millis(100)).await;
    });
    let second = runtime().block_on(answer(&service, message(2)));
    assert_eq!(second.body(), "reply");
}

#[tokio::test(start_paused = true)]
async fn a_reply_survives_a_cut_while_its_completion_is_not_answered_and_the_store_is_away() {
    let (store, counts) = (Odd::default(), Counts::default());
    store.set(|faults| {
        faults.complete = Some(Completion::CarriedOut);
        faults.is_release_refused = true;
    });
    let layer = counts.layer(DedupLayer::builder().with_store(store));
    let service = counts.service(&layer, millis(1_000));
    let _delivery = service.start(&message(1));
    sleep(millis(1_100)).await;
    layer.drain(Duration::ZERO).await;
    assert_eq!((counts.runs(), counts.late()), (1, 1));
}

/// WeChat has been told not to wait, so no retry makes another node run it again.
#[tokio::test(start_paused = true)]
async fn an_acknowledged_reply_survives_a_cut_before_its_completion_is_carried_out() {
    let (store, counts) = (Odd::default(), Counts::default());
    store.set(|faults| faults.complete = Some(Completion::Lost));
    let layer = counts.layer(DedupLayer::builder().with_store(store));
    let service = counts.service(&layer, millis(6_000));
    let acknowledged = answer(&service, event("a")).await;
    assert_eq!(acknowledged.body(), "success");
    sleep(millis(1_600)).await;
    layer.drain(Duration::ZERO).await;
    assert_eq!((counts.runs(), counts.late()), (1, 1));
}

/// The acknowledgement on the second node takes hold of the reply, and its client leaves before the answer.
async fn check_abandoned_acknowledgement<S: Store>(stores: [S; 2], of: &str) {
    let counts = Counts::default();
    let [first, second] = stores.map(|store| {
        let layer = counts.layer(DedupLayer::builder().with_store(store));
        counts.service(&layer, millis(4_490))
    });
    let one = first.start(&event("a"));
    sleep(millis(1)).await;
    let other = second.start(&event("a"));
    sleep(millis(100)).await;
    one.abort();
    sleep(millis(4_450)).await;
    other.abort();
    sleep(millis(60_000)).await;
    assert_eq!((counts.runs(), counts.late()), (1, 1), "{of}");
}

#[tokio::test(start_paused = true)]
async fn a_hold_taken_by_an_abandoned_acknowledgement_is_released() {
    let first = Odd::default();
    let second = Odd {
        store: first.store.clone(),
        ..Odd::default()
    };
    second.set(|faults| faults.acknowledge_never_answers = true);
    check_abandoned_acknowledgement([first, second], "no answer").await;
}

/// The second node hears meanwhile that the first one still runs the message: an answer from before the end of the run.
#[tokio::test(start_paused = true)]
async fn a_hold_taken_during_a_slow_claim_is_released() {
    for slow in (50..=250).step_by(10) {
        let store = Faulty::new();
        let way = store.beside();
        way.delay(Operation::Claim, Duration::ZERO, millis(slow));
        way.delay(Operation::Acknowledge, Duration::ZERO, millis(500));
        check_abandoned_acknowledgement([store, way], &format!("{slow} ms")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_fails_closed_is_not_acknowledged_without_the_store() {
    let (store, counts) = (Odd::default(), Counts::default());
    store.set(|faults| faults.refused = Some(Key::of(&request(event("a")))));
    let layer = counts.layer(DedupLayer::builder().with_store(store).with_fail_closed());
    let service = counts.service(&layer, millis(10));
    let begun = Instant::now();
    let turned_away = answer(&service, event("a")).await;
    assert_eq!(turned_away.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(begun.elapsed(), millis(6_000));
    assert_eq!(counts.runs(), 0);
}

/// The reply may be in the store, and the drain hands it over before the acknowledging delivery learns of it. A run that
/// is cut makes no reply.
#[tokio::test(start_paused = true)]
async fn a_cut_gives_a_reply_to_a_delivery_or_to_the_hook() {
    let (mut given, mut late, mut none) = (0, 0, 0);
    for takes in (4_380..4_520).step_by(10) {
        for drain_at in (4_400..4_620).step_by(10) {
            let (store, counts) = (Faulty::new(), Counts::default());
            for operation in [
                Operation::Claim,
                Operation::Complete,
                Operation::Acknowledge,
                Operation::Release,
            ] {
                store.delay(operation, millis(20), millis(20));
            }
            let layer = counts.layer(DedupLayer::builder().with_store(store));
            let service = counts.service(&layer, millis(takes));
            let delivery = service.start(&event("a"));
            sleep(millis(drain_at)).await;
            layer.drain(Duration::ZERO).await;
            let (_, body) = delivery.await.unwrap();
            sleep(millis(20_000)).await;
            match (body == "reply", counts.late(), counts.finished()) {
                (true, 0, 1) => given += 1,
                (false, 1, 1) => late += 1,
                (false, 0, 0) => none += 1,
                other => panic!("{other:?}: a run of {takes} ms, a drain at {drain_at} ms"),
            }
        }
    }
    assert!(
        given > 0 && late > 0 && none > 0,
        "{given} given, {late} late, {none} cut"
    );
}

/// Every poll of an inline delivery may be its last.
#[tokio::test(start_paused = true)]
async fn an_inline_delivery_that_is_dropped_after_any_poll_loses_no_reply() {
    for polls in 1..12 {
        let (store, counts) = (MemoryStore::new(), Counts::default());
        let builder = DedupLayer::builder().with_store(store.clone());
        let layer = counts.layer(builder.with_inline_runs());
        let service = counts.service(&layer, Duration::ZERO);
        let other = counts.layer(DedupLayer::builder().with_store(store.clone()));
        let other = counts.service(&other, Duration::ZERO);
        let mut delivery = Box::pin(service.clone().send(request(message(1))));
        let mut answered = None;
        for _ in 0..polls {
            let polled = std::future::poll_fn(|cx| Poll::Ready(delivery.as_mut().poll(cx))).await;
            if let Poll::Ready(response) = polled {
                answered = Some(response);
                break;
            }
            tokio::task::yield_now().await;
            advance(millis(1)).await;
        }
        drop(delivery);
        sleep(millis(20)).await;
        let retry = timeout(millis(5_000), answer(&other, message(1))).await;
        sleep(millis(20_000)).await;
        let is_answered = answered.is_some_and(|response| response.body() == "reply")
            || retry.is_ok_and(|response| response.body() == "reply");
        assert!(
            is_answered || counts.late() == 1,
            "dropped after {polls} polls"
        );
    }
}
