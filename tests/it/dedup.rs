//! The dedup layer at its boundary: deliveries in, runs and responses counted.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, advance},
};
use tower::{BoxError, Layer, Service, ServiceExt, limit::ConcurrencyLimitLayer, service_fn};
use tower_wechat::{
    DedupLayer, Verified,
    dedup::{
        Key, Outcome, Run,
        store::{self, Owner, Store, Times},
    },
};

mod bounds;
mod connections;
mod late;
mod load;
mod mistakes;
mod nodes;
mod races;
#[cfg(feature = "simulator")]
mod timeline;
mod timing;

/// What a test lets a run come to.
type Verdict = Result<Response<Full<Bytes>>, BoxError>;

/// The inner service's side: each run tells of itself here, and waits for its verdict.
struct Runs(mpsc::UnboundedReceiver<(Option<Run>, oneshot::Sender<Verdict>)>);

impl Runs {
    /// The next run, which has begun or will without further ado.
    async fn next(&mut self) -> (Run, oneshot::Sender<Verdict>) {
        let (run, verdict) = self.0.recv().await.expect("a run");
        (run.expect("a run's number"), verdict)
    }

    /// The next run that has begun by now, which need not say its number.
    fn verdict(&mut self) -> Option<oneshot::Sender<Verdict>> {
        let (_, verdict) = self.0.try_recv().ok()?;
        Some(verdict)
    }

    #[track_caller]
    fn check_none(&mut self) {
        assert!(self.0.try_recv().is_err(), "a run that nothing calls for");
    }
}

fn stack<St: Store>(layer: &DedupLayer<St>) -> (impl Delivers + use<St>, Runs) {
    let (inner, runs) = inner();
    (layer.layer(inner), runs)
}

/// A service whose runs end when and how the test wants.
fn inner() -> (
    impl Service<Request<Verified>, Response = Response<Full<Bytes>>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + 'static,
    Runs,
) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let inner = service_fn(move |request: Request<Verified>| {
        let sender = sender.clone();
        async move {
            let run = request.extensions().get::<Run>().copied();
            let (verdict, decided) = oneshot::channel();
            sender.send((run, verdict)).expect("the test still runs");
            decided
                .await
                .expect("a test drops the verdict to make the run panic")
        }
    });
    (inner, Runs(receiver))
}

/// A finished stack, and what the tests do with it.
trait Delivers:
    Service<Request<Verified>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
    /// Delivers `body` from a task of its own, as a server does, and lets it get as far as it can.
    async fn deliver(&self, body: &str) -> JoinHandle<(StatusCode, Bytes)> {
        let delivery = self.start(body);
        settle().await;
        delivery
    }

    /// Delivers `body` from a task that has not begun.
    fn start(&self, body: &str) -> JoinHandle<(StatusCode, Bytes)> {
        let request = Request::new(Verified::assume(body.to_owned()));
        let delivery = self.clone().oneshot(request);
        tokio::spawn(async {
            let response = delivery.await.unwrap();
            let status = response.status();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, body)
        })
    }
}

impl<S> Delivers for S where
    S: Service<
            Request<Verified>,
            Response = Response<Full<Bytes>>,
            Error = Infallible,
            Future: Send,
        > + Clone
        + Send
        + 'static
{
}

/// Lets every task run until it waits for something.
async fn settle() {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

fn ok(body: &'static str) -> Response<Full<Bytes>> {
    Response::new(Full::from(body))
}

fn text(from: &str, msg_id: &str, content: &str) -> String {
    format!(
        "<xml><ToUserName>gh_account</ToUserName><FromUserName>{from}</FromUserName>\
         <CreateTime>1700000000</CreateTime><MsgType>text</MsgType><Content>{content}</Content>\
         <MsgId>{msg_id}</MsgId></xml>"
    )
}

fn event(detail: &str) -> String {
    format!(
        "<xml><ToUserName>gh_account</ToUserName><FromUserName>user</FromUserName>\
         <CreateTime>1700000000</CreateTime><MsgType>event</MsgType><Event>checked</Event>\
         <trace_id>{detail}</trace_id></xml>"
    )
}

#[track_caller]
fn check(answer: &(StatusCode, Bytes), status: u16, body: &str) {
    assert_eq!(
        (answer.0.as_u16(), &answer.1[..]),
        (status, body.as_bytes())
    );
}

#[tokio::test(start_paused = true)]
async fn a_retry_joins_the_run_and_gets_its_reply() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory());
    let first = stack.deliver(&text("user", "1", "hi")).await;
    let second = stack.deliver(&text("user", "1", "hi")).await;
    let (run, verdict) = runs.next().await;
    assert_eq!(run.number(), 1);
    runs.check_none();
    verdict.send(Ok(ok("reply"))).unwrap();
    check(&first.await.unwrap(), 200, "reply");
    check(&second.await.unwrap(), 200, "reply");
}

/// As WeChat does: it hangs up after 5 s and sends the message again.
#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_stops_nothing() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory());
    let first = stack.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    advance(Duration::from_secs(5)).await;
    first.abort();
    let second = stack.deliver(&text("user", "1", "hi")).await;
    runs.check_none();
    advance(Duration::from_secs(3)).await;
    verdict.send(Ok(ok("reply"))).unwrap();
    check(&second.await.unwrap(), 200, "reply");
}

#[tokio::test(start_paused = true)]
async fn a_message_runs_though_its_only_delivery_never_waits() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory());
    stack.deliver(&text("user", "1", "hi")).await.abort();
    let (_, verdict) = runs.next().await;
    verdict.send(Ok(ok("reply"))).unwrap();
    settle().await;
    let retry = stack.deliver(&text("user", "1", "hi")).await;
    check(&retry.await.unwrap(), 200, "reply");
    runs.check_none();
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_kept_then_a_mark_then_nothing() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory());
    let first = stack.deliver(&text("user", "1", "hi")).await;
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    check(&first.await.unwrap(), 200, "reply");
    for (after, expected) in [(59, "reply"), (1, "success"), (539, "success")] {
        advance(Duration::from_secs(after)).await;
        let retry = stack.deliver(&text("user", "1", "hi")).await;
        check(&retry.await.unwrap(), 200, expected);
    }
    advance(Duration::from_secs(1)).await;
    let _again = stack.deliver(&text("user", "1", "hi")).await;
    runs.next().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_is_repeated_by_its_task() {
    enum Fail {
        Error,
        Status,
        Panic,
        Timeout,
    }
    for fail in [Fail::Error, Fail::Status, Fail::Panic, Fail::Timeout] {
        let (stack, mut runs) = stack(&DedupLayer::in_memory());
        // Nobody waits: the task repeats the run by itself.
        stack.deliver(&text("user", "1", "hi")).await.abort();
        let mut held = Vec::new();
        for (number, delay) in [(1, 500), (2, 2000)] {
            let (run, verdict) = runs.next().await;
            assert_eq!(run.number(), number);
            match fail {
                Fail::Error => verdict.send(Err("broken".into())).unwrap(),
                Fail::Status => {
                    let mut response = Response::new(Full::default());
                    *response.status_mut() = StatusCode::BAD_GATEWAY;
                    verdict.send(Ok(response)).unwrap();
                }
                Fail::Panic => drop(verdict),
                Fail::Timeout => {
                    held.push(verdict);
                    advance(Duration::from_secs(60)).await;
                }
            }
            settle().await;
            let failed = Instant::now();
            advance(Duration::from_millis(delay - 1)).await;
            settle().await;
            runs.check_none();
            advance(Duration::from_millis(1)).await;
            settle().await;
            assert_eq!(failed.elapsed(), Duration::from_millis(delay));
        }
        let (run, verdict) = runs.next().await;
        assert_eq!(run.number(), 3);
        verdict.send(Ok(ok("at last"))).unwrap();
        let retry = stack.deliver(&text("user", "1", "hi")).await;
        check(&retry.await.unwrap(), 200, "at last");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_runs_all_fail_is_acknowledged_and_not_run_again() {
    let layer = DedupLayer::in_memory().with_retry_delays([Duration::from_secs(1)]);
    let (stack, mut runs) = stack(&layer);
    let first = stack.deliver(&text("user", "1", "hi")).await;
    drop(runs.next().await);
    drop(runs.next().await);
    check(&first.await.unwrap(), 200, "success");
    let retry = stack.deliver(&text("user", "1", "hi")).await;
    check(&retry.await.unwrap(), 200, "success");
    runs.check_none();
}

#[tokio::test(start_paused = true)]
async fn no_delivery_waits_longer_than_six_seconds() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory());
    let begun = Instant::now();
    let first = stack.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    check(&first.await.unwrap(), 503, "");
    assert_eq!(begun.elapsed(), Duration::from_secs(6));
    verdict.send(Ok(ok("reply"))).unwrap();
    let retry = stack.deliver(&text("user", "1", "hi")).await;
    check(&retry.await.unwrap(), 200, "reply");
}

/// Each pair has made somebody's dedup drop a message, or run one twice.
#[tokio::test(start_paused = true)]
async fn what_is_one_message_and_what_is_two() {
    for (one, other, runs_wanted) in [
        (text("user", "1", "hi"), text("user", "1", "hi"), 1),
        // WxJava #333: fifteen people talking at once shared an id.
        (text("user", "1", "hi"), text("neighbour", "1", "hi"), 2),
        (text("user", "1", "hi"), text("user", "2", "hi"), 2),
        // No id, or one that stands for none: the whole text counts.
        (text("user", "0", "hi"), text("user", "0", "ho"), 2),
        (text("user", "", "hi"), text("user", "", "ho"), 2),
        (text("user", "0", "hi"), text("user", "0", "hi"), 1),
        // WxJava #2705: two checks of one second, with different traces.
        (event("a"), event("b"), 2),
        (event("a"), event("a"), 1),
        // A text that leaves its section to name another message repeats a field: not that message.
        (
            text("user", "1", "hi"),
            text(
                "user",
                "2",
                "<![CDATA[hi]]></Content><MsgId>1</MsgId><Content><![CDATA[]]>",
            ),
            2,
        ),
        // The id's other name, which the message types read too.
        (
            text("user", "1", "hi").replace("MsgId>", "MsgID>"),
            text("user", "1", "ho").replace("MsgId>", "MsgID>"),
            1,
        ),
        // Both names at once: neither the one message nor the other.
        (
            text("user", "1", "hi"),
            text("user", "1", "hi").replace("</xml>", "<MsgID>2</MsgID></xml>"),
            2,
        ),
        (
            "{\"not\": \"xml\"}".to_owned(),
            "{\"not\": \"XML\"}".to_owned(),
            2,
        ),
    ] {
        let (stack, mut runs) = stack(&DedupLayer::in_memory());
        let _first = stack.deliver(&one).await;
        let _second = stack.deliver(&other).await;
        let _held = runs.next().await;
        if runs_wanted == 2 {
            runs.next().await;
        }
        runs.check_none();
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_of_the_user_replaces_the_key() {
    let layer =
        DedupLayer::in_memory().with_key(|request| Key::new([&request.body().as_bytes()[..1]]));
    let (stack, mut runs) = stack(&layer);
    let _first = stack.deliver("a1").await;
    let _same = stack.deliver("a2").await;
    let _other = stack.deliver("b1").await;
    let _held = [runs.next().await, runs.next().await];
    runs.check_none();
}

#[test]
fn a_keys_parts_do_not_run_into_each_other() {
    assert_ne!(Key::new(["a", "bc"]), Key::new(["ab", "c"]));
    assert_ne!(Key::new(["a", ""]), Key::new(["a"]));
}

#[tokio::test(start_paused = true)]
async fn all_services_of_a_layer_share_its_messages() {
    let layer = DedupLayer::in_memory();
    let (first, mut runs) = stack(&layer);
    let (second, mut none) = stack(&layer.clone());
    let one = first.deliver(&text("user", "1", "hi")).await;
    let other = second.deliver(&text("user", "1", "hi")).await;
    runs.next().await.1.send(Ok(ok("reply"))).unwrap();
    check(&one.await.unwrap(), 200, "reply");
    check(&other.await.unwrap(), 200, "reply");
    none.check_none();
}

#[tokio::test(start_paused = true)]
async fn at_the_bound_on_running_messages_a_delivery_waits_for_room() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory().with_max_running(1));
    let _first = stack.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    let second = stack.deliver(&text("user", "2", "hi")).await;
    runs.check_none();
    advance(Duration::from_secs(4)).await;
    verdict.send(Ok(ok("reply"))).unwrap();
    settle().await;
    runs.next().await.1.send(Ok(ok("second"))).unwrap();
    check(&second.await.unwrap(), 200, "second");
}

#[tokio::test(start_paused = true)]
async fn without_room_a_delivery_is_turned_away_after_four_and_a_half_seconds() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory().with_max_running(1));
    let _first = stack.deliver(&text("user", "1", "hi")).await;
    let _held = runs.next().await;
    let begun = Instant::now();
    let second = stack.deliver(&text("user", "2", "hi")).await;
    check(&second.await.unwrap(), 503, "");
    assert_eq!(begun.elapsed(), Duration::from_millis(4500));
    runs.check_none();
}

#[tokio::test(start_paused = true)]
async fn deliveries_waiting_for_one_message_are_bounded() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory().with_max_waiting(2));
    let first = stack.deliver(&text("user", "1", "hi")).await;
    let second = stack.deliver(&text("user", "1", "hi")).await;
    let third = stack.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    verdict.send(Ok(ok("reply"))).unwrap();
    // The third has waited outside, and finds the kept reply.
    for delivery in [first, second, third] {
        check(&delivery.await.unwrap(), 200, "reply");
    }
    runs.check_none();
}

#[tokio::test(start_paused = true)]
async fn replies_over_the_bound_leave_their_marks() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory().with_max_reply_bytes(10));
    for (id, reply) in [("1", "six by"), ("2", "five!")] {
        let delivery = stack.deliver(&text("user", id, "hi")).await;
        runs.next().await.1.send(Ok(ok(reply))).unwrap();
        check(&delivery.await.unwrap(), 200, reply);
    }
    let retry = stack.deliver(&text("user", "1", "hi")).await;
    check(&retry.await.unwrap(), 200, "success");
    let retry = stack.deliver(&text("user", "2", "hi")).await;
    check(&retry.await.unwrap(), 200, "five!");
    runs.check_none();
}

#[tokio::test(start_paused = true)]
async fn at_the_bound_on_messages_the_one_that_ended_first_is_forgotten() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory().with_max_messages(2));
    for id in ["1", "2", "3"] {
        let delivery = stack.deliver(&text("user", id, "hi")).await;
        runs.next().await.1.send(Ok(ok("reply"))).unwrap();
        check(&delivery.await.unwrap(), 200, "reply");
    }
    let kept = stack.deliver(&text("user", "2", "hi")).await;
    check(&kept.await.unwrap(), 200, "reply");
    runs.check_none();
    let _forgotten = stack.deliver(&text("user", "1", "hi")).await;
    runs.next().await;
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_takes_no_permit_of_a_limit_inside() {
    let (sender, mut begun) = mpsc::unbounded_channel();
    let inner = ConcurrencyLimitLayer::new(2).layer(service_fn(move |_: Request<Verified>| {
        sender.send(()).unwrap();
        std::future::pending::<Verdict>()
    }));
    let stack = DedupLayer::in_memory().layer(inner);
    let mut deliveries = Vec::new();
    for _ in 0..5 {
        deliveries.push(stack.deliver(&text("user", "1", "hi")).await);
    }
    deliveries.push(stack.deliver(&text("user", "2", "hi")).await);
    assert_eq!(
        [begun.recv().await, begun.recv().await],
        [Some(()), Some(())]
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_response_says_to_wechat_is_kept_as_it_was() {
    let layer = DedupLayer::in_memory();
    let (stack, mut runs) = stack(&layer);
    let first = stack.deliver(&text("user", "1", "hi")).await;
    let response = Response::builder()
        .status(201)
        .header("content-type", "application/xml")
        .body(Full::from("<xml/>"))
        .unwrap();
    runs.next().await.1.send(Ok(response)).unwrap();
    check(&first.await.unwrap(), 201, "<xml/>");
    let request = Request::new(Verified::assume(text("user", "1", "hi")));
    let again = stack.clone().oneshot(request).await.unwrap();
    assert_eq!(again.status(), 201);
    assert_eq!(again.headers()["content-type"], "application/xml");
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn the_log_tells_of_failed_runs_and_quotes_nothing() {
    let log = crate::log::of(async || {
        let layer = DedupLayer::in_memory().with_retry_delays([Duration::ZERO]);
        let (stack, mut runs) = stack(&layer);
        let waiting = stack.deliver(&text("user", "1", "hush")).await;
        let (_, verdict) = runs.next().await;
        check(&waiting.await.unwrap(), 503, "");
        verdict.send(Err("out of ink".into())).unwrap();
        drop(runs.next().await);
        settle().await;
    })
    .await;
    assert!(!log.contains("hush"), "{log}");
    crate::log::check(
        &log,
        [
            &["WARN", "turned a delivery away", "no outcome in time"],
            &["DEBUG", "without an answer in time"],
            &["WARN", "number=1", "out of ink"],
            &["WARN", "number=2", "panicked"],
            &["ERROR", "runs=2"],
        ],
    );
}

/// The run's task waits for a delivery to fetch its reply; here the delivery waits for the task.
#[tokio::test(start_paused = true)]
async fn an_inline_run_answers_its_own_delivery() {
    let layer = DedupLayer::in_memory().with_inline_runs();
    let (stack, mut runs) = stack(&layer);
    let began = Instant::now();
    let delivery = stack.deliver(&text("oUser", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    verdict.send(Ok(ok("the reply"))).unwrap();
    let (status, body) = delivery.await.unwrap();
    assert_eq!((status.as_u16(), &body[..]), (200, &b"the reply"[..]));
    assert!(began.elapsed() < Duration::from_millis(100));
}

/// A delivery that waits for room when the node begins to go away.
#[tokio::test(start_paused = true)]
async fn a_drained_layer_runs_nothing_that_waited_for_room() {
    let layer = DedupLayer::in_memory().with_max_running(1);
    let (stack, mut runs) = stack(&layer);
    let first = stack.deliver(&text("oUser", "1", "hi")).await;
    let second = stack.deliver(&text("oUser", "2", "hi")).await;
    let (_, verdict) = runs.next().await;
    let draining = tokio::spawn({
        let layer = layer.clone();
        async move { layer.drain(Duration::from_secs(1)).await }
    });
    settle().await;
    verdict.send(Ok(ok("the reply"))).unwrap();
    assert_eq!(first.await.unwrap().0, 200);
    draining.await.unwrap();
    settle().await;
    runs.check_none();
    assert_eq!(second.await.unwrap().0, 503);
}

/// A store that is away, and counts how often it is told of an outcome all the same.
struct Gone(std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl store::Store for Gone {
    type Error = BoxError;

    async fn claim(&self, _: Key, _: Owner, _: Times) -> Result<store::Claim, BoxError> {
        Err("away".into())
    }

    async fn renew(&self, _: Key, _: Owner, _: u32, _: Times) -> Result<bool, BoxError> {
        Err("away".into())
    }

    async fn complete(
        &self,
        _: Key,
        _: Owner,
        _: &Outcome,
        _: bool,
        _: Times,
    ) -> Result<store::Completed, BoxError> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Err("away".into())
    }

    async fn acknowledge(&self, _: Key, _: Owner) -> Result<store::Acknowledged, BoxError> {
        Err("away".into())
    }

    async fn release(&self, _: Key, _: Owner) -> Result<bool, BoxError> {
        Err("away".into())
    }
}

/// While the store is away, each message that ends would leave a task and its reply behind for a minute.
#[tokio::test(start_paused = true)]
async fn what_waits_for_the_store_to_come_back_is_bounded() {
    let told = std::sync::Arc::default();
    let layer = DedupLayer::with_store(Gone(std::sync::Arc::clone(&told)));
    let inner = service_fn(|_: Request<Verified>| async { Ok::<_, Infallible>(ok("reply")) });
    let service = layer.layer(inner);
    for number in 0..3000 {
        let body = Verified::assume(text("oUser", &number.to_string(), "hi"));
        let response = service.clone().oneshot(Request::new(body)).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    let before = told.load(std::sync::atomic::Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(1001)).await;
    let told = told.load(std::sync::atomic::Ordering::Relaxed) - before;
    assert!(told <= 1024, "{told} outcomes wait for the store");
}

/// Whoever does without freshness says so with the longest time there is.
#[tokio::test(start_paused = true)]
async fn no_time_is_too_long() {
    let layer = DedupLayer::with_store(store::MemoryStore::new())
        .with_mark_ttl(Duration::MAX)
        .with_reply_ttl(Duration::MAX);
    let inner = service_fn(|_: Request<Verified>| async { Ok::<_, Infallible>(ok("reply")) });
    let body = Verified::assume(text("oUser", "1", "hi"));
    let response = layer
        .layer(inner)
        .oneshot(Request::new(body))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}
