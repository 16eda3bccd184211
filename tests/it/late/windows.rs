//! Customer service sends nothing that WeChat would not accept any more.

use super::*;

/// A push, and the time in which an answer is sent.
type Case<'a> = (&'a dyn Fn(&Simulator) -> Push, Duration);

/// Returns how many calls of the API's `send` there were for an answer after this time.
async fn sends(wechat: &Simulator, push: Push, after: Duration) -> usize {
    let calls = Arc::new(Mutex::new(0_usize));
    let server = wechat.api();
    let client = {
        let calls = Arc::clone(&calls);
        tower::service_fn(move |request: Request<tower_wechat::api::RequestBody>| {
            if request.uri().path().ends_with("send") {
                *calls.lock().unwrap() += 1;
            }
            tower::ServiceExt::oneshot(server.clone(), request)
        })
    };
    let api = Api::new(client, APP_ID, APP_SECRET).unwrap();
    let dedup = DedupLayer::builder()
        .with_late_replies(CustomerService::new(api))
        .with_run_timeout(Duration::from_hours(100))
        .build();
    let bot = stack(
        &dedup,
        message_fn(move |_: Message| async move {
            sleep(after).await;
            "天亮了"
        }),
    );
    let _ = push.deliver(bot).await;
    dedup.drain(Duration::from_hours(100)).await;
    *calls.lock().unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_window_has_its_edge() {
    let tap = |wechat: &Simulator| wechat.text("1").field("bizmsgmenuid", "101");
    let message = |wechat: &Simulator| wechat.text("hi");
    let voice = |wechat: &Simulator| wechat.voice("Vo1");
    macro_rules! event {
        ($name:literal) => {
            &|wechat: &Simulator| wechat.event($name)
        };
    }
    let (long, short) = (Duration::from_hours(48), Duration::from_mins(1));
    let cases: [Case<'_>; 9] = [
        (&message, long),
        (&voice, long),
        (&tap, short),
        (event!("subscribe"), short),
        (event!("SCAN"), short),
        (event!("CLICK"), short),
        (event!("scancode_push"), short),
        (event!("scancode_waitmsg"), short),
        (event!("click"), short),
    ];
    for (push, window) in cases {
        let wechat = wechat();
        let push = push(&wechat);
        let name = format!("{push:?}");
        assert_eq!(
            sends(&wechat, push, window.saturating_sub(MILLISECOND)).await,
            1,
            "{name}"
        );
        assert_eq!(seen(&wechat), ["天亮了"], "{name}");
    }
    for (push, window) in cases {
        let wechat = wechat();
        let push = push(&wechat);
        let name = format!("{push:?}");
        assert_eq!(sends(&wechat, push, window).await, 0, "{name}");
        assert!(seen(&wechat).is_empty(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_events_open_no_window() {
    for name in ["VIEW", "LOCATION", "view_miniprogram", "unsubscribe"] {
        let wechat = wechat();
        // A window of another message of the user's is not this reply's.
        wechat.text("hi").request().unwrap();
        let push = wechat.event(name).field("EventKey", "http://l");
        assert_eq!(sends(&wechat, push, secs(20)).await, 0, "{name}");
    }
}

/// The window closes between two parts: the next sink gets the rest.
#[tokio::test(start_paused = true)]
async fn a_window_that_closes_leaves_the_rest_to_the_next_sink() {
    let wechat = wechat();
    // Each answer takes 9 s: the parts are sent at 40, 49 and 58 s.
    wechat
        .api()
        .fail_always(ApiCall::Send, ApiFailure::Slow(secs(9)));
    let next = Collected::default();
    let builder = DedupLayer::builder()
        .with_late_replies(customer_service(&wechat))
        .with_late_replies(next.sink());
    let push = wechat.event("CLICK").field("EventKey", "tides");
    let _ = tell(push, builder, 40, story(5)).await;
    assert_eq!(seen(&wechat), parts(0..3));
    assert_eq!(next.parts(), parts(3..5));
}

/// The layer that verifies accepts a clock that is minutes off, and WeChat has the last word on its windows.
#[tokio::test(start_paused = true)]
async fn a_wrong_clock_does_not_close_the_window() {
    let ahead = || now() + secs(240);
    let wechat = wechat();
    let dedup = DedupLayer::builder()
        .with_late_replies(customer_service(&wechat))
        .build();
    let bot = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()).with_clock(ahead))
        .layer(dedup.clone())
        .service(message_fn(|_: Message| async {
            sleep(secs(20)).await;
            "天亮了"
        }));
    let _ = wechat
        .event("CLICK")
        .field("EventKey", "tides")
        .deliver(bot)
        .await;
    dedup.drain(secs(100)).await;
    assert_eq!(seen(&wechat), ["天亮了"]);
}
