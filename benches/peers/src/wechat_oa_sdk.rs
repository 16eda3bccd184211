//! `wechat-oa-sdk`: a client with methods for callbacks, on quick-xml's serde.

use wechat_oa_sdk::{
    Config, WeChatClient, api::message::IncomingMessage, models::reply::TextReply,
};

use crate::{
    Account, Answer, Peer, TOKEN,
    questions::{OURSELVES, USER},
    sealing::Delivery,
};

pub struct WechatOaSdk;

fn client(account: Option<&Account<'_>>) -> WeChatClient {
    let app_id = account.map_or("wx0a1b2c3d4e5f6071", |account| account.app_id);
    let config = Config::new(app_id, "unused", TOKEN);
    WeChatClient::new(match account {
        Some(account) => config.with_encoding_aes_key(account.aes_key),
        None => config,
    })
}

impl Peer for WechatOaSdk {
    fn takes_signature(&self, signature: &str, timestamp: &str, nonce: &str) -> Answer<bool> {
        Ok(client(None).verify_signature(signature, timestamp, nonce))
    }

    fn open(&self, account: &Account<'_>, delivery: &Delivery) -> Answer<String> {
        let message = client(Some(account)).parse_encrypted_message(
            &delivery.body,
            &delivery.msg_signature,
            &delivery.timestamp,
            &delivery.nonce,
        );
        match message.map_err(|error| error.to_string())? {
            IncomingMessage::Text(text) => Ok(text.content),
            other => Err(format!("{other:?}")),
        }
    }

    fn read(&self, document: &str, name: &str) -> Answer<Option<String>> {
        let message = client(None).parse_message(document);
        Ok(match message.map_err(|error| error.to_string())? {
            IncomingMessage::Text(text) => match name {
                "Content" => Some(text.content),
                "FromUserName" => Some(text.from_user_name),
                "MsgId" => text.msg_id.map(|id| id.to_string()),
                _ => None,
            },
            IncomingMessage::Unknown(document) => Some(document),
            other => return Err(format!("{other:?}")),
        })
    }

    fn reply(&self, text: &str) -> Answer<String> {
        Ok(TextReply::new(USER, OURSELVES, text).to_xml())
    }

    fn sealed_reply(&self, account: &Account<'_>, text: &str) -> Answer<String> {
        TextReply::new(USER, OURSELVES, text)
            .to_encrypted_xml(&client(Some(account)))
            .map_err(|error| error.to_string())
    }

    /// Neither `lib.rs` nor any module of version 1.0.5 takes a handler or keeps a message's id: its public API ends
    /// with `parse_message`, `parse_encrypted_message` and the replies' `to_xml`.
    fn deliver_twice(&self, _: &str) -> Answer<(usize, bool)> {
        Err("runs no handlers".to_owned())
    }
}
