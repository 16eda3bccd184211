//! What a node's own log says of late replies.

use std::process;

use tracing::{Event as Said, Metadata, Subscriber, field, span};

use super::log::{Event, Log};

/// Notes what the crate logs of late replies.
pub(super) struct Listener(pub(super) Log);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("tower_wechat")
    }

    fn event(&self, event: &Said<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields {
            message,
            key,
            account,
            way,
            reason,
            parts,
        } = fields;
        let event = match &*message {
            "parts of a late reply" => Event::Parts { way, parts },
            "a late reply is lost" if reason == "its message was cut" => Event::Lost {
                reason,
                // All of the reply, which may not have been there yet.
                parts: 100,
            },
            "a late reply is lost" => Event::Lost { reason, parts },
            "the mailbox is full: parts of late replies are lost" => {
                Event::Evicted { account, parts }
            }
            // Of one answer with four parts, which has taken the room of as many at most.
            "an answer of the mailbox was lost: parts of late replies may be lost" => {
                Event::Evicted { account, parts: 4 }
            }
            "the store does not say whose a late reply is: it may be given twice" => {
                Event::MayBeTwice
            }
            _ => return,
        };
        self.0.write(process::id(), &key, event);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Fields {
    message: String,
    key: String,
    account: String,
    way: String,
    reason: String,
    parts: usize,
}

impl field::Visit for Fields {
    fn record_debug(&mut self, field: &field::Field, value: &dyn std::fmt::Debug) {
        let value = format!("{value:?}");
        let value = value.trim_matches('"').to_owned();
        match field.name() {
            "message" => self.message = value,
            "message_key" => self.key = value,
            "account" => self.account = value,
            "way" => self.way = value,
            "reason" => self.reason = value,
            "parts" => self.parts = value.parse().unwrap(),
            _ => {}
        }
    }
}
