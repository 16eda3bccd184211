//! The handle of one message, shared by all parts that deliver it.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tower_wechat::{
    recognize,
    simulator::{DeliveryRecord, Transcript},
};

use crate::{
    chat::Chat,
    letter::{Language, Letter, Recognizer},
    record::{Answer, Call, Late, Record},
    wire::Payload,
};

/// Writes what happens to one message into its record.
///
/// Times are from the clock of the runtime that delivers the message.
#[derive(Clone)]
pub(crate) struct Exchange {
    chat: Arc<Chat>,
    id: u64,
    start: Instant,
    thinking: Duration,
    is_long: bool,
    latency: Duration,
    language: Language,
    recognizer: Recognizer,
    spoken: Arc<str>,
}

impl Exchange {
    /// Makes the handle. Call it in the runtime that delivers the message.
    pub(crate) fn begin(chat: Arc<Chat>, id: u64, letter: &Letter) -> Self {
        Self {
            chat,
            id,
            start: Instant::now(),
            thinking: letter.thinking(),
            is_long: letter.is_long,
            latency: letter.latency(),
            language: letter.language,
            recognizer: letter.recognizer,
            spoken: letter.content.spoken().into(),
        }
    }

    /// Returns how long the bot thinks.
    pub(crate) fn thinking(&self) -> Duration {
        self.thinking
    }

    /// Returns whether the bot tells a long story.
    pub(crate) fn is_long(&self) -> bool {
        self.is_long
    }

    /// Returns the language of the bot.
    pub(crate) fn language(&self) -> Language {
        self.language
    }

    /// Returns the recognizer of the bot.
    pub(crate) fn recognizer(&self) -> Recognizer {
        self.recognizer
    }

    /// Returns the words that the user speaks.
    pub(crate) fn spoken(&self) -> &str {
        &self.spoken
    }

    /// Records that a delivery arrives, and returns its number.
    pub(crate) fn begin_delivery(&self, query: String, request: Payload) -> usize {
        // WeChat sent it earlier, by the latency.
        let at = self.now() - self.latency.as_secs_f64();
        let mut number = 0;
        self.change(|record| number = record.begin_delivery(at.max(0.0), query, request));
        number
    }

    /// Records that a delivery has ended, with an answer or without.
    pub(crate) fn end_delivery(&self, number: usize, answer: Answer) {
        let at = self.now();
        self.change(|record| record.end_delivery(number, at, answer));
    }

    /// Records that a run begins. It ends when the returned value is dropped.
    pub(crate) fn run(&self) -> Run {
        let at = self.now();
        let mut number = 0;
        self.change(|record| number = record.begin_run(at));
        Run {
            exchange: self.clone(),
            number,
        }
    }

    /// Records that all runs have failed, and that no delivery waits any more.
    pub(crate) fn failed(&self) {
        let at = self.now();
        self.change(|record| record.add_late(Late::Failed { at }));
    }

    /// Records that so many parts of the answer wait for the user's next message.
    pub(crate) fn kept(&self, parts: usize) {
        let at = self.now();
        self.change(|record| record.add_late(Late::Kept { at, parts }));
    }

    /// Records that a later message has got the next of these parts.
    pub(crate) fn fetched(&self) {
        let at = self.now();
        self.change(|record| record.add_late(Late::Fetched { at }));
    }

    /// Records why the bot has no words for a recording.
    pub(crate) fn unrecognized(&self, error: &recognize::Error) {
        self.change(|record| record.fail_run(error.to_string()));
    }

    /// Records a call of WeChat's API.
    pub(crate) fn call(&self, call: Call) {
        self.change(|record| record.add_call(call));
    }

    /// Records WeChat's judgement of the deliveries.
    pub(crate) fn judge(&self, transcript: &Transcript) {
        self.change(|record| record.judge(transcript));
    }

    /// Records the console's judgement of the verification.
    pub(crate) fn judge_verification(&self, judged: &DeliveryRecord) {
        self.change(|record| record.judge_verification(judged));
    }

    fn change(&self, change: impl FnOnce(&mut Record)) {
        self.chat.change(self.id, change);
    }

    /// Returns the seconds since the start.
    pub(crate) fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}

tokio::task_local! {
    /// The message that a task works for.
    pub(crate) static EXCHANGE: Exchange;
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
