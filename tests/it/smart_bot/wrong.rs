//! A smart bot's pushes in the wrong place, and others in its place.

use tower_wechat::{
    Message, callback,
    message::VoiceMessage,
    simulator::Part,
    verify::{Rejection, RejectionKind},
};

use super::*;

const APP_ID: &str = "wx0f1e2d3c4b5a6978";

fn others() -> Vec<Account> {
    let component = Account::component(TOKEN, APP_ID, KEY).unwrap();
    vec![
        Account::plain(TOKEN).unwrap(),
        Account::encrypted(TOKEN, APP_ID, KEY).unwrap(),
        Account::wecom(TOKEN, "ww1", KEY).unwrap(),
        component.authorizer("gh_1").unwrap(),
        component,
    ]
}

/// A handler that gets no message.
fn nobody<M>(
    reason: &'static str,
) -> impl Service<Request<Verified>, Response = Response<ResponseBody>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ use<M>
where
    M: serde::de::DeserializeOwned + Send + 'static,
{
    message_fn(move |_: M| async move {
        assert_eq!(reason, "");
    })
}

/// Even with the same token and key.
#[tokio::test(start_paused = true)]
async fn a_bots_push_to_another_url_is_rejected() {
    for account in others() {
        let handler = nobody::<Message>("not verified");
        let service = ServiceBuilder::new()
            .layer(VerifySignatureLayer::new(account.clone()).with_clock(now))
            .layer(DedupLayer::in_memory())
            .service(handler);
        let transcript = wecom().text("a").deliver(service).await;
        let status = transcript.deliveries()[0].status().unwrap();
        assert!(status.is_client_error(), "{account:?}: {transcript}");
    }
}

/// A WeCom app without an id has the same encryption.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_bots_push_that_passes_reaches_handlers_of_messages_as_other() {
    let log = crate::log::of(async || {
        let app = Account::wecom(TOKEN, "", KEY).unwrap();
        let service = ServiceBuilder::new()
            .layer(VerifySignatureLayer::new(app).with_clock(now))
            .service(message_fn(|message: Message| async move {
                let fields = message.other().unwrap().fields();
                assert_eq!(fields["text"]["content"].as_str(), Some("a"));
            }));
        let transcript = wecom().text("a").deliver(service).await;
        assert_eq!(transcript, "");
        assert_eq!(transcript.deliveries()[0].status().unwrap(), 200);
    });
    crate::log::check(&log.await, [&["WARN", "BotMessage"], &["INFO", "answered"]]);

    let log = crate::log::of(async || {
        let voice = nobody::<VoiceMessage>("no voice message");
        let bot = stack(&DedupLayer::in_memory(), voice);
        assert_eq!(wecom().text("a").deliver(bot).await, "");
    });
    crate::log::check(
        &log.await,
        [&["DEBUG", "another type"], &["INFO", "answered"]],
    );
}

/// Its own replies, too: they have the nonce of the callback.
#[tokio::test(start_paused = true)]
async fn what_is_no_push_to_a_bot_is_rejected() {
    for body in [
        r#"{"msgtype":"text","text":{"content":"a"}}"#,
        r#"{"msgtype":"stream","stream":{"id":"7","finish":true,"content":"a"}}"#,
        r#"{"MsgType":"text","Content":"a","msgid":"7"}"#,
        "<xml><MsgType>text</MsgType><Content>a</Content></xml>",
    ] {
        let handler = nobody::<BotMessage>("verified");
        let bot = stack(&DedupLayer::in_memory(), handler);
        let kinds = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&kinds);
        let bot = tower::ServiceExt::map_response(bot, move |response: Response<ResponseBody>| {
            let rejection = response.extensions().get::<Rejection>();
            let kind = rejection.map(Rejection::kind);
            noted
                .lock()
                .unwrap()
                .push((response.status().as_u16(), kind));
            response
        });
        let _ = wecom().xml(body).deliver(bot).await;
        let rejected = RejectionKind::Callback(callback::ErrorKind::Receiver);
        assert_eq!(kinds.lock().unwrap()[0], (400, Some(rejected)), "{body}");
    }
}

/// What cannot be read is acknowledged, as everywhere.
#[tokio::test(start_paused = true)]
async fn an_unreadable_push_is_acknowledged() {
    let handler = nobody::<BotMessage>("read");
    let bot = stack(&DedupLayer::in_memory(), handler);
    let transcript = wecom().xml(r#"{"msgid":"#).deliver(bot).await;
    assert_eq!(
        transcript.deliveries()[0].status().unwrap(),
        200,
        "{transcript}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_forged_or_changed_push_is_rejected() {
    for push in [
        wecom().text("a").forge_signature(),
        wecom().text("a").tamper(Part::Body),
        wecom().text("a").tamper(Part::Nonce),
        wecom().text("a").downgrade(),
    ] {
        let bot = answering(&DedupLayer::in_memory(), 0, "a");
        let transcript = push.deliver(bot).await;
        let status = transcript.deliveries()[0].status().unwrap();
        assert!(status.is_client_error(), "{transcript}");
    }
}
