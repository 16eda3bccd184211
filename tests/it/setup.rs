//! The mistakes of setting up a bot, over the README's stack on axum: the sentence that the developer sees, in the log and
//! without one.

use std::{
    convert::Infallible,
    time::{Duration, SystemTime},
};

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
use tower_wechat::{
    Account, DedupLayer, Message, Verified, VerifySignatureLayer,
    message::VoiceMessage,
    message_fn,
    simulator::{RequestBody, Simulator},
    verify::Rejection,
};

/// Settings that no account has. The sentence is the same with and without `tracing`: `main` prints it.
#[test]
fn malformed_settings() {
    let copy = "copy it from the console again, without spaces or line breaks";
    let token = |found: &str| format!("the token has {found}: {copy}");
    let key = |found: &str| format!("the EncodingAESKey has {found}: {copy}");
    for (mistake, (token, app_id, aes_key), sentence) in [
        (
            "token and app id swapped",
            (APP_ID, TOKEN, KEY),
            "the token looks like an app id and the app id does not: \
             pass them in the order token, app id (for WeCom, corp id or suite id), EncodingAESKey"
                .to_owned(),
        ),
        (
            "app id and key swapped",
            (TOKEN, KEY, APP_ID),
            key("18 characters instead of 43"),
        ),
        (
            "the AppSecret instead of the key",
            (TOKEN, APP_ID, "0123456789abcdef0123456789abcdef"),
            key("32 characters instead of 43"),
        ),
        (
            "42 characters of the key",
            (TOKEN, APP_ID, KEY.split_at(1).1),
            key("42 characters instead of 43"),
        ),
        (
            "a line break behind the key",
            (TOKEN, APP_ID, &format!("{KEY}\n")),
            key("a character that is no letter or digit, at byte 43"),
        ),
        (
            "a blank behind the token",
            (&format!("{TOKEN} "), APP_ID, KEY),
            token("a character that is no letter or digit, at byte 8"),
        ),
        (
            "a token in quotes, from an .env file",
            (&format!("'{TOKEN}'"), APP_ID, KEY),
            token("a character that is no letter or digit, at byte 0"),
        ),
        (
            "a variable that is not set",
            ("", APP_ID, KEY),
            token("0 characters instead of 3 to 32"),
        ),
        (
            "a blank before the app id",
            (TOKEN, &format!(" {APP_ID}"), KEY),
            format!(
                "the app id has a character that is no letter, digit, `_` or `-`, at byte 0: {copy}"
            ),
        ),
        (
            "the original id instead of the app id",
            (TOKEN, "gh_5d1c0e94a7b3", KEY),
            "the app id is an original id (`gh_…`): copy the AppID from the console, which begins with `wx`"
                .to_owned(),
        ),
    ] {
        let error = Account::encrypted(token, app_id, aes_key).unwrap_err();
        assert_eq!(error.to_string(), sentence, "{mistake}");
        // `main` prints `Error: ` and this.
        assert_eq!(format!("{error:?}"), sentence, "{mistake}");
        for secret in [TOKEN, KEY] {
            assert!(!sentence.contains(secret), "{mistake}");
        }
    }
}

/// The console says 令牌验证失败 (the token is not verified) or the like for each of these.
#[tokio::test(start_paused = true)]
async fn the_console_does_not_save_the_url() {
    let wechat = wechat();
    let verification = async || verification(&wechat).await;
    check(
        "wrong token",
        bot(Account::encrypted("walnut42", APP_ID, KEY).unwrap()),
        verification().await,
        403,
        "wrong Token, or not from WeChat: no token of the account makes the signature",
        "DEBUG",
    )
    .await;
    check(
        "the clock is an hour off",
        bot(account()),
        verification_at(SystemTime::now() - Duration::from_hours(1)).await,
        403,
        "wrong clock, or an old request: the timestamp is too far from this machine's time",
        "WARN",
    )
    .await;
    check(
        "the proxy drops the query",
        bot(account()),
        without_query(verification().await),
        400,
        "no callback of WeChat: a parameter of the query is missing, malformed or repeated; \
         a proxy may have dropped the query",
        "DEBUG",
    )
    .await;
    let mut post = verification().await;
    *post.method_mut() = Method::POST;
    check(
        "a test with POST",
        bot(account()),
        post,
        400,
        "wrong mode: the push is in plaintext and the account is encrypted: \
         set 消息加解密方式 in the console to 安全模式 (safe mode), or build it with `Account::plain`",
        "ERROR",
    )
    .await;
    // The layers never see it: no sentence, and the log is empty.
    let mut stripped = verification().await;
    let query = stripped.uri().query().unwrap();
    *stripped.uri_mut() = format!("/?{query}").parse().unwrap();
    check(
        "the proxy strips the path",
        bot(account()),
        stripped,
        404,
        "",
        "",
    )
    .await;
}

/// The URL is saved, and no message arrives.
#[tokio::test(start_paused = true)]
async fn messages_are_rejected() {
    let other_key = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6lM9oR2u";
    let other_id = "wx9f8e7d6c5b4a3021";
    let key = Account::encrypted(TOKEN, APP_ID, other_key).unwrap();
    let id = Account::encrypted(TOKEN, other_id, KEY).unwrap();
    for account in [key.clone(), id.clone()] {
        check(
            "saving the URL verifies the token alone",
            bot(account),
            verification(&wechat()).await,
            200,
            "WeChat has verified the URL: the Token is right, the first message checks the EncodingAESKey and the AppID",
            "INFO",
        )
        .await;
    }
    let text = || wechat().text("你好").request().unwrap();
    // By chance, the padding may fit. Then the length does not.
    check(
        "wrong EncodingAESKey",
        bot(key),
        text(),
        400,
        "wrong EncodingAESKey: the ",
        "ERROR",
    )
    .await;
    check(
        "wrong app id",
        bot(id),
        text(),
        400,
        "wrong app id (for WeCom, corp id or suite id): the message is encrypted for another one",
        "ERROR",
    )
    .await;
    check(
        "the console is in plain mode, the account is encrypted",
        bot(account()),
        Simulator::new(plain()).text("你好").request().unwrap(),
        400,
        "wrong mode: the push is in plaintext and the account is encrypted: \
         set 消息加解密方式 in the console to 安全模式 (safe mode), or build it with `Account::plain`",
        "ERROR",
    )
    .await;
    check(
        "the console is in safe mode, the account is plain",
        bot(plain()),
        text(),
        400,
        "wrong mode: the push is encrypted and the account is plain: build it with `Account::encrypted`, \
         or set 消息加解密方式 in the console to 明文模式 (plain mode)",
        "ERROR",
    )
    .await;
}

/// What stands in front of the bot changes requests.
#[tokio::test(start_paused = true)]
async fn requests_are_changed_on_the_way() {
    let text = || wechat().text("你好").request().unwrap();
    check(
        "the proxy drops the query",
        bot(account()),
        without_query(text()),
        400,
        "no callback of WeChat: a parameter of the query is missing, malformed or repeated; \
         a proxy may have dropped the query",
        "DEBUG",
    )
    .await;
    check(
        "a redirect makes a GET of the POST",
        bot(account()),
        {
            let mut redirected = text();
            *redirected.method_mut() = Method::GET;
            *redirected.body_mut() = Bytes::new();
            redirected
        },
        400,
        "no echostr of 1 to 256 visible ASCII characters: a redirect may have made a GET of a POST",
        "WARN",
    )
    .await;
    check(
        "the proxy drops the body",
        bot(account()),
        with_body(text(), |_| String::new()),
        400,
        "the body is empty: something may have dropped it",
        "WARN",
    )
    .await;
    check(
        "the proxy answers for the body",
        bot(account()),
        with_body(text(), |_| "{}".to_owned()),
        400,
        "the body has no ciphertext: something may have changed it",
        "WARN",
    )
    .await;
    check(
        "the proxy changes the ciphertext",
        bot(account()),
        with_body(text(), str::to_ascii_lowercase),
        403,
        "the signature of the query is right, and that of the ciphertext is wrong: something has changed the body, or it belongs to another request",
        "WARN",
    )
    .await;
    check(
        "the clock is an hour off",
        bot(account()),
        wechat()
            .with_clock(|| SystemTime::now() + Duration::from_hours(1))
            .text("你好")
            .request()
            .unwrap(),
        403,
        "wrong clock, or an old request: the timestamp is too far from this machine's time",
        "WARN",
    )
    .await;
}

/// Both kinds of account read the message.
#[tokio::test(start_paused = true)]
async fn compatible_mode_suits_both_kinds_of_account() {
    for account in [account(), plain()] {
        let voice = wechat().with_compatible_mode().voice("media-1");
        check(
            "the console is in compatible mode",
            bot(account),
            voice.recognition("你好").request().unwrap(),
            200,
            "answered a message with a reply",
            "INFO",
        )
        .await;
    }
}

/// 200, and nothing in the chat.
#[tokio::test(start_paused = true)]
async fn messages_are_answered_and_the_user_sees_nothing() {
    async fn empty(_: VoiceMessage) -> &'static str {
        ""
    }
    async fn fails(_: VoiceMessage) -> Result<String, BoxError> {
        Err("the database is away".into())
    }
    async fn long(_: VoiceMessage) -> String {
        "好".repeat(700)
    }
    let voice = || wechat().voice("media-1").request().unwrap();
    check(
        "the handler takes another type",
        bot(account()),
        wechat().text("你好").request().unwrap(),
        200,
        "acknowledged a message of another type",
        "DEBUG",
    )
    .await;
    check(
        "the handler returns an empty text",
        router(account(), message_fn(empty)),
        voice(),
        200,
        "answered a message with no reply",
        "INFO",
    )
    .await;
    check(
        "the handler returns an error",
        router(account(), message_fn(fails)),
        voice(),
        200,
        "error=the database is away",
        "ERROR",
    )
    .await;
    check(
        "the text is too long",
        router(account(), message_fn(long)),
        voice(),
        200,
        "a reply is longer than one message, and no sink for late replies sends the rest",
        "WARN",
    )
    .await;
    check(
        "a router behind the layer does not know the path",
        Router::new().fallback_service(
            ServiceBuilder::new()
                .layer(VerifySignatureLayer::new(account()))
                .service_fn(async |_: Request<Verified>| {
                    let mut response = Response::new(Body::empty());
                    *response.status_mut() = StatusCode::NOT_FOUND;
                    Ok::<_, Infallible>(response)
                }),
        ),
        voice(),
        404,
        "the inner service answered a message with a status that WeChat does not accept",
        "WARN",
    )
    .await;
}

/// Nobody listens at the Redis' address. A store that cannot be reached later is in the log.
#[cfg(feature = "redis")]
#[tokio::test]
async fn the_redis_is_not_there() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let client = redis::Client::open(format!("redis://{address}")).unwrap();
    let error = client.get_multiplexed_async_connection().await.unwrap_err();
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_store_goes_away() {
    let store = crate::dedup::faulty::Faulty::new();
    store.go_away();
    let answer = async |message: Message| match message {
        Message::Text(text) => Some(text.content),
        _ => None,
    };
    let stack = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()))
        .layer(DedupLayer::shared(store))
        .service(message_fn(answer));
    // The user gets an answer all the same.
    check(
        "wrong Redis",
        Router::new().route_service("/wechat", stack),
        wechat().text("你好").request().unwrap(),
        200,
        "the store failed",
        "WARN",
    )
    .await;
}

/// The READMEs lead from what one sees to the cause.
#[test]
fn the_readmes_quote_the_log() {
    let sources = [
        include_str!("../../src/callback/error.rs"),
        include_str!("../../src/observe/events.rs"),
        include_str!("../../src/verify/rejection.rs"),
    ];
    let sources = sources.concat().replace("{name}", "store");
    for (readme, heading) in [
        (include_str!("../../README.md"), "### If it does not work"),
        (include_str!("../../README.zh-CN.md"), "### 常见问题排查"),
    ] {
        let (_, section) = readme.split_once(heading).unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| "));
        let logged = rows.filter_map(|row| row.split('|').nth(2));
        let quoted = logged.flat_map(|cell| cell.split('`').skip(1).step_by(2));
        let sentences: Vec<_> = quoted
            .flat_map(|quoted| quoted.split('…'))
            .map(str::trim)
            .collect();
        assert!(sentences.len() > 10, "{sentences:?}");
        for sentence in sentences {
            let sentence = sentence.trim_matches([':', ' ']);
            assert!(sources.contains(sentence), "nothing logs {sentence:?}");
        }
    }
}

/// Sends a request to a bot, and checks the status and the sentence. The log has the sentence at the `level`. Without
/// `tracing`, a rejection in the response's extensions has it.
async fn check(
    mistake: &str,
    bot: Router,
    request: Request<Bytes>,
    status: u16,
    sentence: &str,
    level: &str,
) {
    let send = async || {
        let request = request.clone().map(Body::from);
        let response = bot.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{mistake}");
        if let Some(rejection) = response.extensions().get::<Rejection>() {
            let found = rejection.to_string();
            assert!(found.starts_with(sentence), "{mistake}: {found}");
        }
        // Some sentences come after the answer.
        tokio::time::sleep(Duration::from_secs(5)).await;
    };
    #[cfg(not(feature = "tracing"))]
    {
        let _ = level;
        send().await;
    }
    #[cfg(feature = "tracing")]
    {
        let log = crate::log::of(send).await;
        if sentence.is_empty() {
            assert_eq!(log, "", "{mistake}");
        } else {
            let lines = log.lines().map(str::trim_start);
            let mut found = lines.filter(|line| line.contains(sentence));
            assert!(
                found.next().is_some_and(|line| line.starts_with(level)),
                "{mistake}: {log}"
            );
        }
        for secret in [TOKEN, KEY] {
            assert!(!log.contains(secret), "{mistake}");
        }
    }
}

/// The README's first example, without recognition.
fn bot(account: Account) -> Router {
    async fn answer(voice: VoiceMessage) -> String {
        voice.recognition.unwrap_or_default()
    }
    router(account, message_fn(answer))
}

fn router<H>(account: Account, handler: H) -> Router
where
    H: tower::Service<Request<Verified>, Response = Response<tower_wechat::ResponseBody>>
        + Clone
        + Send
        + Sync
        + 'static,
    H::Error: std::fmt::Display,
    H::Future: Send + 'static,
{
    let wechat = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account))
        .layer(DedupLayer::in_memory())
        .service(handler);
    Router::new().route_service("/wechat", wechat)
}

fn account() -> Account {
    Account::encrypted(TOKEN, APP_ID, KEY).unwrap()
}

fn plain() -> Account {
    Account::plain(TOKEN).unwrap()
}

fn wechat() -> Simulator {
    Simulator::new(account()).with_uri("/wechat").unwrap()
}

/// The request with which the console verifies the URL.
async fn verification(wechat: &Simulator) -> Request<Bytes> {
    let (sent, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let note = service_fn(move |request: Request<RequestBody>| {
        let sent = sent.clone();
        async move {
            sent.send(request.map(|_| Bytes::new())).unwrap();
            Ok::<_, Infallible>(Response::new(String::new()))
        }
    });
    let _ = wechat.verify_url(note).await;
    requests.recv().await.unwrap()
}

async fn verification_at(time: SystemTime) -> Request<Bytes> {
    verification(&wechat().with_clock(move || time)).await
}

fn without_query(mut request: Request<Bytes>) -> Request<Bytes> {
    *request.uri_mut() = "/wechat".parse().unwrap();
    request
}

fn with_body(request: Request<Bytes>, change: impl FnOnce(&str) -> String) -> Request<Bytes> {
    request.map(|body| change(str::from_utf8(&body).unwrap()).into())
}

const TOKEN: &str = "rosebud7";
const APP_ID: &str = "wx0a1b2c3d4e5f6071";
const KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
