//! tower-wechat, asked as the others are.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde::Deserialize;
use tower::{ServiceBuilder, ServiceExt};
use tower_wechat::{
    Account as Configured, DedupLayer, Message, Reply, Timestamp, VerifySignatureLayer,
    callback::{self, Query},
    message::Event,
    message_fn,
    reply::Addressing,
    xml,
};

use crate::{
    Account, Answer, Peer, TOKEN,
    questions::{OURSELVES, USER},
    sealing::{self, Delivery},
};

pub struct Ours;

const TOLERANCE: Duration = Duration::from_secs(300);

fn configured(account: &Account<'_>) -> Answer<Configured> {
    Configured::encrypted(TOKEN, account.app_id, account.aes_key).map_err(said)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fields {
    queue: Option<String>,
}

impl Peer for Ours {
    fn takes_signature(&self, signature: &str, timestamp: &str, nonce: &str) -> Answer<bool> {
        let account = Configured::plain(TOKEN).map_err(said)?;
        let query = format!("signature={signature}&timestamp={timestamp}&nonce={nonce}");
        let verified = Query::parse(&query)
            .and_then(|query| query.verify(&account, SystemTime::now(), TOLERANCE));
        Ok(verified.is_ok())
    }

    fn open(&self, account: &Account<'_>, delivery: &Delivery) -> Answer<String> {
        let query = format!(
            "encrypt_type=aes&msg_signature={}&timestamp={}&nonce={}",
            delivery.msg_signature, delivery.timestamp, delivery.nonce
        );
        let query = Query::parse(&query).map_err(said)?;
        let opened = callback::open(&configured(account)?, &query, delivery.body.clone());
        match xml::from_slice(opened.map_err(said)?.plaintext()).map_err(said)? {
            Message::Text(text) => Ok(text.content),
            other => Err(format!("{other:?}")),
        }
    }

    fn read(&self, document: &str, name: &str) -> Answer<Option<String>> {
        let message: Message = xml::from_str(document).map_err(said)?;
        Ok(match (&message, name) {
            (_, "FromUserName") => message.from_user_name().map(str::to_owned),
            (_, "MsgId") => message.msg_id().map(str::to_owned),
            (Message::Text(text), "Content") => Some(text.content.clone()),
            (Message::Other(other), "Queue") => other.deserialize::<Fields>().map_err(said)?.queue,
            (Message::Event(event), "Queue") => match &event.event {
                Event::Other(other) => other.deserialize::<Fields>().map_err(said)?.queue,
                _ => None,
            },
            _ => None,
        })
    }

    fn reply(&self, text: &str) -> Answer<String> {
        let to = Addressing::new(USER, OURSELVES);
        let rendered = Reply::text(text).render(&to, Timestamp::from_secs(1_735_689_600));
        Ok(rendered.map_err(said)?.into_body().into_owned())
    }

    fn sealed_reply(&self, account: &Account<'_>, text: &str) -> Answer<String> {
        let sealed = callback::seal(&configured(account)?, self.reply(text)?.as_bytes());
        Ok(sealed.map_err(said)?.to_xml())
    }

    fn deliver_twice(&self, document: &str) -> Answer<(usize, bool)> {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let service = ServiceBuilder::new()
            .layer(VerifySignatureLayer::new(
                Configured::plain(TOKEN).map_err(said)?,
            ))
            .layer(DedupLayer::in_memory())
            .service(message_fn(move |_: Message| {
                let run = counted.fetch_add(1, Ordering::Relaxed);
                async move { format!("answered in run {run}") }
            }));
        let uri = signed_uri()?;
        let deliver = || async {
            let request = Request::post(&uri).body(Full::<Bytes>::from(document.to_owned()));
            let response = service.clone().oneshot(request.map_err(said)?).await;
            Ok::<_, String>(response.map_err(said)?.into_body().to_bytes())
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let (first, second) = runtime
            .map_err(said)?
            .block_on(async { (deliver().await, deliver().await) });
        let (first, second) = (first?, second?);
        Ok((
            runs.load(Ordering::Relaxed),
            !first.is_empty() && first == second,
        ))
    }
}

fn signed_uri() -> Answer<String> {
    let timestamp = Timestamp::now().to_string();
    let signature = sealing::signature(&[TOKEN, &timestamp, "90817"]);
    Ok(format!(
        "/?signature={signature}&timestamp={timestamp}&nonce=90817"
    ))
}

fn said(error: impl ToString) -> String {
    error.to_string()
}
