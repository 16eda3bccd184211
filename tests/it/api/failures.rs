//! How calls fail, and what they do about it.

use std::io;

use tokio::time::{Instant, advance};

use super::*;

#[tokio::test(start_paused = true)]
async fn each_known_code_has_its_kind() {
    for (errcode, kind) in [
        (40_013, ErrorKind::Credentials),
        (40_125, ErrorKind::Credentials),
        (40_243, ErrorKind::Credentials),
        (41_002, ErrorKind::Credentials),
        (41_004, ErrorKind::Credentials),
        (40_164, ErrorKind::Address),
        (61_004, ErrorKind::Address),
        (48_001, ErrorKind::Unauthorized),
        (40_200, ErrorKind::Unauthorized),
        (45_009, ErrorKind::RateLimit),
        (45_011, ErrorKind::RateLimit),
        (40_007, ErrorKind::MediaId),
        (40_004, ErrorKind::Upload),
        (40_005, ErrorKind::Upload),
        (40_006, ErrorKind::Upload),
        (41_005, ErrorKind::Upload),
        (45_001, ErrorKind::Upload),
        (45_007, ErrorKind::Upload),
        (40_003, ErrorKind::OpenId),
        (43_004, ErrorKind::NotFollower),
        (45_015, ErrorKind::WindowClosed),
        (45_047, ErrorKind::QuotaSpent),
        (45_002, ErrorKind::Reply),
        (45_008, ErrorKind::Reply),
        (45_080, ErrorKind::Typing),
        (45_081, ErrorKind::Typing),
        (-2, ErrorKind::Other),
        (i64::MAX, ErrorKind::Other),
    ] {
        let wechat = WeChat::new();
        let api = api(&wechat);
        for path in [MEDIA, UPLOAD, SEND, TYPING] {
            wechat.script(path, [Answer::Code(errcode, "no")]);
        }
        for (path, error) in each_call(&api).await {
            let error = error.unwrap();
            assert_eq!(
                (error.kind(), error.errcode()),
                (kind, Some(errcode)),
                "{path}"
            );
            assert!(
                error
                    .to_string()
                    .contains(&format!(": WeChat answered {errcode} (no)"))
            );
            assert_eq!(wechat.count(path), 1);
        }
        assert_eq!(wechat.count(TOKEN), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_says_what_to_do() {
    for (errcode, advice) in [
        (
            40_125,
            "copy the app id and the AppSecret from the console again",
        ),
        (45_015, "wait for the user's next message"),
        (45_047, "wait for the user's next message"),
    ] {
        let wechat = WeChat::new();
        wechat.script(SEND, [Answer::Code(errcode, "no")]);
        let error = api(&wechat).send(OPENID, &"a".into()).await.unwrap_err();
        let message = format!("WeChat answered {errcode} (no): {advice}");
        assert!(error.to_string().ends_with(&message), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_wechat_is_asked_again_after_1_2_and_4_seconds() {
    let busy = || Answer::Code(-1, "system error");
    for path in [TOKEN, MEDIA, UPLOAD, SEND, TYPING] {
        let wechat = WeChat::new();
        let api = api(&wechat);
        wechat.script(path, vec![busy(); 3]);
        let failed = each_call(&api).await;
        assert!(
            failed.iter().all(|(_, error)| error.is_none()),
            "{failed:?}"
        );
        let at = wechat
            .seen(path)
            .iter()
            .map(|seen| seen.at.as_secs())
            .collect::<Vec<_>>();
        assert_eq!(at, [0, 1, 3, 7].map(|second| at[0] + second));
        assert_eq!(wechat.count(TOKEN), if path == TOKEN { 4 } else { 1 });
    }

    let wechat = WeChat::new();
    wechat.script(MEDIA, vec![busy(); 4]);
    let begun = Instant::now();
    check(
        api(&wechat).media("Me1").await,
        ErrorKind::Busy,
        "cannot fetch a media file: WeChat answered -1 (system error)",
    );
    assert_eq!((wechat.count(MEDIA), begun.elapsed().as_secs()), (4, 7));
}

#[tokio::test(start_paused = true)]
async fn an_unauthorized_call_fails_at_once_for_an_hour() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    wechat.script(
        SEND,
        vec![Answer::Code(48_001, "api unauthorized rid: 1-2"); 2],
    );
    let send = async || api.clone().send(OPENID, &"a".into()).await;
    let first = "cannot send a customer-service message: WeChat answered 48001 (api unauthorized rid: 1-2): \
         unverified accounts may not make this call";
    check(send().await, ErrorKind::Unauthorized, first);
    advance(Duration::from_millis(3_599_999)).await;
    let error = send().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.errcode()),
        (ErrorKind::Unauthorized, Some(48_001))
    );
    assert_eq!(
        error.to_string(),
        "cannot send a customer-service message: WeChat answered 48001 within the last hour, so it was not called: \
         unverified accounts may not make this call",
    );
    assert_eq!(wechat.count(SEND), 1);
    // The other calls have not been asked about.
    assert!(api.media("Me1").await.is_ok());
    assert!(api.typing(OPENID, true).await.is_ok());
    advance(Duration::from_millis(1)).await;
    check(send().await, ErrorKind::Unauthorized, first);
    advance(secs(3600)).await;
    send().await.unwrap();
    assert_eq!(wechat.count(SEND), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_wechats_answer_is_an_error() {
    let html = |status| Answer::Http(status, "text/html", "<html>Bad Gateway</html>".into());
    let refused: fn(&str, &str) -> tower::BoxError = |_, _| {
        let refused = io::Error::other(io::Error::other("connection refused"));
        Box::new(Failed("client error (Connect)", refused))
    };
    let whole = "no whole answer within 10s";
    for (answer, kind, problem) in [
        (
            html(502),
            ErrorKind::Status,
            "expected the HTTP status 200, found 502 Bad Gateway",
        ),
        (
            html(302),
            ErrorKind::Status,
            "expected the HTTP status 200, found 302 Found",
        ),
        (
            Answer::Http(500, "application/json", r#"{"errcode":40001}"#.into()),
            ErrorKind::Status,
            "expected the HTTP status 200, found 500 Internal Server Error",
        ),
        (
            Answer::ClientError(refused),
            ErrorKind::Client,
            "the HTTP client failed: client error (Connect): connection refused",
        ),
        (Answer::Never, ErrorKind::Timeout, whole),
        (Answer::HalfBody, ErrorKind::Timeout, whole),
    ] {
        for path in [MEDIA, UPLOAD, SEND, TYPING] {
            let wechat = WeChat::new();
            let api = api(&wechat);
            wechat.script(path, [answer.clone()]);
            let begun = Instant::now();
            let failed = each_call(&api).await;
            let error = failed
                .into_iter()
                .find_map(|(failed, error)| error.filter(|_| failed == path));
            let error = error.unwrap();
            assert_eq!(error.kind(), kind);
            assert!(
                error.to_string().ends_with(&format!(": {problem}")),
                "{error}"
            );
            assert_eq!(error.errcode(), None);
            assert_eq!(wechat.count(path), 1);
            let seconds = if kind == ErrorKind::Timeout { 10 } else { 0 };
            assert_eq!(begun.elapsed().as_secs(), seconds);
        }
        let wechat = WeChat::new();
        wechat.script(TOKEN, [answer]);
        let message = format!("cannot get an access token: {problem}");
        check(api(&wechat).access_token().await, kind, &message);
    }
    // Of the calls that answer JSON, 1 MiB is too much.
    for path in [UPLOAD, SEND, TYPING, TOKEN] {
        for bytes in [(1 << 20) + 1, 11 << 20] {
            let wechat = WeChat::new();
            let api = api(&wechat);
            wechat.script(path, [Answer::Bytes(bytes)]);
            let mut failed = each_call(&api).await.into_iter();
            let error = failed.find_map(|(_, error)| error).unwrap();
            let problem = "expected an answer of at most 1048576 bytes, found more";
            assert!(error.to_string().ends_with(problem), "{error}");
            assert_eq!(error.kind(), ErrorKind::TooLarge);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_timeout_can_be_set() {
    let wechat = WeChat::new();
    let api = api(&wechat).with_timeout(Duration::from_millis(1500));
    api.access_token().await.unwrap();
    wechat.script(MEDIA, [Answer::HalfBody]);
    let begun = Instant::now();
    check(
        api.media("Me1").await,
        ErrorKind::Timeout,
        "cannot fetch a media file: no whole answer within 1.5s",
    );
    assert_eq!(begun.elapsed().as_millis(), 1500);
    api.with_timeout(Duration::MAX).media("Me1").await.unwrap();
}

/// A long text of another party is cut, and stays on its line.
#[tokio::test(start_paused = true)]
async fn a_text_of_another_party_is_bounded() {
    let wechat = WeChat::new();
    let text = format!("a\nb\u{1b}c{}", "长".repeat(10_000));
    let body = serde_json::json!({ "errcode": 1, "errmsg": text }).to_string();
    wechat.script(MEDIA, [Answer::Http(200, "text/plain", body.into())]);
    let error = api(&wechat).media("Me1").await.unwrap_err();
    let shown = format!(
        "cannot fetch a media file: WeChat answered 1 (abc{})",
        "长".repeat(397)
    );
    assert_eq!(error.to_string(), shown);
}

#[derive(Debug)]
struct Failed(&'static str, io::Error);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.1)
    }
}
