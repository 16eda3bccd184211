//! Pushes that WeChat retries until they are answered, against the finished stack. Their retries differ from each other,
//! and come for hours.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::time::{Instant, advance, sleep};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_wechat::{
    Account, DedupLayer, Delivery, Message, Reply, ResponseBody, Verified, VerifySignatureLayer,
    callback::ErrorKind,
    dedup::{
        self, DedupBuilder, Key, Keyed,
        store::{
            Acknowledged, Claim, Claimed, Completed, Ending, Found, MemoryStore, Released, Renewed,
            Store,
        },
    },
    late::LateReply,
    message_fn,
    reply::XpayAnswer,
    simulator::{FaultKind, Push, RequestBody, Simulator, Transcript},
    verify::{Rejection, RejectionKind},
};

use crate::dedup::faulty::{Faulty, Operation};

const KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";

const GOODS: &str = include_str!("fixtures/event/xpay_goods_deliver_notify.xml");

const GOODS_IN_JSON: &str = r#"{"ToUserName":"gh_5d1c0e94a7b3","FromUserName":"oUser9ZtRw2",
    "CreateTime":1717500123,"MsgType":"event","Event":"xpay_goods_deliver_notify",
    "OpenId":"oUser9ZtRw2","OutTradeNo":"trade-7","Env":0,"GoodsInfo":{"ProductId":"prod-8"}}"#;

const MINIGAME: &str = r#"{"ToUserName":"gh_5d1c0e94a7b3","FromUserName":"oUser9ZtRw2",
    "CreateTime":1717500123,"MsgType":"event","Event":"minigame_h5_goods_deliver_notify",
    "MiniGame":{"Payload":"{\"OutTradeNo\":\"trade-7\"}","PayEventSig":"5e1f"}}"#;

/// All pushes of this kind.
const PUSHES: [&str; 7] = [
    GOODS,
    GOODS_IN_JSON,
    include_str!("fixtures/event/xpay_coin_pay_notify.xml"),
    include_str!("fixtures/event/xpay_refund_notify.xml"),
    include_str!("fixtures/event/xpay_complaint_notify.xml"),
    include_str!("fixtures/event/minigame_coin_deliver_completed.xml"),
    MINIGAME,
];

/// Others of virtual payment. It is not known that they are retried, or what would tell them apart.
const OTHERS: [&str; 3] = [
    include_str!("fixtures/event/xpay_subscribe_signing_result_notify.xml"),
    include_str!("fixtures/event/xpay_subscribe_ios_refund_query_notify.xml"),
    include_str!("fixtures/event/subscribe.xml"),
];

fn safe() -> Account {
    Account::encrypted("rosebud7", "wx0a1b2c3d4e5f6071", KEY).unwrap()
}

/// What the handler does in one run: how long it takes, and what it returns.
type Run = (Duration, Result<XpayAnswer, &'static str>);

fn at_once(answer: Result<XpayAnswer, &'static str>) -> Run {
    (Duration::ZERO, answer)
}

/// WeChat and some nodes, whose clocks follow tokio's.
struct World {
    wechat: Simulator,
    account: Account,
    start: Instant,
    runs: Arc<AtomicUsize>,
    /// What no delivery has got.
    late: Arc<Mutex<Vec<String>>>,
}

impl World {
    fn new(account: Account) -> Self {
        let start = Instant::now();
        Self {
            wechat: Simulator::new(account.clone()).with_clock(clock(start)),
            account,
            start,
            runs: Arc::default(),
            late: Arc::default(),
        }
    }

    /// A node that runs `script`, and its last line again and again.
    fn node(
        &self,
        script: &[Run],
        store: Option<MemoryStore>,
    ) -> impl Service<Request<Full<Bytes>>, Response = Response<ResponseBody>, Error = Infallible>
    + Clone
    + use<> {
        let builder = self.builder();
        let dedup = match store {
            Some(store) => builder.with_store(store).build(),
            None => builder.build(),
        };
        self.node_of(script, dedup)
    }

    fn builder(&self) -> DedupBuilder {
        let late = Arc::clone(&self.late);
        DedupLayer::builder().with_late_replies(move |reply: LateReply| {
            late.lock().unwrap().push(format!("{:?}", reply.cause()));
            async {}
        })
    }

    fn node_of(
        &self,
        script: &[Run],
        dedup: DedupLayer,
    ) -> impl Service<Request<Full<Bytes>>, Response = Response<ResponseBody>, Error = Infallible>
    + Clone
    + use<> {
        let (script, runs) = (script.to_vec(), Arc::clone(&self.runs));
        let handler = move |_: Message| {
            let number = runs.fetch_add(1, Ordering::SeqCst).min(script.len() - 1);
            let (time, answer) = script[number].clone();
            async move {
                sleep(time).await;
                answer
            }
        };
        ServiceBuilder::new()
            .layer(VerifySignatureLayer::new(self.account.clone()).with_clock(clock(self.start)))
            .layer(dedup)
            .service(message_fn(handler))
    }

    fn push(&self, document: &'static str) -> Push {
        self.wechat.xml(document).retry_as_payment()
    }

    #[track_caller]
    fn check(&self, runs: usize) {
        assert_eq!(self.runs.load(Ordering::SeqCst), runs);
        assert_eq!(*self.late.lock().unwrap(), [""; 0]);
    }
}

/// Brings the simulator's requests to a node.
fn wired<S>(
    node: S,
) -> impl Service<Request<RequestBody>, Response = Response<ResponseBody>, Error = Infallible>
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResponseBody>, Error = Infallible> + Clone,
{
    tower::service_fn(move |request: Request<RequestBody>| {
        let node = node.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            node.oneshot(Request::from_parts(head, Full::new(body)))
                .await
        }
    })
}

fn clock(start: Instant) -> impl Fn() -> SystemTime + Clone {
    move || SystemTime::UNIX_EPOCH + Duration::from_hours(500_000) + start.elapsed()
}

/// What became of each delivery: when it was sent in seconds, and `ok`, the fault or the status.
fn deliveries(transcript: &Transcript) -> Vec<(u64, String)> {
    let deliveries = transcript.deliveries().iter().map(|delivery| {
        let became = match (delivery.fault(), delivery.status()) {
            (None, _) => "ok".to_owned(),
            (Some(fault), Some(status)) if fault.kind() == FaultKind::Status => status.to_string(),
            (Some(fault), _) => format!("{:?}", fault.kind()),
        };
        (delivery.at().as_secs(), became)
    });
    deliveries.collect()
}

#[track_caller]
fn check(transcript: &Transcript, expected: &[(u64, &str)]) {
    let found = deliveries(transcript);
    let found: Vec<_> = found.iter().map(|(at, it)| (*at, &**it)).collect();
    assert_eq!(found, expected);
}

/// Another `RetryTimes`, another ciphertext, and nine hours after the first timestamp.
#[tokio::test(start_paused = true)]
async fn all_retries_get_the_answer_of_one_run() {
    for document in PUSHES {
        let world = World::new(safe());
        let node = world.node(&[at_once(Ok(XpayAnswer::success()))], None);
        let transcript = world
            .push(document)
            .lose_answers(14)
            .deliver(wired(node))
            .await;
        let found = deliveries(&transcript);
        assert_eq!(found.len(), 15, "{document}");
        assert_eq!(found.last().unwrap(), &(32_766, "ok".to_owned()));
        assert!(found.iter().rev().skip(1).all(|(_, it)| it == "Lost"));
        world.check(1);
    }
}

/// The simulator changes what this is about.
#[tokio::test(start_paused = true)]
async fn each_retry_differs() {
    let world = World::new(Account::plain("rosebud7").unwrap());
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&bodies);
    let collect = tower::service_fn(move |request: Request<RequestBody>| {
        let seen = Arc::clone(&seen);
        async move {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8(body.to_vec()).unwrap();
            seen.lock().unwrap().push((query, body));
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    let _ = world.push(GOODS).deliver(collect).await;
    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies.len(), 16);
    for (number, (query, body)) in bodies.iter().enumerate() {
        assert_eq!(*query, bodies[0].0);
        let retry_times = format!("<RetryTimes>{number}</RetryTimes>");
        assert_eq!(body.matches(&retry_times).count(), 1, "{body}");
    }
}

/// Its signature does not cover the body, so nobody knows what an old query was for.
#[tokio::test(start_paused = true)]
async fn in_plain_mode_a_late_retry_is_rejected() {
    let world = World::new(Account::plain("rosebud7").unwrap());
    let node = world.node(&[at_once(Ok(XpayAnswer::success()))], None);
    let transcript = world.push(GOODS).lose_answers(8).deliver(wired(node)).await;
    let found = deliveries(&transcript);
    for (at, became) in found {
        let expected = if at <= 300 { "Lost" } else { "403 Forbidden" };
        assert_eq!(became, expected, "after {at} s");
    }
    world.check(1);
}

#[tokio::test(start_paused = true)]
async fn other_pushes_have_no_more_time() {
    let nameless = GOODS.replace("trade-20240605-7", "");
    for document in OTHERS.into_iter().chain([&*nameless]) {
        let world = World::new(safe());
        let node = world.node(&[at_once(Ok(XpayAnswer::success()))], None);
        let request = world.wechat.xml(document.to_owned()).request().unwrap();
        advance(Duration::from_secs(301)).await;
        let response = node.oneshot(request.map(Full::new)).await.unwrap();
        check_late(&response);
        world.check(0);
    }
}

#[track_caller]
fn check_late(response: &Response<ResponseBody>) {
    assert_eq!(response.status(), 403);
    let rejection: &Rejection = response.extensions().get().expect("a rejection");
    let kind = RejectionKind::Callback(ErrorKind::Timestamp);
    assert_eq!((rejection.kind(), rejection.is_signed()), (kind, true));
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_accepted_for_a_day_and_an_hour() {
    for (age, is_accepted) in [(25 * 3600, true), (25 * 3600 + 1, false)] {
        let world = World::new(safe());
        let node = world.node(&[at_once(Ok(XpayAnswer::success()))], None);
        let request = world.wechat.xml(GOODS).request().unwrap();
        advance(Duration::from_secs(age)).await;
        let response = node.oneshot(request.map(Full::new)).await.unwrap();
        if is_accepted {
            assert_eq!(response.status(), 200);
        } else {
            check_late(&response);
        }
        world.check(usize::from(is_accepted));
    }
    // The message is known for longer than its copies are accepted.
    let world = World::new(safe());
    let node = world.node(&[at_once(Ok(XpayAnswer::success()))], None);
    let request = world.wechat.xml(GOODS).request().unwrap();
    for _ in 0..2 {
        let copy = request.clone().map(Full::new);
        let response = node.clone().oneshot(copy).await.unwrap();
        assert_eq!(response.status(), 200);
        advance(Duration::from_hours(25)).await;
    }
    world.check(1);
}

/// Neither a timestamp ahead of the clock, nor a user's message, nor a `GET`, nor a query that nobody has signed is of a retry.
#[tokio::test(start_paused = true)]
async fn nothing_but_a_retry_may_be_late() {
    let world = World::new(safe());
    let node = world.node(&[at_once(Ok(XpayAnswer::success()))], None);
    let ahead = world.wechat.clone();
    let ahead = ahead.with_clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_301));
    let request = ahead.xml(GOODS).request().unwrap();
    let response = node.clone().oneshot(request.map(Full::new)).await;
    check_late(&response.unwrap());

    let request = world.wechat.xml(GOODS).request().unwrap();
    let message = world.wechat.text("hi").request().unwrap();
    advance(Duration::from_secs(301)).await;
    let response = node.clone().oneshot(message.map(Full::new)).await;
    check_late(&response.unwrap());

    let mut verification = request.clone();
    *verification.method_mut() = http::Method::GET;
    let response = node.clone().oneshot(verification.map(Full::new)).await;
    check_late(&response.unwrap());

    let mut unsigned = request;
    let (_, query) = unsigned.uri().query().unwrap().split_once('&').unwrap();
    *unsigned.uri_mut() = format!("/wechat?{query}").parse().unwrap();
    let response = node.oneshot(unsigned.map(Full::new)).await.unwrap();
    let rejection: &Rejection = response.extensions().get().unwrap();
    assert!(!rejection.is_signed());
    assert_eq!(response.status(), 403);
    world.check(0);
}

/// WeChat tries again, and so does the handler: not at once, but after the deliveries of a moment.
#[tokio::test(start_paused = true)]
async fn a_failure_is_not_final() {
    let refusal = || at_once(Ok(XpayAnswer::failure(1, "out of stock")));
    let success = || at_once(Ok(XpayAnswer::success()));
    for document in PUSHES {
        let world = World::new(safe());
        let node = world.node(&[refusal(), success()], None);
        let transcript = world.push(document).deliver(wired(node)).await;
        check(
            &transcript,
            &[(0, "Refused"), (2, "Refused"), (6, "Refused"), (14, "ok")],
        );
        world.check(2);
    }

    // Three runs that fail, the last one after 2.5 s.
    let world = World::new(safe());
    let error = || at_once(Err("no database"));
    let node = world.node(&[error(), error(), error(), success()], None);
    let transcript = world.push(GOODS).deliver(wired(node)).await;
    check(
        &transcript,
        &[(0, "Refused"), (4, "Refused"), (8, "Refused"), (16, "ok")],
    );
    world.check(4);
}

/// WeChat would take an acknowledgement for a failure, so it hangs up, and a retry joins the run.
#[tokio::test(start_paused = true)]
async fn a_slow_run_is_not_acknowledged() {
    let slow = |seconds| (Duration::from_secs(seconds), Ok(XpayAnswer::success()));
    let world = World::new(safe());
    let node = world.node(&[slow(6)], None);
    let transcript = world.push(GOODS).deliver(wired(node)).await;
    check(&transcript, &[(0, "HungUp"), (7, "ok")]);
    world.check(1);

    let world = World::new(safe());
    let node = world.node(&[slow(18)], None);
    let transcript = world.push(GOODS).deliver(wired(node)).await;
    check(&transcript, &[(0, "HungUp"), (7, "HungUp"), (16, "ok")]);
    world.check(1);
}

/// Nobody fetches the reply for an hour, and then another node gets the retry.
#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_its_retry_on_any_node() {
    let slow = (Duration::from_secs(6), Ok(XpayAnswer::success()));
    for is_shared in [false, true] {
        let world = World::new(safe());
        let store = is_shared.then(MemoryStore::new);
        let first = world.node(std::slice::from_ref(&slow), store.clone());
        let push = world.wechat.xml(GOODS);
        let request = push.request().unwrap();
        let delivered = first.clone().oneshot(request.map(Full::new));
        let hung_up = tokio::time::timeout(Duration::from_secs(5), delivered).await;
        assert!(hung_up.is_err());
        sleep(Duration::from_hours(1)).await;

        // It has a timestamp of its own, and the same RetryTimes.
        let other = world.node(std::slice::from_ref(&slow), store);
        let request = push.request().unwrap().map(Full::new);
        let response = if is_shared {
            other.oneshot(request).await
        } else {
            first.oneshot(request).await
        };
        let response = response.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.body().as_bytes().len() > "success".len());
        world.check(1);
    }
}

/// The store's answer to the end of the run is on its way when the node is drained, or when the client of an inline run leaves.
#[tokio::test(start_paused = true)]
async fn an_answer_that_its_node_leaves_waits_for_the_retries() {
    for is_inline in [false, true] {
        let (world, store) = (World::new(safe()), Faulty::new());
        let milliseconds = Duration::from_millis;
        store.delay(Operation::Complete, Duration::ZERO, milliseconds(100));
        let layer = |store: Faulty| {
            let builder = world.builder().with_store(store);
            if is_inline {
                builder.with_inline_runs().build()
            } else {
                builder.build()
            }
        };
        let run = [(milliseconds(4_950), Ok(XpayAnswer::success()))];
        let dedup = layer(store.clone());
        let first = world.node_of(&run, dedup.clone());
        let push = world.wechat.xml(GOODS);
        let delivered = first.oneshot(push.request().unwrap().map(Full::new));
        if is_inline {
            let hung_up = tokio::time::timeout(milliseconds(5_000), delivered);
            assert!(hung_up.await.is_err());
        } else {
            let drained = async {
                sleep(milliseconds(5_000)).await;
                dedup.drain(Duration::ZERO).await;
            };
            let _ = tokio::join!(delivered, drained);
        }
        sleep(milliseconds(500)).await;
        let other = world.node_of(&run, layer(store.beside()));
        for waits in [
            Duration::ZERO,
            Duration::from_mins(1),
            Duration::from_hours(23),
        ] {
            sleep(waits).await;
            let request = push.request().unwrap().map(Full::new);
            let response = other.clone().oneshot(request).await.unwrap();
            assert!(response.body().as_bytes().len() > "success".len());
        }
        world.check(1);
    }
}

/// The release of a node that has followed the run is not answered.
#[tokio::test(start_paused = true)]
async fn an_answer_that_another_node_may_hold_goes_to_no_sink() {
    let (world, store) = (World::new(safe()), Faulty::new());
    let run = [(Duration::from_secs(3), Ok(XpayAnswer::success()))];
    let way = store.beside();
    way.fail(Operation::Release);
    let [first, other] = [store, way].map(|store| {
        let builder = world.builder().with_store(store);
        world.node_of(&run, builder.build())
    });
    let push = world.wechat.xml(GOODS);
    let request = || push.request().unwrap().map(Full::new);
    let delivered = first.oneshot(request());
    let left = tokio::time::timeout(Duration::from_millis(2_900), other.oneshot(request()));
    let (delivered, left) = tokio::join!(delivered, left);
    assert!(left.is_err());
    assert_eq!(delivered.unwrap().status(), 200);
    sleep(Duration::from_mins(1)).await;
    world.check(1);
}

/// The store says how long a failure lasts, whichever node has it.
#[tokio::test(start_paused = true)]
async fn a_failure_is_final_on_no_node() {
    let refusal = || at_once(Ok(XpayAnswer::failure(1, "out of stock")));
    let success = || at_once(Ok(XpayAnswer::success()));
    // Each delivery's time in seconds, its node, and the runs by then.
    for deliveries in [
        // The other node has the failure of the first.
        &[(0, 0, 1), (6, 1, 1), (18, 1, 2), (19, 0, 2), (4000, 0, 2)][..],
        // It does not tell the store of it again.
        &[(0, 0, 1), (6, 1, 1), (16, 0, 2), (17, 1, 2)],
        // It keeps no success for longer than it may be asked for it.
        &[(0, 0, 1), (12, 0, 2), (13, 1, 2), (4000, 1, 2)],
    ] {
        let world = World::new(safe());
        let store = MemoryStore::new();
        let node = || world.node(&[refusal(), success()], Some(store.clone()));
        let nodes = [node(), node()];
        let push = world.wechat.xml(GOODS);
        for (at, node, runs) in deliveries {
            tokio::time::sleep_until(world.start + Duration::from_secs(*at)).await;
            let request = push.request().unwrap().map(Full::new);
            let response = nodes[*node].clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(world.runs.load(Ordering::SeqCst), *runs, "at {at} s");
        }
        world.check(2);
    }
}

/// A store that gives the message to another node when its first run ends. That node is gone a second later.
struct Loses {
    store: MemoryStore,
    operations: Mutex<Vec<&'static str>>,
}

impl Store for Loses {
    type Error = Infallible;

    async fn claim(&self, claim: Claim) -> Result<Found, Infallible> {
        let of_another = {
            let mut operations = self.operations.lock().unwrap();
            operations.push("claim");
            *operations == ["claim", "complete", "claim"]
        };
        if of_another {
            let (age, lease) = (Duration::from_secs(1), Duration::from_secs(1));
            return Ok(Found::new(Claimed::Running { age, lease }, None));
        }
        self.store.claim(claim).await
    }

    async fn renew(&self, claim: Claim, run: dedup::store::Run) -> Result<Renewed, Infallible> {
        self.store.renew(claim, run).await
    }

    async fn complete(&self, claim: Claim, ending: Ending) -> Result<Completed, Infallible> {
        let is_lost = {
            let mut operations = self.operations.lock().unwrap();
            operations.push("complete");
            *operations == ["claim", "complete"]
        };
        if is_lost {
            return Ok(Completed::Lost);
        }
        self.store.complete(claim, ending).await
    }

    async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, Infallible> {
        self.store.acknowledge(claim).await
    }

    async fn release(&self, claim: Claim) -> Result<Released, Infallible> {
        self.store.release(claim).await
    }
}

/// A failure is kept for a short time. The success of a later run of the same message is not.
#[tokio::test(start_paused = true)]
async fn a_success_after_a_lost_failure_is_kept_for_a_day() {
    let world = World::new(safe());
    let store = Loses {
        store: MemoryStore::new(),
        operations: Mutex::default(),
    };
    let script = [
        at_once(Ok(XpayAnswer::failure(1, "out of stock"))),
        at_once(Ok(XpayAnswer::success())),
        at_once(Ok(XpayAnswer::failure(2, "sold twice"))),
    ];
    let node = world.node_of(&script, world.builder().with_store(store).build());
    let push = world.wechat.xml(GOODS);
    for at in [0, 20, 4000] {
        tokio::time::sleep_until(world.start + Duration::from_secs(at)).await;
        let request = push.request().unwrap().map(Full::new);
        let response = node.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        world.check(2);
    }
}

/// A delivery of a push to `service`, and the body of its answer.
async fn delivered(
    service: impl Service<Request<Verified>, Response = Response<ResponseBody>, Error = Infallible>,
    push: &'static str,
) -> String {
    let request = Request::new(Verified::insecure_assume(push, Delivery::new("shop")));
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    String::from_utf8(response.body().as_bytes().to_vec()).unwrap()
}

/// WeChat takes it for a failure.
#[tokio::test(start_paused = true)]
async fn an_answer_without_err_code_is_not_final() {
    for first in [Reply::success(), Reply::text("hi")] {
        let runs = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&runs);
        let answer = move |_: Message| {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            let first = first.clone();
            async move {
                match number {
                    0 => first,
                    _ => XpayAnswer::success().into(),
                }
            }
        };
        let service = ServiceBuilder::new()
            .layer(DedupLayer::in_memory())
            .service(message_fn(answer));
        for (pause, expected) in [(1, 1), (12, 1), (3600, 2), (1, 2)] {
            let _ = delivered(service.clone(), GOODS).await;
            assert_eq!(runs.load(Ordering::SeqCst), expected);
            advance(Duration::from_secs(pause)).await;
        }
    }
}

/// The delivery that waits gets it all the same, and so does the next one, of another run.
#[tokio::test(start_paused = true)]
async fn an_answer_that_there_is_no_room_for_is_not_lost() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let answer = move |_: Message| {
        counter.fetch_add(1, Ordering::SeqCst);
        async {
            sleep(Duration::from_secs(1)).await;
            XpayAnswer::success()
        }
    };
    let service = ServiceBuilder::new()
        .layer(DedupLayer::builder().with_max_reply_bytes(0).build())
        .service(message_fn(answer));
    for expected in [1, 2] {
        let answer = delivered(service.clone(), GOODS).await;
        assert!(answer.contains("<ErrCode>0<"), "{answer}");
        assert_eq!(runs.load(Ordering::SeqCst), expected);
        advance(Duration::from_mins(1)).await;
    }
}

/// Whatever makes the key, no copy of it runs again as long as copies are accepted.
#[tokio::test(start_paused = true)]
async fn with_a_key_of_ones_own_a_push_is_known_as_long_as_its_copies_are_accepted() {
    let world = World::new(safe());
    let counter = Arc::clone(&world.runs);
    let answer = move |_: Message| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { XpayAnswer::success() }
    };
    let key = |request: &Request<Verified>| Key::new([request.body().as_bytes()]);
    let node = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(safe()).with_clock(clock(world.start)))
        .layer(DedupLayer::builder().with_key(key).build())
        .service(message_fn(answer));
    let request = world.wechat.xml(GOODS).request().unwrap();
    for _ in 0..2 {
        let copy = request.clone().map(Full::new);
        let response = node.clone().oneshot(copy).await.unwrap();
        assert_eq!(response.status(), 200);
        advance(Duration::from_hours(25)).await;
    }
    world.check(1);
}

/// It looks for its answer more than once, and its node asks the store more than once.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_delivery_that_differs_is_logged_once_with_its_account() {
    let text = |content: &str| {
        format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName>\
             <CreateTime>1</CreateTime><MsgType>text</MsgType><Content>{content}</Content>\
             <MsgId>7</MsgId></xml>"
        )
    };
    let alone = DedupLayer::in_memory();
    let store = MemoryStore::new();
    for nodes in [
        [alone.clone(), alone],
        [(); 2].map(|()| DedupLayer::shared(store.clone())),
    ] {
        let log = crate::log::of(async || {
            let [one, other] = nodes.each_ref().map(|node| {
                let answer = async |_: Message| {
                    sleep(Duration::from_secs(1)).await;
                    "hi"
                };
                ServiceBuilder::new()
                    .layer(node.clone())
                    .service(message_fn(answer))
            });
            let request = |content: &str| {
                let body = Verified::insecure_assume(text(content), Delivery::new("shop"));
                Request::new(body)
            };
            let first = one.oneshot(request("one"));
            let (first, second) = tokio::join!(first, other.oneshot(request("two")));
            assert_eq!(first.unwrap().status(), second.unwrap().status());
        });
        let log = log.await;
        let warned: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
        assert_eq!(warned.len(), 1, "{log}");
        assert!(warned[0].contains("shop"), "{log}");
    }
}

/// One MsgId, and another text.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_retry_with_another_body_is_logged_on_every_node() {
    let text = |content: &str| {
        let body = format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName>\
             <CreateTime>1</CreateTime><MsgType>text</MsgType><Content>{content}</Content>\
             <MsgId>7</MsgId></xml>"
        );
        Request::new(Verified::insecure_assume(body, Delivery::new("shop")))
    };
    let store = MemoryStore::new();
    let node = || {
        let dedup = DedupLayer::shared(store.clone());
        let answer = async |message: Message| match message {
            Message::Text(text) => text.content,
            _ => String::new(),
        };
        ServiceBuilder::new()
            .layer(dedup)
            .service(message_fn(answer))
    };
    let log = crate::log::of(async || {
        let (first, second) = (node(), node());
        for (node, content) in [
            (&first, "one"),
            (&first, "one"),
            (&second, "one"),
            // The last ones differ.
            (&second, "two"),
            (&first, "two"),
            (&node(), "two"),
        ] {
            let response = node.clone().oneshot(text(content)).await.unwrap();
            let body = String::from_utf8(response.body().as_bytes().to_vec()).unwrap();
            assert!(body.contains("one"), "{body}");
        }
        sleep(Duration::from_mins(1)).await;
    })
    .await;
    let warning = "a delivery has the key of another message";
    let warned: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warned.len(), 3, "{log}");
    assert!(warned.iter().all(|line| line.contains(warning)), "{log}");
    assert!(!log.contains("two"), "{log}");
}

/// What their retries differ in is none of these messages' fingerprint, and the rest is.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn retries_that_differ_as_they_should_are_not_logged() {
    for document in PUSHES {
        let world = World::new(safe());
        let log = crate::log::of(async || {
            let node = world.node(&[at_once(Ok(XpayAnswer::success()))], None);
            let retried = world.push(document).lose_answers(3);
            let _ = retried.deliver(wired(node.clone())).await;
            // The sender.
            let other = document.replacen("oUser9ZtRw2", "oUser9ZtRw3", 1);
            let _ = world
                .wechat
                .xml(other)
                .retry_as_payment()
                .deliver(wired(node))
                .await;
        });
        let log = log.await;
        assert_eq!(log.matches("WARN").count(), 1, "{document}: {log}");
        world.check(1);
    }
}

fn key(document: &str) -> Key {
    let body = Verified::insecure_assume(document.to_owned(), Delivery::new("shop"));
    Key::of(&Request::new(body))
}

#[test]
fn what_differs_between_retries_is_no_part_of_the_key() {
    for document in PUSHES {
        let later = document
            .replace("1717500123", "1717509999")
            .replace("<RetryTimes>1<", "<RetryTimes>2<");
        assert_ne!(later, document);
        assert_eq!(key(&later), key(document), "{document}");
    }
    for document in OTHERS {
        assert_ne!(
            key(&document.replace("1717500123", "1717509999")),
            key(document)
        );
    }
    // What tells two pushes apart is.
    let refund = PUSHES[3];
    for (document, part, other) in [
        (GOODS, "trade-20240605-7", "trade-20240605-8"),
        (GOODS, "<Env>0<", "<Env>1<"),
        (GOODS, "gh_5d1c0e94a7b3", "gh_5d1c0e94a7b4"),
        (GOODS, "xpay_goods_deliver_notify", "xpay_coin_pay_notify"),
        (GOODS_IN_JSON, "trade-7", "trade-8"),
        (GOODS_IN_JSON, r#""Env":0"#, r#""Env":1"#),
        (refund, "wxr-7", "wxr-8"),
        (refund, "<RetCode>0<", "<RetCode>268435456<"),
        (MINIGAME, "trade-7", "trade-8"),
    ] {
        let changed = document.replace(part, other);
        assert_ne!(changed, document, "{part}");
        assert_ne!(key(&changed), key(document), "{part}");
    }
    // The answer that is kept has the push's format.
    let xml = GOODS.replace("trade-20240605-7", "trade-7");
    assert_ne!(key(&xml), key(GOODS_IN_JSON));
    // However the name is written.
    let upper = xml.replace("xpay_goods_deliver_notify", "XPAY_goods_deliver_notify");
    assert_eq!(key(&upper), key(&xml));
    // Without an id, all bytes count.
    let nameless = xml.replace("trade-7", "");
    assert_ne!(
        key(&nameless.replace("1717500123", "1717509999")),
        key(&nameless)
    );
}

/// A family of the user's own, with a life of its own.
#[tokio::test(start_paused = true)]
async fn a_key_function_says_how_long_a_message_is_retried() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let key = |request: &Request<Verified>| {
        Keyed::from(Key::new([request
            .body()
            .as_bytes()
            .first_chunk::<1>()
            .unwrap()]))
        .retried_for(Duration::from_hours(2))
    };
    let dedup = DedupLayer::builder().with_key(key).build();
    let service = ServiceBuilder::new().layer(dedup).service(message_fn(
        move |_: tower_wechat::xml::Value| {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            async move { Reply::from(XpayAnswer::success()).then(Reply::text(number.to_string())) }
        },
    ));
    let tolerance = Duration::from_mins(10);
    let mut answers = Vec::new();
    for (number, pause) in [60, 59, 21].into_iter().enumerate() {
        let delivery = Delivery::new("shop").with_timestamp_tolerance(tolerance);
        let body = Verified::insecure_assume(format!("<xml><N>{number}</N></xml>"), delivery);
        let request = Request::new(body);
        let response = service.clone().oneshot(request).await.unwrap();
        answers.push(response.body().to_bytes());
        advance(Duration::from_mins(pause)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
    assert!(
        answers
            .iter()
            .all(|answer| *answer == answers[0] && answer.len() > 7)
    );
    // Two hours and twice the tolerance are over.
    advance(Duration::from_secs(1)).await;
    let body = Verified::insecure_assume("<xml></xml>", Delivery::new("shop"));
    service.oneshot(Request::new(body)).await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}
