//! The access token: fetched once, renewed in time, dropped when rejected.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{FutureExt as _, future::join_all};
use tokio::{
    sync::Semaphore,
    time::{Instant, advance, sleep},
};
use tower_wechat::api::AccessToken;

use super::*;

const TOKEN_1: &str = "7_t0ken+1/==";
const TOKEN_2: &str = "7_t0ken+2/==";

const MILLISECOND: Duration = Duration::from_millis(1);

/// Of 65 characters.
const LONG_TYPE: &str = "text/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

#[tokio::test(start_paused = true)]
async fn the_request_is_stable_tokens() {
    let wechat = WeChat::new();
    let token = api(&wechat).access_token().await.unwrap();
    assert_eq!(token.as_str(), TOKEN_1);
    assert_eq!(token.expires_in(), secs(7200));
    let [seen] = wechat.seen(TOKEN).try_into().unwrap();
    assert_eq!(seen.uri, "https://api.weixin.qq.com/cgi-bin/stable_token");
    assert_eq!(
        seen.json(),
        serde_json::json!({ "grant_type": "client_credential", "appid": APP_ID, "secret": SECRET }),
    );
    assert_eq!(seen.headers["content-length"], seen.body.len().to_string());
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_at_once_cause_one_fetch() {
    let wechat = WeChat::new();
    let gate = Arc::new(Semaphore::new(0));
    wechat.script(TOKEN, [Answer::Gated(gate.clone())]);
    let api = api(&wechat);
    let callers = (0..50).map(|_| {
        let api = api.clone();
        tokio::spawn(async move { api.media("Me1").await })
    });
    let callers: Vec<_> = callers.collect();
    sleep(secs(1)).await;
    assert_eq!((wechat.count(TOKEN), wechat.count(MEDIA)), (1, 0));
    gate.add_permits(1);
    for media in join_all(callers).await {
        assert!(media.unwrap().is_ok());
    }
    assert_eq!((wechat.count(TOKEN), wechat.count(MEDIA)), (1, 50));
}

/// A failed fetch fails all who wait for it, and nobody after them.
#[tokio::test(start_paused = true)]
async fn fifty_callers_at_once_share_a_failure() {
    let wechat = WeChat::new();
    wechat.script(TOKEN, [Answer::Code(40_125, "invalid appsecret")]);
    let api = api(&wechat);
    for token in join_all((0..50).map(|_| api.access_token())).await {
        assert_eq!(token.unwrap_err().kind(), ErrorKind::Credentials);
    }
    assert_eq!(wechat.count(TOKEN), 1);
    assert!(api.access_token().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_cached_token_is_there_at_the_first_poll() {
    let api = api(&WeChat::new());
    assert!(api.access_token().now_or_never().is_none());
    api.access_token().await.unwrap();
    // A lock that is awaited, or a budget of tokio's, would make one of these wait.
    for _ in 0..1_000 {
        let token = api.access_token().now_or_never().unwrap().unwrap();
        assert_eq!(token.as_str(), TOKEN_1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_cancels_nothing() {
    let wechat = WeChat::new();
    let gate = Arc::new(Semaphore::new(0));
    wechat.script(TOKEN, [Answer::Gated(gate.clone())]);
    let api = api(&wechat);
    // Polls once, and drops the future.
    assert!(api.access_token().now_or_never().is_none());
    sleep(secs(1)).await;
    gate.add_permits(1);
    sleep(secs(1)).await;
    let token = api.access_token().now_or_never().unwrap().unwrap();
    assert_eq!(token.as_str(), TOKEN_1);
    assert_eq!(wechat.count(TOKEN), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_leaves_does_not_take_the_others_along() {
    let wechat = WeChat::new();
    let gate = Arc::new(Semaphore::new(0));
    wechat.script(TOKEN, [Answer::Gated(gate.clone())]);
    let api = api(&wechat);
    let leaver = tokio::spawn({
        let api = api.clone();
        async move { api.access_token().await.map(drop) }
    });
    sleep(secs(1)).await;
    let other = tokio::spawn({
        let api = api.clone();
        async move { api.access_token().await.map(drop) }
    });
    sleep(secs(1)).await;
    leaver.abort();
    sleep(secs(1)).await;
    gate.add_permits(1);
    other.await.unwrap().unwrap();
    assert_eq!(wechat.count(TOKEN), 1);
}

#[tokio::test(start_paused = true)]
async fn clones_share_the_token() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    let clone = api.clone().with_timeout(secs(1));
    api.media("Me1").await.unwrap();
    clone.media("Me1").await.unwrap();
    assert_eq!(wechat.count(TOKEN), 1);
}

#[tokio::test(start_paused = true)]
async fn the_token_is_renewed_when_less_than_300_seconds_are_left() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    api.access_token().await.unwrap();
    advance(secs(6900)).await;
    assert_eq!(api.access_token().await.unwrap().as_str(), TOKEN_1);
    advance(MILLISECOND).await;
    assert_eq!(api.access_token().await.unwrap().as_str(), TOKEN_1);
    sleep(MILLISECOND).await;
    assert_eq!(api.access_token().await.unwrap().as_str(), TOKEN_2);
    assert_eq!(wechat.count(TOKEN), 2);
}

/// The token server hangs, but the former token is valid.
#[tokio::test(start_paused = true)]
async fn no_call_waits_for_a_renewal() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    api.access_token().await.unwrap();
    advance(secs(6901)).await;
    wechat.script(TOKEN, vec![Answer::Never; 2]);
    // The first fetch ends after 10 s. The next one begins 10 s later at the earliest.
    for (pause, fetches) in [(0, 2), (9, 2), (2, 2), (8, 2), (2, 3), (8, 3)] {
        sleep(secs(pause)).await;
        for _ in 0..20 {
            let begun = Instant::now();
            api.media("Me1").await.unwrap();
            assert_eq!(begun.elapsed(), Duration::ZERO);
        }
        sleep(MILLISECOND).await;
        assert_eq!(wechat.count(TOKEN), fetches);
    }
    sleep(secs(30)).await;
    api.media("Me1").await.unwrap();
    sleep(MILLISECOND).await;
    assert_eq!(api.access_token().await.unwrap().as_str(), TOKEN_2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_two_fetches_are_in_flight_at_once() {
    let in_flight = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let api = Api::with_token_source(WeChat::new().client(), APP_ID, {
        let most = most.clone();
        move || {
            let (in_flight, most) = (in_flight.clone(), most.clone());
            async move {
                most.fetch_max(
                    in_flight.fetch_add(1, Ordering::SeqCst) + 1,
                    Ordering::SeqCst,
                );
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                in_flight.fetch_sub(1, Ordering::SeqCst);
                Err::<AccessToken, _>("no token")
            }
        }
    })
    .unwrap();
    // Callers that come and leave all the time, so that some come when a flight ends.
    let callers = (0..3).map(|_| {
        let api = api.clone();
        tokio::spawn(async move {
            for _ in 0..10_000 {
                for _ in 0..8 {
                    let left = api.access_token().now_or_never();
                    assert!(left.is_none_or(|token| token.is_err()));
                }
                tokio::task::yield_now().await;
            }
        })
    });
    for caller in join_all(callers).await {
        caller.unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_renewal_leaves_the_former_token_to_its_end() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    api.access_token().await.unwrap();
    let down = Answer::Http(502, "text/html", "<html>".into());
    wechat.script(TOKEN, vec![down; 2]);
    advance(secs(7199)).await;
    assert_eq!(api.access_token().await.unwrap().as_str(), TOKEN_1);
    sleep(MILLISECOND).await;
    assert_eq!(wechat.count(TOKEN), 2);
    advance(secs(1)).await;
    let error = api.access_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Status);
    assert_eq!(api.access_token().await.unwrap().as_str(), TOKEN_2);
}

/// A former token that is rejected while its renewal is in flight is not used again.
#[tokio::test(start_paused = true)]
async fn a_rejected_former_token_is_not_used_after_a_failed_renewal() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    api.access_token().await.unwrap();
    advance(secs(6899)).await;
    let gate = Arc::new(Semaphore::new(0));
    wechat.script(MEDIA, [Answer::Gated(gate.clone())]);
    let call = tokio::spawn({
        let api = api.clone();
        async move { api.media("Me1").await }
    });
    sleep(secs(2)).await;
    wechat.end_token();
    wechat.script(TOKEN, [Answer::Never]);
    let renewal = tokio::spawn({
        let api = api.clone();
        async move { api.access_token().await }
    });
    sleep(secs(1)).await;
    gate.add_permits(1);
    assert_eq!(renewal.await.unwrap().unwrap().as_str(), TOKEN_1);
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!((wechat.count(TOKEN), wechat.count(MEDIA)), (2, 1));
}

/// A token before the former one, which a slow call has used, says nothing of the former one.
#[tokio::test(start_paused = true)]
async fn a_former_token_outlives_the_rejection_of_another() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    api.access_token().await.unwrap();
    let gate = Arc::new(Semaphore::new(0));
    wechat.script(MEDIA, [Answer::Gated(gate.clone())]);
    let slow = tokio::spawn({
        let api = api.clone().with_timeout(secs(9000));
        async move { api.media("Me1").await }
    });
    sleep(secs(1)).await;
    wechat.end_token();
    api.media("Me1").await.unwrap();
    sleep(secs(6901)).await;
    wechat.script(TOKEN, [Answer::Never]);
    let renewal = tokio::spawn({
        let api = api.clone();
        async move { api.access_token().await }
    });
    sleep(secs(1)).await;
    gate.add_permits(1);
    assert_eq!(renewal.await.unwrap().unwrap().as_str(), TOKEN_2);
    slow.await.unwrap().unwrap();
    assert_eq!(wechat.count(TOKEN), 3);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_dropped_and_the_call_repeated_once() {
    for errcode in [40_001, 40_014, 41_001, 42_001] {
        for path in [MEDIA, UPLOAD, SEND, TYPING] {
            let wechat = WeChat::new();
            let api = api(&wechat);
            wechat.script(path, [Answer::Code(errcode, "invalid credential")]);
            let failed = each_call(&api).await;
            assert!(
                failed.iter().all(|(_, error)| error.is_none()),
                "{failed:?}"
            );
            assert_eq!((wechat.count(TOKEN), wechat.count(path)), (2, 2));
            let [first, second] = wechat.seen(path).try_into().unwrap();
            assert_eq!(first.body.len(), second.body.len());
        }

        let wechat = WeChat::new();
        let api = api(&wechat);
        wechat.script(MEDIA, vec![Answer::Code(errcode, "invalid credential"); 2]);
        let error = api.media("Me1").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.errcode()),
            (ErrorKind::AccessToken, Some(errcode))
        );
        assert!(
            error
                .to_string()
                .ends_with(": does another program fetch tokens of this account?")
        );
        assert_eq!((wechat.count(TOKEN), wechat.count(MEDIA)), (2, 2));
        // The second token is dropped as well.
        api.media("Me1").await.unwrap();
        assert_eq!((wechat.count(TOKEN), wechat.count(MEDIA)), (3, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_fetched_meanwhile_is_not_dropped() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    api.access_token().await.unwrap();
    wechat.end_token();
    let gate = Arc::new(Semaphore::new(0));
    wechat.script(MEDIA, [Answer::Gated(gate.clone())]);
    let slow = tokio::spawn({
        let api = api.clone();
        async move { api.media("Me1").await }
    });
    sleep(secs(1)).await;
    // This call is rejected with the first token, and fetches the second.
    api.media("Me1").await.unwrap();
    gate.add_permits(1);
    slow.await.unwrap().unwrap();
    assert_eq!(wechat.count(TOKEN), 2);
    let tokens: Vec<_> = wechat
        .seen(MEDIA)
        .iter()
        .map(|seen| seen.query["access_token"].clone())
        .collect();
    assert_eq!(tokens, [TOKEN_1, TOKEN_1, TOKEN_2, TOKEN_2]);
}

#[tokio::test(start_paused = true)]
async fn fifty_rejected_calls_cause_one_fetch() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    api.access_token().await.unwrap();
    wechat.end_token();
    for media in join_all((0..50).map(|_| api.media("Me1"))).await {
        media.unwrap();
    }
    assert_eq!(wechat.count(TOKEN), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_source_takes_the_place_of_the_secret() {
    let wechat = WeChat::new();
    let made = Arc::new(AtomicUsize::new(0));
    let api = Api::with_token_source(wechat.client(), APP_ID, {
        let made = made.clone();
        move || {
            let number = made.fetch_add(1, Ordering::Relaxed);
            async move {
                match number {
                    0 => Err("the vault is closed"),
                    _ => Ok(AccessToken::new(format!("own-{number}"), secs(600))),
                }
            }
        }
    })
    .unwrap();
    check(
        api.access_token().await,
        ErrorKind::TokenSource,
        "cannot get an access token: the token source failed: the vault is closed",
    );
    assert_eq!(api.access_token().await.unwrap().as_str(), "own-1");
    // It has no such token, so it rejects each.
    let error = api.media("Me1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessToken);
    assert_eq!(made.load(Ordering::Relaxed), 3);
    assert_eq!(wechat.count(TOKEN), 0);
    let tokens: Vec<_> = wechat
        .seen(MEDIA)
        .iter()
        .map(|seen| seen.query["access_token"].clone())
        .collect();
    assert_eq!(tokens, ["own-1", "own-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_source_that_hangs_or_panics_does_not_stop_the_next_call() {
    let made = AtomicUsize::new(0);
    let api = Api::with_token_source(WeChat::new().client(), APP_ID, move || {
        let number = made.fetch_add(1, Ordering::Relaxed);
        assert!(number != 1, "no token today");
        async move {
            match number {
                0 => pending().await,
                2 => panic!("no token tomorrow"),
                _ => Ok::<_, &str>(AccessToken::new("own", Duration::MAX)),
            }
        }
    })
    .unwrap();
    check(
        api.access_token().await,
        ErrorKind::Timeout,
        "cannot get an access token: no whole answer within 10s",
    );
    for _ in 1..3 {
        check(
            api.access_token().await,
            ErrorKind::TokenSource,
            "cannot get an access token: the task that fetches it panicked or was cancelled",
        );
    }
    let token = api.access_token().await.unwrap();
    assert_eq!(token.expires_in(), secs(24 * 3600));
}

/// A panic is no reason to drop a valid token.
#[tokio::test(start_paused = true)]
async fn a_renewal_that_panics_leaves_the_former_token() {
    let made = Arc::new(AtomicUsize::new(0));
    let api = Api::with_token_source(WeChat::new().client(), APP_ID, {
        let made = made.clone();
        move || {
            let number = made.fetch_add(1, Ordering::Relaxed);
            async move {
                assert!(number != 1, "no token today");
                Ok::<_, &str>(AccessToken::new(format!("own-{number}"), secs(600)))
            }
        }
    })
    .unwrap();
    let token = async || {
        let token = api.access_token().await.unwrap();
        sleep(MILLISECOND).await;
        (token.as_str().to_owned(), made.load(Ordering::Relaxed))
    };
    assert_eq!(token().await, ("own-0".to_owned(), 1));
    advance(secs(301)).await;
    assert_eq!(token().await, ("own-0".to_owned(), 2));
    assert_eq!(token().await, ("own-0".to_owned(), 2));
    advance(secs(10)).await;
    assert_eq!(token().await, ("own-0".to_owned(), 3));
    assert_eq!(token().await, ("own-2".to_owned(), 3));
}

/// It would be cached for hours, and no call would succeed with it.
#[tokio::test(start_paused = true)]
async fn a_token_that_cannot_be_one_is_not_cached() {
    for (length, is_token) in [(0, false), (1, true), (4096, true), (4097, false)] {
        let text = "7".repeat(length);
        let wechat = WeChat::new();
        let json = format!(r#"{{"access_token":"{text}","expires_in":7200}}"#);
        wechat.script(TOKEN, [Answer::Http(200, "text/plain", json.into())]);
        let own = Api::with_token_source(wechat.client(), APP_ID, move || {
            let text = text.clone();
            async { Ok::<_, &str>(AccessToken::new(text, secs(7200))) }
        });
        let (own, fetched) = (own.unwrap().access_token().await, api(&wechat));
        assert_eq!(fetched.access_token().await.is_ok(), is_token);
        fetched.media("Me1").await.map_or_else(drop, drop);
        assert_eq!(own.is_ok(), is_token);
        if !is_token {
            check(
                own,
                ErrorKind::TokenSource,
                &format!(
                    "cannot get an access token: the token source failed: expected a token of 1 to 4096 bytes, \
                     found {length}"
                ),
            );
            assert_eq!(wechat.count(TOKEN), 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_base_url_is_another_server() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    wechat.script(MEDIA, [Answer::Code(48_001, "api unauthorized")]);
    api.media("Me1").await.unwrap_err();
    let other = api.clone().with_base_url("https://sh.api.weixin.qq.com");
    other.unwrap().media("Me1").await.unwrap();
    assert_eq!(wechat.count(TOKEN), 2);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// Begins to fetch a token that never comes.
async fn begin_a_flight() -> (WeChat, Api) {
    let wechat = WeChat::new();
    let api = api(&wechat);
    wechat.script(TOKEN, [Answer::Never]);
    assert!(api.access_token().now_or_never().is_none());
    tokio::task::yield_now().await;
    (wechat, api)
}

/// Its timers stand still with it.
#[test]
fn a_runtime_that_nobody_drives_does_not_hold_up_others() {
    let first = runtime();
    let (wechat, api) = first.block_on(begin_a_flight());
    runtime().block_on(async {
        check(
            api.access_token().await,
            ErrorKind::Timeout,
            "cannot get an access token: no whole answer within 47s",
        );
        api.access_token().await.unwrap();
    });
    assert_eq!(wechat.count(TOKEN), 2);
    drop(first);
}

/// The task of a flight ends with its runtime.
#[test]
fn an_api_outlives_a_runtime() {
    let first = runtime();
    let (wechat, api) = first.block_on(begin_a_flight());
    drop(first);
    assert_eq!(wechat.count(TOKEN), 1);
    runtime().block_on(async { api.access_token().await.unwrap() });
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_token_is_an_error() {
    let of = |content_type, body: &'static str| Answer::Http(200, content_type, body.into());
    for (answer, found) in [
        (
            of("text/html; charset=gbk", "<html>login</html>"),
            "18 bytes of text/html",
        ),
        (of("application/json", "{}"), "2 bytes of application/json"),
        (
            of("", r#"{"access_token":"7_half"}"#),
            "25 bytes without a Content-Type",
        ),
        (of("no media type", "[]"), "2 bytes without a Content-Type"),
        (of("text-plain", "[]"), "2 bytes without a Content-Type"),
        (of("text/<b>", "[]"), "2 bytes without a Content-Type"),
        (of(LONG_TYPE, "[]"), "2 bytes without a Content-Type"),
        (of("text/plain; charset=<b>", "[]"), "2 bytes of text/plain"),
        (
            of("text/plain", r#"{"access_token":"","expires_in":1}"#),
            "34 bytes of text/plain",
        ),
        (
            of("text/plain", r#"{"access_token":"7_a","expires_in":-1}"#),
            "38 bytes of text/plain",
        ),
        (
            of("text/plain", r#"{"access_token":7,"expires_in":1}"#),
            "33 bytes of text/plain",
        ),
        (of("text/plain", ""), "0 bytes of text/plain"),
    ] {
        let wechat = WeChat::new();
        wechat.script(TOKEN, [answer]);
        let message =
            format!("cannot get an access token: expected an access_token, found {found}");
        check(
            api(&wechat).access_token().await,
            ErrorKind::Response,
            &message,
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_or_address_fails_each_call_with_advice() {
    for (errcode, errmsg, kind, message) in [
        (
            40_001,
            "invalid credential",
            ErrorKind::Credentials,
            "WeChat answered 40001 (invalid credential): copy the app id and the AppSecret from the console again",
        ),
        (
            40_164,
            "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 6a-1",
            ErrorKind::Address,
            "WeChat answered 40164 (invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 6a-1): \
             add the address to the IP whitelist in the console",
        ),
    ] {
        let wechat = WeChat::new();
        wechat.script(TOKEN, vec![Answer::Code(errcode, errmsg); 4]);
        for (path, error) in each_call(&api(&wechat)).await {
            check(
                Err::<(), _>(error.unwrap()),
                kind,
                &format!("cannot get an access token: {message}"),
            );
            assert_eq!(wechat.count(path), 0);
        }
        assert_eq!(wechat.count(TOKEN), 4);
    }
}
