//! How calls fail, and what they do about it.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, advance},
};
use tower_wechat::api::AccessToken;

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

/// Those of a rejected token and of an address have tests of their own.
#[tokio::test(start_paused = true)]
async fn a_message_says_what_to_do() {
    for (errcode, advice) in [
        (
            40_125,
            ": copy the app id and the AppSecret from the console again",
        ),
        (
            40_243,
            ": the AppSecret is frozen, lift that in the console",
        ),
        (
            61_004,
            ": add the address to the IP whitelist in the console",
        ),
        (48_001, ": unverified accounts may not make this call"),
        (40_200, ": this kind of account may not make this call"),
        (
            40_007,
            ": media are kept for three days, and belong to one account",
        ),
        (45_015, ": wait for the user's next message"),
        (45_047, ": wait for the user's next message"),
        (45_011, ""),
    ] {
        let wechat = WeChat::new();
        wechat.script(SEND, [Answer::Code(errcode, "no")]);
        let error = api(&wechat).send(OPENID, &"a".into()).await.unwrap_err();
        let message = format!("WeChat answered {errcode} (no){advice}");
        assert!(error.to_string().ends_with(&message), "{error}");
    }
    let wechat = WeChat::new();
    wechat.script(SEND, [Answer::Code(7, "")]);
    check(
        api(&wechat).send(OPENID, &"a".into()).await,
        ErrorKind::Other,
        "cannot send a customer-service message: WeChat answered 7",
    );
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
    let api = api.with_timeout(Duration::MAX);
    api.media("Me1").await.unwrap();
    // No time at all is no setting.
    let api = api.with_timeout(Duration::ZERO);
    wechat.script(MEDIA, [Answer::Never]);
    check(
        api.media("Me1").await,
        ErrorKind::Timeout,
        "cannot fetch a media file: no whole answer within 100ms",
    );
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

/// Characters that are not seen, break the line or reorder it, are dropped.
#[tokio::test(start_paused = true)]
async fn a_text_of_another_party_is_one_line() {
    let wechat = WeChat::new();
    let text = "a\u{2028}b\u{2029}c\u{202e}d\u{2066}e\u{200b}f\u{feff}g\0h\u{85}i";
    wechat.script(MEDIA, [Answer::Code(1, text)]);
    check(
        api(&wechat).media("Me1").await,
        ErrorKind::Other,
        "cannot fetch a media file: WeChat answered 1 (abcdefghi)",
    );
    let source =
        || async { Err::<AccessToken, _>(format!("a\nb\u{202e}{}", "语".repeat(10_000))) };
    let api = Api::with_token_source(wechat.client(), APP_ID, source).unwrap();
    let shown = format!(
        "cannot get an access token: the token source failed: ab{}",
        "语".repeat(398)
    );
    check(api.media("Me1").await, ErrorKind::TokenSource, &shown);
}

#[tokio::test(start_paused = true)]
async fn secrets_are_removed_from_the_texts_of_others() {
    let own = |token: &'static str| {
        let wechat = WeChat::new();
        let source = move || async move { Ok::<_, String>(AccessToken::new(token, secs(7200))) };
        let api = Api::with_token_source(wechat.client(), APP_ID, source).unwrap();
        (wechat, api)
    };
    for (token, media_id, text, shown) in [
        // The character that is removed does not hide the token.
        ("78_aTQ", "Me1", "no 78_a\0TQ", "no [removed]"),
        ("78_aTQ", "Me1", "no 78_a\u{200b}TQ.", "no [removed]."),
        ("78/aTQ", "Me1", "no 78%2FaTQ", "no [removed]"),
        // An id of one character is in many words.
        ("78_aTQ", "e", "the server sleeps", "the server sleeps"),
        ("78_aTQ", "media-id-8", "no media-id-8", "no [removed]"),
        // Neither is the replacement replaced, nor does a part remain.
        ("m", "remo", "m m", "[removed] [removed]"),
        ("78_aTQ", "TQ345678", "78_aTQ345678", "[removed]"),
        (
            "78_aTQ",
            "Me1",
            "GET /a?Access_Token=7%38&b=c",
            "GET /a?Access_Token=[removed]&b=c",
        ),
        (
            "78_aTQ",
            "Me1",
            "\"/a?access_token=x\" access_token= b",
            "\"/a?access_token=[removed]\" access_token= b",
        ),
    ] {
        let (wechat, api) = own(token);
        wechat.script(MEDIA, [Answer::Code(1, text)]);
        let message = format!("cannot fetch a media file: WeChat answered 1 ({shown})");
        check(api.media(media_id).await, ErrorKind::Other, &message);
    }
}

/// A real client and a server that counts wrongly.
#[tokio::test]
async fn a_content_length_that_lies_is_an_error() {
    let client = || {
        let executor = hyper_util::rt::TokioExecutor::new();
        hyper_util::client::legacy::Client::builder(executor).build_http()
    };
    for (length, body, kind) in [
        ("100", r#"{"errcode":0}"#, Some(ErrorKind::Client)),
        ("11000000", "", Some(ErrorKind::Client)),
        ("18446744073709551615", "", Some(ErrorKind::Client)),
        ("5", r#"{"errcode":0}"#, Some(ErrorKind::Response)),
        ("13", r#"{"errcode":0} and more"#, None),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            // The command is the request's end.
            while !request.ends_with(b"\"}") {
                connection.read_buf(&mut request).await.unwrap();
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            let response = head + body;
            connection.write_all(response.as_bytes()).await.unwrap();
            connection.shutdown().await.unwrap();
        });
        let source = || async { Ok::<_, String>(AccessToken::new("78_aTQ", secs(7200))) };
        let api = Api::with_token_source(client(), APP_ID, source).unwrap();
        let typed = api.with_base_url(url).unwrap().typing(OPENID, true).await;
        assert_eq!(typed.err().map(|error| error.kind()), kind, "{length}");
        server.await.unwrap();
    }
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
