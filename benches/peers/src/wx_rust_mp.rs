//! `wx-rust-mp`: WxJava's Official Account part in Rust, with a router of handlers.

use std::{
    any::Any,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use wx_rust_common::{
    error::WxErrorException, session::WxSessionManager, util::crypto::WxCryptUtil,
};
use wx_rust_mp::{
    api::{WxMpMessageHandler, WxMpMessageRouter, WxMpService, r#impl::WxMpServiceImpl},
    bean::message::{WxMpXmlMessage, WxMpXmlOutMessage, WxMpXmlOutTextMessage},
    config::r#impl::WxMpDefaultConfig,
    util::crypto::WxMpCryptUtil,
};

use crate::{
    Account, Answer, Peer, TOKEN,
    questions::{OURSELVES, USER},
    sealing::Delivery,
};

pub struct WxRustMp;

impl WxRustMp {
    /// Opens a ciphertext without asking for its signature, which [`Peer::open`] does.
    pub fn decrypt(account: &Account<'_>, encrypt: &str) -> Answer<String> {
        WxCryptUtil::new(TOKEN, account.aes_key, account.app_id)?.decrypt(encrypt)
    }
}

fn config(account: Option<&Account<'_>>) -> WxMpDefaultConfig {
    let app_id = account.map_or("wx0a1b2c3d4e5f6071", |account| account.app_id);
    let mut config = WxMpDefaultConfig::new(app_id, "unused");
    config.set_token(TOKEN);
    if let Some(account) = account {
        config.set_aes_key(account.aes_key);
    }
    config
}

fn text_reply(text: &str) -> WxMpXmlOutTextMessage {
    let mut reply = WxMpXmlOutTextMessage::new();
    reply.base.to_user_name = Some(USER.to_owned());
    reply.base.from_user_name = Some(OURSELVES.to_owned());
    reply.base.create_time = Some(1_735_689_600);
    reply.content = Some(text.to_owned());
    reply
}

impl Peer for WxRustMp {
    fn takes_signature(&self, signature: &str, timestamp: &str, nonce: &str) -> Answer<bool> {
        let service = WxMpServiceImpl::new_arc(Arc::new(config(None)));
        Ok(service.check_signature(timestamp, nonce, signature))
    }

    fn open(&self, account: &Account<'_>, delivery: &Delivery) -> Answer<String> {
        let message = WxMpXmlMessage::from_encrypted_xml(
            &delivery.body,
            &config(Some(account)),
            &delivery.timestamp,
            &delivery.nonce,
            &delivery.msg_signature,
        )?;
        message.content.ok_or_else(|| "no content".to_owned())
    }

    fn read(&self, document: &str, name: &str) -> Answer<Option<String>> {
        let message = WxMpXmlMessage::from_xml(document)?;
        Ok(match name {
            "Content" => message.content,
            "FromUserName" => message.from_user,
            "MsgId" => message.msg_id.map(|id| id.to_string()),
            _ => message
                .all_fields_map
                .as_ref()
                .and_then(|fields| fields.get(name))
                .and_then(|value| value.as_scalar())
                .map(str::to_owned),
        })
    }

    fn reply(&self, text: &str) -> Answer<String> {
        Ok(text_reply(text).to_xml())
    }

    /// `WxMpXmlOutMessage::to_encrypted_xml` seals the common fields alone; this is the way that seals the text.
    fn sealed_reply(&self, account: &Account<'_>, text: &str) -> Answer<String> {
        WxMpCryptUtil::new(&config(Some(account)))?.encrypt(&text_reply(text).to_xml())
    }

    fn deliver_twice(&self, document: &str) -> Answer<(usize, bool)> {
        let runs = Arc::new(AtomicUsize::new(0));
        let mut router = WxMpMessageRouter::new(None);
        let handler = Arc::new(Count(Arc::clone(&runs)));
        router.rule().async_exec(false).handler(handler).end();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let message = WxMpXmlMessage::from_xml(document)?;
        let first = runtime.block_on(router.route(&message));
        let second = runtime.block_on(router.route(&message));
        let same = first.is_some()
            && first.map(|reply| reply.to_xml("")) == second.map(|reply| reply.to_xml(""));
        Ok((runs.load(Ordering::Relaxed), same))
    }
}

struct Count(Arc<AtomicUsize>);

impl WxMpMessageHandler for Count {
    fn handle(
        &self,
        _: &WxMpXmlMessage,
        _: &mut HashMap<String, Box<dyn Any + Send>>,
        _: Option<&dyn WxMpService>,
        _: &dyn WxSessionManager,
    ) -> Result<Option<WxMpXmlOutMessage>, WxErrorException> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Some(text_reply("answered").base))
    }
}
