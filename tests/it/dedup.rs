//! The dedup layer at its boundary: deliveries in, runs and responses counted.

use std::{convert::Infallible, future::ready, task::Poll, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, advance, timeout},
};
use tower::{BoxError, Layer, Service, ServiceExt, limit::ConcurrencyLimitLayer, service_fn};
use tower_wechat::{
    DedupLayer, Delivery, Verified,
    dedup::{Key, RunNumber, store::MemoryStore},
};

use self::faulty::Faulty;
use crate::assume;

mod abandoned;
mod blips;
mod bounds;
mod breaker;
mod clock;
mod connections;
mod cuts;
pub(crate) mod faulty;
mod floods;
#[cfg(feature = "redis")]
mod forgotten;
mod half_away;
mod handed_back;
mod late;
mod load;
mod lost_answers;
mod nodes;
mod outage;
mod races;
mod renewal;
mod schedules;
mod shown;
mod stalled;
#[cfg(feature = "simulator")]
mod timeline;
mod timing;
mod too_late;
mod turns;

/// The result of a run, which the test decides.
type Verdict = Result<Response<Full<Bytes>>, BoxError>;

/// The runs of the inner service. Each one reports here, and waits for its verdict.
struct Runs(mpsc::UnboundedReceiver<(Option<RunNumber>, oneshot::Sender<Verdict>)>);

impl Runs {
    /// Waits for the next run. Without one the test fails instead of hanging.
    async fn next(&mut self) -> (RunNumber, oneshot::Sender<Verdict>) {
        let run = timeout(Duration::from_secs(1000), self.0.recv()).await;
        let (number, verdict) = run.expect("a run in time").expect("a run");
        (number.expect("the run's number"), verdict)
    }

    /// Returns the next run that has begun by now. It may have no number.
    fn verdict(&mut self) -> Option<oneshot::Sender<Verdict>> {
        let (_, verdict) = self.0.try_recv().ok()?;
        Some(verdict)
    }

    #[track_caller]
    fn check_none(&mut self) {
        assert!(self.0.try_recv().is_err(), "an unexpected run");
    }
}

fn stack(layer: &DedupLayer) -> (impl Delivers + use<>, Runs) {
    let (inner, runs) = inner();
    (layer.layer(inner), runs)
}

/// A service whose runs end when and how the test decides.
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
            let number = request.body().run_number();
            let (verdict, decided) = oneshot::channel();
            sender.send((number, verdict)).expect("the test still runs");
            decided
                .await
                .expect("a test drops the verdict to make the run panic")
        }
    });
    (inner, Runs(receiver))
}

/// A service that replies at once.
fn replying()
-> impl Service<Request<Verified>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(|_: Request<Verified>| ready(Ok(ok("reply"))))
}

/// A whole stack, and what the tests do with it.
trait Delivers: Clone + Send + 'static {
    /// Sends one delivery, and returns the answer.
    fn send(
        self,
        request: Request<Verified>,
    ) -> impl Future<Output = Response<Bytes>> + Send + 'static;

    /// Delivers `body` in a task of its own, as a server does, and lets it run until it waits.
    async fn deliver(&self, body: &str) -> JoinHandle<(StatusCode, Bytes)> {
        let delivery = self.start(body);
        settle().await;
        delivery
    }

    /// Delivers `body` in a task that has not begun.
    fn start(&self, body: &str) -> JoinHandle<(StatusCode, Bytes)> {
        let delivery = self.clone().send(Request::new(assume(body.to_owned())));
        tokio::spawn(async {
            let response = delivery.await;
            (response.status(), response.into_body())
        })
    }
}

impl<S, B> Delivers for S
where
    S: Service<Request<Verified>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    async fn send(self, request: Request<Verified>) -> Response<Bytes> {
        let (head, body) = self.oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Response::from_parts(head, body)
    }
}

/// Lets every task run until it waits for something.
///
/// On this runtime a yield returns when no other task is ready, or after 61 polls. More than one yield is for tasks that
/// yield as well.
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
    let (number, verdict) = runs.next().await;
    assert_eq!(number.get(), 1);
    runs.check_none();
    verdict.send(Ok(ok("reply"))).unwrap();
    check(&first.await.unwrap(), 200, "reply");
    check(&second.await.unwrap(), 200, "reply");
}

/// WeChat hangs up after 5 s and delivers the message again.
#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_does_not_stop_the_run() {
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
async fn a_message_runs_even_if_its_only_delivery_goes_away_at_once() {
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
async fn a_reply_is_kept_for_a_minute_and_a_mark_for_ten() {
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
        /// A body of more than 1 MiB.
        TooLarge,
    }
    for fail in [
        Fail::Error,
        Fail::Status,
        Fail::Panic,
        Fail::Timeout,
        Fail::TooLarge,
    ] {
        let (stack, mut runs) = stack(&DedupLayer::in_memory());
        let begun = Instant::now();
        // No delivery waits: the task repeats the run by itself.
        stack.deliver(&text("user", "1", "hi")).await.abort();
        let mut held = Vec::new();
        for (expected, delay) in [(1, 500), (2, 2000)] {
            let (number, verdict) = runs.next().await;
            assert_eq!(number.get(), expected);
            match fail {
                Fail::Error => verdict.send(Err("broken".into())).unwrap(),
                Fail::Status => {
                    let mut response = Response::new(Full::default());
                    *response.status_mut() = StatusCode::BAD_GATEWAY;
                    verdict.send(Ok(response)).unwrap();
                }
                Fail::Panic => drop(verdict),
                Fail::TooLarge => {
                    let body = Bytes::from(vec![b'x'; MEBIBYTE + 1]);
                    verdict.send(Ok(Response::new(Full::from(body)))).unwrap();
                }
                Fail::Timeout => {
                    held.push(verdict);
                    advance(Duration::from_mins(1)).await;
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
        let (number, verdict) = runs.next().await;
        assert_eq!(number.get(), 3);
        verdict.send(Ok(ok("at last"))).unwrap();
        let retry = stack.deliver(&text("user", "1", "hi")).await;
        // WeChat does not wait for the answer to a delivery that comes after 15 s.
        let is_awaited = begun.elapsed() < Duration::from_secs(15);
        let reply = if is_awaited { "at last" } else { "success" };
        check(&retry.await.unwrap(), 200, reply);
    }
}

/// As the documentation says. One byte more makes the run a failed one.
#[tokio::test(start_paused = true)]
async fn a_response_of_one_mebibyte_is_delivered_and_kept() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory());
    let first = stack.deliver(&text("user", "1", "hi")).await;
    let body = Bytes::from(vec![b'x'; MEBIBYTE]);
    let response = Response::new(Full::from(body.clone()));
    runs.next().await.1.send(Ok(response)).unwrap();
    assert_eq!(first.await.unwrap(), (StatusCode::OK, body.clone()));
    let retry = stack.deliver(&text("user", "1", "hi")).await;
    assert_eq!(retry.await.unwrap(), (StatusCode::OK, body));
    runs.check_none();
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_runs_all_fail_is_acknowledged_and_not_run_again() {
    let layer = DedupLayer::builder()
        .with_retry_delays([Duration::from_secs(1)])
        .build();
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

/// Each pair has made some dedup drop a message or run one twice.
#[tokio::test(start_paused = true)]
async fn which_deliveries_are_one_message() {
    for (one, other, runs_wanted) in [
        (text("user", "1", "hi"), text("user", "1", "hi"), 1),
        // WxJava #333: one id for the messages of fifteen users.
        (text("user", "1", "hi"), text("neighbour", "1", "hi"), 2),
        (text("user", "1", "hi"), text("user", "2", "hi"), 2),
        // No id, or a placeholder: the whole text counts.
        (text("user", "0", "hi"), text("user", "0", "ho"), 2),
        (text("user", "", "hi"), text("user", "", "ho"), 2),
        (text("user", "0", "hi"), text("user", "0", "hi"), 1),
        // WxJava #2705: two events within one second that differ in one field.
        (event("a"), event("b"), 2),
        (event("a"), event("a"), 1),
        // A text that breaks out of its CDATA section to name another id repeats a field: not that message.
        (
            text("user", "1", "hi"),
            text(
                "user",
                "2",
                "<![CDATA[hi]]></Content><MsgId>1</MsgId><Content><![CDATA[]]>",
            ),
            2,
        ),
        // The other spelling of the id's name, which the message types read as well.
        (
            text("user", "1", "hi").replace("MsgId>", "MsgID>"),
            text("user", "1", "ho").replace("MsgId>", "MsgID>"),
            1,
        ),
        // Both spellings at once: neither of the two messages.
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
async fn with_key_replaces_the_key() {
    let layer = DedupLayer::builder()
        .with_key(|request| Key::new([&request.body().as_bytes()[..1]]))
        .build();
    let (stack, mut runs) = stack(&layer);
    let _first = stack.deliver("a1").await;
    let _same = stack.deliver("a2").await;
    let _other = stack.deliver("b1").await;
    let _held = [runs.next().await, runs.next().await];
    runs.check_none();
}

#[test]
fn the_parts_of_a_key_are_kept_apart() {
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
    let (stack, mut runs) = stack(&one_run_at_a_time());
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
    let (stack, mut runs) = stack(&one_run_at_a_time());
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
    let layer = DedupLayer::builder()
        .with_max_waiters_per_message(2)
        .build();
    let (stack, mut runs) = stack(&layer);
    let first = stack.deliver(&text("user", "1", "hi")).await;
    let second = stack.deliver(&text("user", "1", "hi")).await;
    let third = stack.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    verdict.send(Ok(ok("reply"))).unwrap();
    // The third one has waited for room, and gets the kept reply.
    for delivery in [first, second, third] {
        check(&delivery.await.unwrap(), 200, "reply");
    }
    runs.check_none();
}

#[tokio::test(start_paused = true)]
async fn replies_over_the_bound_leave_their_marks() {
    let (stack, mut runs) = stack(&DedupLayer::builder().with_max_reply_bytes(10).build());
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

/// Of the messages 1 and 2, the first one ends last.
#[tokio::test(start_paused = true)]
async fn at_the_bound_on_messages_the_one_that_was_claimed_first_is_forgotten() {
    let (stack, mut runs) = stack(&DedupLayer::builder().with_capacity(3).build());
    let mut ended = Vec::new();
    for order in [&["0"][..], &["1", "2"], &["3"], &["4"]] {
        let mut running = Vec::new();
        for id in order {
            let delivery = stack.deliver(&text("user", id, "hi")).await;
            running.push((id, delivery, runs.next().await.1));
        }
        for (id, delivery, verdict) in running.into_iter().rev() {
            verdict.send(Ok(ok("reply"))).unwrap();
            check(&delivery.await.unwrap(), 200, "reply");
            ended.push(*id);
        }
    }
    assert_eq!(ended, ["0", "2", "1", "3", "4"]);
    for id in ["2", "3", "4"] {
        let kept = stack.deliver(&text("user", id, "hi")).await;
        check(&kept.await.unwrap(), 200, "reply");
    }
    runs.check_none();
    let _forgotten = stack.deliver(&text("user", "1", "hi")).await;
    runs.next().await;
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_takes_no_permit_of_an_inner_limit() {
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
async fn every_delivery_gets_the_status_the_content_type_and_the_body() {
    let (stack, mut runs) = stack(&DedupLayer::in_memory());
    let request = || Request::new(assume(text("user", "1", "hi")));
    let first = tokio::spawn(stack.clone().send(request()));
    let response = Response::builder()
        .status(201)
        .header("content-type", "application/xml")
        .header("x-other", "dropped")
        .extension("dropped")
        .body(Full::from("<xml/>"))
        .unwrap();
    runs.next().await.1.send(Ok(response)).unwrap();
    for answer in [first.await.unwrap(), stack.send(request()).await] {
        assert_eq!(answer.status(), 201);
        assert_eq!(answer.headers()["content-type"], "application/xml");
        assert_eq!(answer.headers().len(), 1);
        assert!(answer.extensions().get::<&str>().is_none());
        assert_eq!(answer.body(), "<xml/>");
    }
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn the_log_has_each_failed_run_and_no_content() {
    let log = crate::log::of(async || {
        let layer = DedupLayer::builder()
            .with_retry_delays([Duration::ZERO])
            .build();
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
            &["DEBUG", "a delivery got no answer"],
            &["WARN", "number=1", "out of ink"],
            &["WARN", "number=2", "panicked"],
            &["ERROR", "runs=2"],
        ],
    );
}

/// The message's task waits for a delivery to fetch the reply, and here the delivery waits for the task.
#[tokio::test(start_paused = true)]
async fn an_inline_run_answers_its_own_delivery() {
    let layer = DedupLayer::builder()
        .with_store(MemoryStore::new())
        .with_inline_runs()
        .build();
    let (stack, mut runs) = stack(&layer);
    let began = Instant::now();
    let delivery = stack.deliver(&text("oUser", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    verdict.send(Ok(ok("the reply"))).unwrap();
    let (status, body) = delivery.await.unwrap();
    assert_eq!((status.as_u16(), &body[..]), (200, &b"the reply"[..]));
    assert!(began.elapsed() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_drained_layer_runs_no_message_that_waited_for_room() {
    let layer = one_run_at_a_time();
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

/// While the store is away, each message that ends keeps a task and its reply for a minute.
#[tokio::test(start_paused = true)]
async fn responses_that_wait_for_the_store_are_bounded() {
    let store = Faulty::new();
    store.go_away();
    let service = DedupLayer::shared(store.clone()).layer(replying());
    for id in 0..3000 {
        let request = Request::new(assume(text("oUser", &id.to_string(), "hi")));
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    let before = store.calls(faulty::Operation::Complete);
    tokio::time::sleep(Duration::from_millis(1001)).await;
    let waiting = store.calls(faulty::Operation::Complete) - before;
    assert_eq!(waiting, 1024, "responses wait for the store");
}

#[tokio::test(start_paused = true)]
async fn no_ttl_is_too_long() {
    let layer = DedupLayer::builder()
        .with_store(MemoryStore::new())
        .with_dedup_ttl(Duration::MAX)
        .with_reply_ttl(Duration::MAX)
        .build();
    let request = Request::new(assume(text("oUser", "1", "hi")));
    let response = layer.layer(replying()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
}

/// A delivery without a tolerance of its own can be replayed for twice 300 s.
#[tokio::test(start_paused = true)]
async fn a_message_is_remembered_while_its_timestamp_is_accepted() {
    for (tolerance, remembered) in [(300, 600), (1000, 2000)] {
        let layer = DedupLayer::builder().with_dedup_ttl(Duration::ZERO).build();
        let (stack, mut runs) = stack(&layer);
        let deliver = || {
            let tolerance = Duration::from_secs(tolerance);
            let delivery = Delivery::new("account").with_timestamp_tolerance(tolerance);
            let body = Verified::insecure_assume(text("user", "1", "hi"), delivery);
            tokio::spawn(stack.clone().send(Request::new(body)))
        };
        let first = deliver();
        runs.next().await.1.send(Ok(ok("reply"))).unwrap();
        assert_eq!(first.await.unwrap().body(), "reply");
        advance(Duration::from_secs(remembered - 1)).await;
        assert_eq!(deliver().await.unwrap().body(), "success");
        runs.check_none();
        advance(Duration::from_secs(1)).await;
        let _again = deliver();
        runs.next().await;
    }
}

/// Without a store, and with room for one running message.
fn one_run_at_a_time() -> DedupLayer {
    DedupLayer::builder().with_max_concurrent_runs(1).build()
}

const MEBIBYTE: usize = 1024 * 1024;
