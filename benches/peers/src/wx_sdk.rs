//! `wx-sdk`: received messages and replies of an account, on roxmltree.

use std::collections::HashMap;

use wx_sdk::{
    TokenClient, WxSdk as Sdk,
    mp::{
        EncodingMode, MpSdk, ServerConfig,
        event::{ReceivedEvent, ReceivedMessage, msg_event::EventMessage, signature::Signature},
        reply::{Reply, Text},
    },
};

use crate::{
    Account, Answer, Peer, TOKEN,
    questions::{OURSELVES, USER},
    sealing::Delivery,
};

pub struct WxSdk;

fn sdk(account: Option<&Account<'_>>) -> MpSdk<TokenClient> {
    let (app_id, mode) = match account {
        Some(account) => (
            account.app_id,
            EncodingMode::Security(account.aes_key.to_owned()),
        ),
        None => ("wx0a1b2c3d4e5f6071", EncodingMode::Plain),
    };
    Sdk::new_with_default_token_client(app_id, "unused").mp(ServerConfig::new(TOKEN, mode))
}

fn query(timestamp: &str, nonce: &str, msg_signature: &str) -> HashMap<String, String> {
    [
        ("timestamp", timestamp),
        ("nonce", nonce),
        ("msg_signature", msg_signature),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

impl Peer for WxSdk {
    fn takes_signature(&self, signature: &str, timestamp: &str, nonce: &str) -> Answer<bool> {
        let signed = [TOKEN, timestamp, nonce].map(str::to_owned).to_vec();
        Ok(Signature::new(signature, signed).is_ok())
    }

    fn open(&self, account: &Account<'_>, delivery: &Delivery) -> Answer<String> {
        let query = query(
            &delivery.timestamp,
            &delivery.nonce,
            &delivery.msg_signature,
        );
        let event = sdk(Some(account)).parse_received_msg(&delivery.body, Some(query));
        match event.map_err(|error| error.to_string())?.body {
            ReceivedMessage::Text(text) => Ok(text.content),
            _ => Err("no text message".to_owned()),
        }
    }

    fn read(&self, document: &str, name: &str) -> Answer<Option<String>> {
        let event: ReceivedEvent = sdk(None)
            .parse_received_msg(document, None)
            .map_err(|error| error.to_string())?;
        Ok(match (event.body, name) {
            (_, "FromUserName") => Some(event.from),
            (ReceivedMessage::Text(text), "Content") => Some(text.content),
            (ReceivedMessage::Text(text), "MsgId") => Some(text.msg_id.to_string()),
            // Both hold a sentence that names the type.
            (ReceivedMessage::UnhandledMessage(_), _)
            | (ReceivedMessage::Event(EventMessage::UnhandledEvent(_)), _) => None,
            _ => return Err("another type".to_owned()),
        })
    }

    fn reply(&self, text: &str) -> Answer<String> {
        let content = text.to_owned();
        sdk(None)
            .reply_to_xml(Reply::Text(Text { content }), OURSELVES, USER, None)
            .map_err(|error| error.to_string())
    }

    fn sealed_reply(&self, account: &Account<'_>, text: &str) -> Answer<String> {
        let content = text.to_owned();
        let query = query("1735689600", "415802", "");
        sdk(Some(account))
            .reply_to_xml(Reply::Text(Text { content }), OURSELVES, USER, Some(query))
            .map_err(|error| error.to_string())
    }

    /// `src/mp.rs` and `src/mp/event.rs` of version 0.0.9 parse a message and render a reply; nothing public
    /// there takes a handler or keeps an id.
    fn deliver_twice(&self, _: &str) -> Answer<(usize, bool)> {
        Err("runs no handlers".to_owned())
    }
}
