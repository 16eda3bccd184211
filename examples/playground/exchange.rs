//! One message: what is known of it while it is delivered.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::StatusCode;
use serde::Serialize;
use tokio::time::Instant;
use tower_wechat::{
    dedup::{LateCause, LateReply},
    simulator::{self, Shown, Transcript},
};

use crate::{
    chat::Chat,
    letter::{Clock, Content, Language, Letter, Mode},
    wire::{Fields, Payload},
};

/// Where everybody who has to do with a message writes down what happens to it.
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

/// What the page is told of a message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) id: u64,
    /// The chat's, when it was changed last.
    #[serde(skip)]
    pub(crate) revision: u64,
    content: Content,
    /// In milliseconds since the Unix epoch.
    sent: u64,
    mode: Mode,
    clock: Clock,
    is_forged: bool,
    /// Nothing more is to be delivered.
    pub(crate) is_over: bool,
    deliveries: Vec<Delivery>,
    /// The built-in bot's.
    runs: Vec<Run>,
    shown: Option<ShownRecord>,
    late: Vec<Late>,
}

/// All times are in seconds since the first delivery.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    at: f64,
    /// `None` while it is under way.
    took: Option<f64>,
    status: Option<u16>,
    /// Why the layers have refused it.
    refusal: Option<String>,
    /// Why WeChat does not accept the answer.
    fault: Option<Fault>,
    part: Option<Part>,
    /// It was told not to wait for the reply.
    is_acknowledged: bool,
    query: String,
    request: Payload,
    answer: Option<Payload>,
}

#[derive(Debug, Serialize)]
struct Fault {
    kind: String,
    message: String,
}

/// What a delivery has to do with the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Part {
    /// It began the run.
    Run,
    /// It came while the run went on.
    Joined,
    /// The run had ended.
    Kept,
}

#[derive(Debug, Serialize)]
struct Run {
    at: f64,
    took: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
enum ShownRecord {
    Nothing,
    Fault {
        text: String,
    },
    Reply {
        fields: Fields,
    },
    /// The URL has been verified, or not.
    Verified {
        is_right: bool,
    },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Late {
    at: f64,
    cause: &'static str,
    reply: Option<Payload>,
}

impl Record {
    pub(crate) fn new(id: u64, letter: &Letter, sent: SystemTime) -> Self {
        let sent = sent.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            id,
            revision: 0,
            content: letter.content.clone(),
            sent: sent.map_or(0, |sent| {
                u64::try_from(sent.as_millis()).unwrap_or(u64::MAX)
            }),
            mode: letter.mode,
            clock: letter.clock,
            is_forged: letter.is_forged(),
            is_over: false,
            deliveries: Vec::new(),
            runs: Vec::new(),
            shown: None,
            late: Vec::new(),
        }
    }

    fn is_running(&self) -> bool {
        self.runs.iter().any(|run| run.took.is_none())
    }
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

    pub(crate) fn thinking(&self) -> Duration {
        self.thinking
    }

    pub(crate) fn language(&self) -> Language {
        self.language
    }

    /// A delivery arrives; the answer is its number.
    pub(crate) fn delivery(&self, query: String, request: Payload) -> usize {
        // WeChat has sent it a little earlier.
        let at = self.start.elapsed().saturating_sub(self.latency);
        let mut number = 0;
        self.change(|record| {
            number = record.deliveries.len();
            let part = match record.runs.as_slice() {
                [] => None,
                _ if record.is_running() => Some(Part::Joined),
                _ => Some(Part::Kept),
            };
            record.deliveries.push(Delivery {
                at: at.as_secs_f64(),
                took: None,
                status: None,
                refusal: None,
                fault: None,
                part,
                is_acknowledged: false,
                query,
                request,
                answer: None,
            });
        });
        number
    }

    /// The delivery is over, with an answer or without.
    pub(crate) fn answer(
        &self,
        number: usize,
        status: Option<StatusCode>,
        refusal: Option<String>,
        answer: Option<(Payload, bool)>,
    ) {
        let now = self.start.elapsed().as_secs_f64();
        self.change(|record| {
            let is_running = record.is_running();
            if let Some(delivery) = record.deliveries.get_mut(number) {
                let (answer, says_nothing) = answer.unzip();
                delivery.took = Some(now - delivery.at);
                delivery.status = status.map(|status| status.as_u16());
                delivery.is_acknowledged =
                    is_running && status == Some(StatusCode::OK) && says_nothing == Some(true);
                delivery.refusal = refusal;
                delivery.answer = answer;
            }
        });
    }

    /// The bot begins to think, until what is returned is dropped.
    pub(crate) fn run(&self) -> RunGuard {
        let at = self.start.elapsed().as_secs_f64();
        let mut number = 0;
        self.change(|record| {
            number = record.runs.len();
            record.runs.push(Run { at, took: None });
            let mut part = Part::Run;
            for delivery in &mut record.deliveries {
                if delivery.part.is_none() && delivery.took.is_none() {
                    delivery.part = Some(part);
                    part = Part::Joined;
                }
            }
        });
        RunGuard {
            exchange: self.clone(),
            number,
        }
    }

    /// A reply that no delivery has taken along.
    pub(crate) fn late(&self, late: &LateReply) {
        let at = self.start.elapsed().as_secs_f64();
        let reply = late
            .response()
            .map(|outcome| Payload::answered(None, outcome.body(), false));
        let cause = match late.cause() {
            LateCause::Acknowledged => "acknowledged",
            LateCause::Unfetched => "unfetched",
            _ => "failed",
        };
        self.change(|record| record.late.push(Late { at, cause, reply }));
    }

    /// WeChat's judgement.
    pub(crate) fn over(&self, transcript: &Transcript) {
        self.change(|record| {
            for (delivery, judged) in record.deliveries.iter_mut().zip(transcript.deliveries()) {
                delivery.judge(judged);
            }
            record.shown = Some(match transcript.shown() {
                Shown::Reply(reply) => ShownRecord::Reply {
                    fields: Fields(reply.fields().clone()),
                },
                Shown::Nothing => ShownRecord::Nothing,
                fault => ShownRecord::Fault {
                    text: fault.to_string(),
                },
            });
            record.is_over = true;
        });
    }

    /// The console's judgement.
    pub(crate) fn verified(&self, judged: &simulator::Delivery) {
        self.change(|record| {
            for delivery in &mut record.deliveries {
                delivery.judge(judged);
            }
            record.shown = Some(ShownRecord::Verified {
                is_right: judged.fault().is_none(),
            });
            record.is_over = true;
        });
    }

    fn change(&self, change: impl FnOnce(&mut Record)) {
        self.chat.change(self.id, change);
    }
}

impl Delivery {
    fn judge(&mut self, judged: &simulator::Delivery) {
        self.at = judged.at().as_secs_f64();
        self.took = Some(judged.took().as_secs_f64());
        self.fault = judged.fault().map(|fault| Fault {
            kind: format!("{:?}", fault.kind()),
            message: fault.to_string(),
        });
    }
}

/// A run of the bot, until it is dropped.
pub(crate) struct RunGuard {
    exchange: Exchange,
    number: usize,
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        let now = self.exchange.start.elapsed().as_secs_f64();
        self.exchange.change(|record| {
            if let Some(run) = record.runs.get_mut(self.number) {
                run.took = Some(now - run.at);
            }
        });
    }
}
