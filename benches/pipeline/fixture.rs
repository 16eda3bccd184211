//! A voice message as WeChat delivers it, and the handler that answers it.
//!
//! The crate `benches/end_to_end` reads this file as well.

use std::time::SystemTime;

use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::Full;
use tower_wechat::{
    Account, Reply,
    account::Token,
    callback::{self, Signature},
    message::VoiceMessage,
};

/// Answers what was said, in as many bytes as [`SPOKEN`] has.
pub(crate) async fn echo(voice: VoiceMessage) -> Reply {
    let mut said = voice.recognition.unwrap_or_default();
    said.truncate(SPOKEN.len());
    Reply::text(said)
}

pub(crate) fn account() -> Account {
    Account::plain(TOKEN).expect("a token")
}

/// Fresh for five minutes, which is longer than a group takes.
pub(crate) fn signed_query() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let timestamp = now.expect("after 1970").as_secs().to_string();
    let token = Token::new(TOKEN).expect("a token");
    let signature = Signature::sign(&token, [&*timestamp, NONCE]);
    format!(
        "signature={signature}&timestamp={timestamp}&nonce={NONCE}&openid=oW3xTt0mZr6uQkYb1LsNdEvCjPhA"
    )
}

/// A request as a server makes it: the bytes of its URI and of its body are parts of shared buffers.
pub(crate) fn delivery(query: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let shared = |bytes: Bytes| bytes.slice(..);
    let uri = shared(Bytes::from(format!("/wechat?{query}")));
    let mut request = Request::new(Full::new(shared(body.into())));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_maybe_shared(uri).expect("a URI");
    request
}

pub(crate) fn voice(msg_id: u64) -> String {
    voice_of(msg_id, SPOKEN)
}

pub(crate) fn voice_of(msg_id: u64, spoken: &str) -> String {
    format!(
        "<xml>
<ToUserName><![CDATA[gh_5d1c0e94a7b3]]></ToUserName>
<FromUserName><![CDATA[oW3xTt0mZr6uQkYb1LsNdEvCjPhA]]></FromUserName>
<CreateTime>1718000000</CreateTime>
<MsgType><![CDATA[voice]]></MsgType>
<MediaId><![CDATA[hT0vXqLr3mZs8NcWb5YkEj7UdGfPaoR1iCtB2wVxK4nMzSyQpDlH6gJeF9uO0]]></MediaId>
<Format><![CDATA[amr]]></Format>
<Recognition><![CDATA[{spoken}]]></Recognition>
<MsgId>{msg_id}</MsgId>
</xml>"
    )
}

pub(crate) fn encrypted_account() -> Account {
    Account::encrypted(TOKEN, APP_ID, KEY).expect("an account")
}

/// The query and the body with which WeChat delivers `message` now.
pub(crate) fn sealed(account: &Account, message: &str) -> (String, String) {
    let sealed = callback::seal(account, message.as_bytes()).expect("seals");
    let timestamp = sealed.timestamp().to_string();
    let token = Token::new(TOKEN).expect("a token");
    let signature = Signature::sign(&token, [&*timestamp, sealed.nonce()]);
    let query = format!(
        "signature={signature}&timestamp={timestamp}&nonce={}&openid=oW3xTt0mZr6uQkYb1LsNdEvCjPhA\
         &encrypt_type=aes&msg_signature={}",
        sealed.nonce(),
        sealed.msg_signature()
    );
    let body = format!(
        "<xml><Encrypt><![CDATA[{}]]></Encrypt><ToUserName>gh_5d1c0e94a7b3</ToUserName></xml>",
        sealed.encrypt()
    );
    (query, body)
}

/// As long as real ones are, 40 bytes with timestamp and nonce.
pub(crate) const TOKEN: &str = "k7Qm2xWf9LcTz4Rb8VnY";

pub(crate) const NONCE: &str = "1532145745";

pub(crate) const SPOKEN: &str = "腾讯微信团队";

pub(crate) const ID: u64 = 2_459_170_863_524_170_538;

pub(crate) const APP_ID: &str = "wx0a1b2c3d4e5f6071";

pub(crate) const KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";
