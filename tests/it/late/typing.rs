//! 对方正在输入, as the user sees it while a run goes on.

use std::future::pending;

use tokio::time::Instant;
use tower_wechat::late::TypingLayer;

use super::*;

/// The seconds at which typing began to be shown, and at which it ended.
type Spans = Vec<(u64, u64)>;

/// Delivers a push to a bot that does as `handler` says, and looks at the chat twice a second.
async fn watch<F, Fut, R>(
    wechat: &Simulator,
    push: Push,
    set: impl FnOnce(TypingLayer) -> TypingLayer,
    handler: F,
) -> Spans
where
    F: Fn(Message) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = R> + Send + 'static,
    R: tower_wechat::reply::IntoReply + 'static,
{
    let dedup = DedupLayer::builder()
        .with_retry_delays([Duration::from_millis(500)])
        .with_late_replies(customer_service(wechat))
        .build();
    let typing = set(TypingLayer::new(api(wechat)));
    let bot = stack(&dedup, tower::Layer::layer(&typing, message_fn(handler)));
    let begun = Instant::now();
    let delivered = tokio::spawn(push.deliver(bot));
    let mut spans = Spans::new();
    let mut since = None;
    for _ in 0..200 {
        sleep(Duration::from_millis(500)).await;
        let at = begun.elapsed().as_secs();
        match (since, wechat.chat(USER).is_typing()) {
            (None, true) => since = Some(at),
            (Some(from), false) => {
                spans.push((from, at));
                since = None;
            }
            _ => {}
        }
    }
    let _ = delivered.await.unwrap();
    dedup.drain(secs(100)).await;
    spans
}

fn as_it_is(layer: TypingLayer) -> TypingLayer {
    layer
}

async fn thinking<R>(seconds: u64, reply: R) -> R {
    sleep(secs(seconds)).await;
    reply
}

#[tokio::test(start_paused = true)]
async fn it_is_shown_from_the_first_second_until_the_answer() {
    for (seconds, expected) in [
        // Neither shown nor called.
        (0, vec![]),
        (1, vec![]),
        (3, vec![(1, 3)]),
        (12, vec![(1, 4), (4, 12)]),
    ] {
        let wechat = wechat();
        let found = watch(&wechat, wechat.text("hi"), as_it_is, move |_| {
            thinking(seconds, "天亮了")
        })
        .await;
        let begin = found.first().map(|(begin, _)| *begin);
        let end = found.last().map(|(_, end)| *end);
        assert_eq!(
            begin,
            expected.first().map(|(begin, _)| *begin),
            "{found:?}"
        );
        assert_eq!(end, expected.last().map(|(_, end)| *end), "{found:?}");
    }
}

/// As often as WeChat accepts it: after 1 s and 16 s, and not after 31 s.
#[tokio::test(start_paused = true)]
async fn it_is_shown_again_when_wechat_stops() {
    let calls = Calls::default();
    let wechat = wechat();
    let typing = calls.watching(&wechat);
    let found = watch(
        &wechat,
        wechat.text("hi"),
        move |_| typing,
        |_| thinking(50, "天亮了"),
    )
    .await;
    assert_eq!(found, [(1, 16), (16, 31)]);
    assert_eq!(calls.all(), [(1, "Typing"), (16, "Typing"), (31, "Typing")]);
}

#[tokio::test(start_paused = true)]
async fn the_delay_is_a_setting() {
    let wechat = wechat();
    let set = |layer: TypingLayer| layer.with_delay(secs(3));
    let found = watch(&wechat, wechat.text("hi"), set, |_| thinking(4, "天亮了")).await;
    assert_eq!(found, [(3, 4)]);
}

#[tokio::test(start_paused = true)]
async fn it_is_hidden_when_no_message_comes() {
    let calls = Calls::default();
    let wechat = wechat();
    let typing = calls.watching(&wechat);
    let found = watch(
        &wechat,
        wechat.text("hi"),
        move |_| typing,
        |_| thinking(3, ()),
    )
    .await;
    assert_eq!(found, [(1, 3)]);
    assert_eq!(calls.all(), [(1, "Typing"), (3, "CancelTyping")]);
}

/// Another run may follow.
#[tokio::test(start_paused = true)]
async fn after_a_failure_it_ends_by_itself() {
    let calls = Calls::default();
    let wechat = wechat();
    let typing = calls.watching(&wechat);
    let fail = |_| thinking(3, Err::<Reply, _>("out of ink"));
    let found = watch(&wechat, wechat.text("hi"), move |_| typing, fail).await;
    assert_eq!(found, [(1, 16)]);
    // WeChat shows it already to the second run.
    assert_eq!(calls.all(), [(1, "Typing"), (4, "Typing")]);
}

#[tokio::test(start_paused = true)]
async fn a_further_run_goes_on_with_it() {
    let calls = Calls::default();
    let wechat = wechat();
    let typing = calls.watching(&wechat);
    let runs = Arc::new(Mutex::new(0));
    let fail_first = move |_| {
        let mut runs = runs.lock().unwrap();
        *runs += 1;
        match *runs {
            1 => thinking(3, Err("out of ink")),
            _ => thinking(25, Ok("天亮了")),
        }
    };
    let found = watch(&wechat, wechat.text("hi"), move |_| typing, fail_first).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(calls.all(), [(1, "Typing"), (4, "Typing"), (19, "Typing")]);
}

#[tokio::test(start_paused = true)]
async fn a_push_that_shows_no_reply_shows_no_typing() {
    let calls = Calls::default();
    let wechat = wechat();
    for push in [
        wechat.event("VIEW").field("EventKey", "http://l"),
        wechat.event("unsubscribe"),
        wechat.xml("<xml><InfoType>authorized</InfoType><AppId>wx1</AppId></xml>"),
        wechat.text("hi").from_user(""),
    ] {
        wechat.text("before").request().unwrap();
        let typing = calls.watching(&wechat);
        let _ = watch(&wechat, push, move |_| typing, |_| thinking(3, ())).await;
    }
    assert_eq!(calls.all(), []);
}

/// A call that hangs, fails or panics.
#[tokio::test(start_paused = true)]
async fn no_call_delays_or_fails_a_run() {
    #[derive(Debug, Clone, Copy)]
    enum Bad {
        Hangs,
        Fails,
        Panics,
    }
    for bad in [Bad::Hangs, Bad::Fails, Bad::Panics] {
        let client = tower::service_fn(
            move |_: Request<tower_wechat::api::RequestBody>| async move {
                match bad {
                    Bad::Hangs => pending().await,
                    Bad::Fails => Err::<Response<String>, _>("no network"),
                    Bad::Panics => panic!("no ink"),
                }
            },
        );
        let typing = TypingLayer::new(Api::new(client, APP_ID, APP_SECRET).unwrap());
        let wechat = wechat();
        let _ = watch(
            &wechat,
            wechat.text("hi"),
            move |_| typing,
            |_| thinking(3, "天亮了"),
        )
        .await;
        let chat = wechat.chat(USER);
        assert_eq!(chat.shown(), ["天亮了"], "{bad:?}");
        assert_eq!(chat.shown()[0].at(), secs(3), "{bad:?}");
    }
}

/// The call's answer comes after the message: WeChat would show typing behind it.
#[tokio::test(start_paused = true)]
async fn it_is_hidden_if_the_call_ends_after_the_message() {
    let calls = Calls::default();
    let wechat = wechat();
    wechat
        .api()
        .fail_always(ApiCall::Typing, ApiFailure::Slow(secs(5)));
    let typing = calls.watching(&wechat);
    let _ = watch(
        &wechat,
        wechat.text("hi"),
        move |_| typing,
        |_| thinking(3, "天亮了"),
    )
    .await;
    assert_eq!(calls.all(), [(1, "Typing"), (6, "CancelTyping")]);
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn errors_are_no_warnings() {
    for failure in [
        ApiFailure::Busy,
        ApiFailure::Unauthorized,
        ApiFailure::LostAnswer,
        ApiFailure::Errcode(45_080),
        ApiFailure::Html,
    ] {
        let log = crate::log::of(async || {
            let wechat = wechat();
            wechat.api().fail_always(ApiCall::Typing, failure);
            let _ = watch(&wechat, wechat.text("hi"), as_it_is, |_| {
                thinking(20, "天亮了")
            })
            .await;
        })
        .await;
        assert!(log.contains("typing"), "{log}");
        assert!(crate::log::warnings(&log).is_empty(), "{log}");
    }
}

/// The calls for typing: when, in seconds, and the command.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<(u64, &'static str)>>>);

impl Calls {
    /// Makes a layer whose calls are noted.
    fn watching(&self, wechat: &Simulator) -> TypingLayer {
        let (calls, server, begun) = (self.clone(), wechat.api(), Instant::now());
        let client = tower::service_fn(move |request: Request<tower_wechat::api::RequestBody>| {
            if request.uri().path().ends_with("typing") {
                let body = str::from_utf8(request.body().as_bytes()).unwrap();
                let commands = ["CancelTyping", "Typing"];
                let command = commands
                    .into_iter()
                    .find(|name| body.contains(name))
                    .unwrap();
                calls
                    .0
                    .lock()
                    .unwrap()
                    .push((begun.elapsed().as_secs(), command));
            }
            tower::ServiceExt::oneshot(server.clone(), request)
        });
        TypingLayer::new(Api::new(client, APP_ID, APP_SECRET).unwrap())
    }

    fn all(&self) -> Vec<(u64, &'static str)> {
        self.0.lock().unwrap().clone()
    }
}
