//! One message, for everybody who has to do with its delivery.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tower_wechat::{
    dedup::LateReply,
    simulator::{DeliveryRecord, Transcript},
};

use crate::{
    chat::Chat,
    letter::{Language, Letter},
    record::{Answer, Record},
    wire::Payload,
};

/// Where what happens to a message is written down.
///
/// Times go by the clock of the runtime that it is delivered in.
#[derive(Clone)]
pub(crate) struct Exchange {
    chat: Arc<Chat>,
    id: u64,
    start: Instant,
    thinking: Duration,
    latency: Duration,
    language: Language,
}

impl Exchange {
    /// A new one; to be called in the runtime that the message is delivered in.
    pub(crate) fn begin(chat: Arc<Chat>, id: u64, letter: &Letter) -> Self {
        Self {
            chat,
            id,
            start: Instant::now(),
            thinking: letter.thinking(),
            latency: letter.latency(),
            language: letter.language,
        }
    }

    /// How long the bot thinks.
    pub(crate) fn thinking(&self) -> Duration {
        self.thinking
    }

    /// What the bot speaks.
    pub(crate) fn language(&self) -> Language {
        self.language
    }

    /// A delivery arrives; the answer is its number.
    pub(crate) fn begin_delivery(&self, query: String, request: Payload) -> usize {
        // WeChat has sent it a little earlier.
        let at = self.now() - self.latency.as_secs_f64();
        let mut number = 0;
        self.change(|record| number = record.begin_delivery(at.max(0.0), query, request));
        number
    }

    /// The delivery is over, with an answer or without.
    pub(crate) fn end_delivery(&self, number: usize, answer: Answer) {
        let at = self.now();
        self.change(|record| record.end_delivery(number, at, answer));
    }

    /// The bot begins to think, until what is returned is dropped.
    pub(crate) fn run(&self) -> Run {
        let at = self.now();
        let mut number = 0;
        self.change(|record| number = record.begin_run(at));
        Run {
            exchange: self.clone(),
            number,
        }
    }

    /// A reply that no delivery has taken along.
    pub(crate) fn late(&self, late: &LateReply) {
        let at = self.now();
        let reply = late
            .response()
            .map(|response| Payload::answered(None, response.body(), false));
        self.change(|record| record.add_late(at, reply));
    }

    /// WeChat's judgement.
    pub(crate) fn judge(&self, transcript: &Transcript) {
        self.change(|record| record.judge(transcript));
    }

    /// The console's judgement.
    pub(crate) fn judge_verification(&self, judged: &DeliveryRecord) {
        self.change(|record| record.judge_verification(judged));
    }

    fn change(&self, change: impl FnOnce(&mut Record)) {
        self.chat.change(self.id, change);
    }

    /// In seconds since the beginning.
    fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}

/// A run of the bot, until it is dropped.
pub(crate) struct Run {
    exchange: Exchange,
    number: usize,
}

impl Drop for Run {
    fn drop(&mut self) {
        let at = self.exchange.now();
        self.exchange
            .change(|record| record.end_run(self.number, at));
    }
}
