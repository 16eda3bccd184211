//! What WeChat sends, typed: fixtures, round trips, bad input.

mod bad;
mod fixtures;
mod generate;
mod head;
mod info;
mod json;
mod other;
mod round_trip;
mod rules;
mod smart_bot;
mod sweep;
mod timestamp;
mod wecom;

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use tower_wechat::{Message, message::EventMessage, xml};

/// Reads a document that has to be one.
#[track_caller]
fn read<T: DeserializeOwned + Debug>(body: &str) -> T {
    match xml::from_str(body) {
        Ok(message) => message,
        Err(error) => panic!("{error} ({:?}) in {body}", error.kind()),
    }
}

/// Reads a document that has to be an event.
#[track_caller]
fn read_event(body: &str) -> EventMessage {
    match read(body) {
        Message::Event(event) => event,
        other => panic!("{other:?} from {body}"),
    }
}

/// An event's document with `fields` behind the common ones.
fn event(name: &str, fields: &str) -> String {
    format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName>\
         <CreateTime>1717500123</CreateTime><MsgType>event</MsgType><Event>{name}</Event>{fields}</xml>"
    )
}

/// A message's document with `fields` behind the common ones.
fn message(msg_type: &str, fields: &str) -> String {
    format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName>\
         <CreateTime>1717500123</CreateTime><MsgType>{msg_type}</MsgType>{fields}</xml>"
    )
}

fn is_typed(message: &Message) -> bool {
    message.other().is_none()
}
