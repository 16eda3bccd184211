//! The record of a message, as the page gets it.

use std::{collections::VecDeque, time::SystemTime};

use http::StatusCode;
use serde::Serialize;
use tower_wechat::simulator::{self, Shown, Transcript};

use crate::{
    letter::{Clock, Content, Letter, Mode},
    wire::{Fields, Payload},
};

/// A message, its deliveries and what the user sees.
///
/// All times except [`sent`](Self::sent) are in seconds since the first delivery.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) id: u64,
    /// The chat's revision at the last change.
    #[serde(skip)]
    pub(crate) revision: u64,
    pub(crate) content: Content,
    /// In milliseconds since the Unix epoch.
    sent: u64,
    mode: Mode,
    clock: Clock,
    is_forged: bool,
    /// Whether all deliveries have ended.
    is_over: bool,
    deliveries: Vec<Delivery>,
    /// Only for the built-in bot.
    runs: Vec<Run>,
    shown: Option<ShownRecord>,
    late: Vec<Late>,
    /// The bot's calls of WeChat's API.
    calls: VecDeque<Call>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    at: f64,
    /// `None` during the delivery.
    took: Option<f64>,
    query: String,
    request: Payload,
    part: Option<Part>,
    #[serde(flatten)]
    answer: Answer,
    /// Whether it was acknowledged during the run.
    is_acknowledged: bool,
    /// The reason why WeChat does not accept the answer.
    fault: Option<Fault>,
}

/// The answer to a delivery, if there was one.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    pub(crate) status: Option<u16>,
    /// The reason why the layers rejected the delivery.
    pub(crate) rejection: Option<String>,
    #[serde(rename = "answer")]
    pub(crate) body: Option<Payload>,
}

#[derive(Debug, Serialize)]
struct Fault {
    kind: String,
    message: String,
}

/// The part of a delivery in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Part {
    /// It started the run.
    Run,
    /// It arrived during the run.
    Joined,
    /// It arrived after the run.
    Kept,
}

#[derive(Debug, Serialize)]
struct Run {
    at: f64,
    took: Option<f64>,
    /// The reason why a voice message was not recognized.
    error: Option<String>,
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
        /// Whether it is a part of an earlier message's answer.
        is_fetched: bool,
    },
    /// The result of the URL's verification.
    Verified {
        is_right: bool,
    },
}

/// What becomes of an answer that no delivery gets.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum Late {
    /// There is none: all runs have failed.
    Failed { at: f64 },
    /// So many parts wait for the user's next message.
    Kept { at: f64, parts: usize },
    /// A later message has got one of these parts.
    Fetched { at: f64 },
}

/// A call of WeChat's API. A body is in JSON, or only described.
#[derive(Debug, Serialize)]
pub(crate) struct Call {
    pub(crate) at: f64,
    pub(crate) took: f64,
    /// The path, such as `media/get`.
    pub(crate) name: String,
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) answer: String,
}

impl Record {
    pub(crate) fn new(id: u64, letter: &Letter, sent: SystemTime) -> Self {
        let sent = sent.duration_since(SystemTime::UNIX_EPOCH);
        let sent = sent.unwrap_or_default().as_millis();
        Self {
            id,
            revision: 0,
            content: letter.content.clone(),
            sent: u64::try_from(sent).unwrap_or(u64::MAX),
            mode: letter.mode,
            clock: letter.clock,
            is_forged: letter.is_forged(),
            is_over: false,
            deliveries: Vec::new(),
            runs: Vec::new(),
            shown: None,
            late: Vec::new(),
            calls: VecDeque::new(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    fn is_running(&self) -> bool {
        self.runs.iter().any(|run| run.took.is_none())
    }

    /// Adds a delivery, and returns its number.
    pub(crate) fn begin_delivery(&mut self, at: f64, query: String, request: Payload) -> usize {
        let part = if self.is_running() {
            Some(Part::Joined)
        } else if self.runs.is_empty() {
            // It may be the one that starts the run.
            None
        } else {
            Some(Part::Kept)
        };
        self.deliveries.push(Delivery {
            at,
            took: None,
            query,
            request,
            part,
            answer: Answer::default(),
            is_acknowledged: false,
            fault: None,
        });
        self.deliveries.len() - 1
    }

    pub(crate) fn end_delivery(&mut self, number: usize, at: f64, answer: Answer) {
        let is_running = self.is_running();
        if let Some(delivery) = self.deliveries.get_mut(number) {
            delivery.took = Some(at - delivery.at);
            delivery.is_acknowledged = is_running
                && answer.status == Some(StatusCode::OK.as_u16())
                && answer.body.as_ref().is_some_and(Payload::says_nothing);
            delivery.answer = answer;
        }
    }

    /// Adds a run, and returns its number.
    pub(crate) fn begin_run(&mut self, at: f64) -> usize {
        let mut part = Part::Run;
        for delivery in &mut self.deliveries {
            if delivery.part.is_none() && delivery.took.is_none() {
                delivery.part = Some(part);
                part = Part::Joined;
            }
        }
        self.runs.push(Run {
            at,
            took: None,
            error: None,
        });
        self.runs.len() - 1
    }

    pub(crate) fn end_run(&mut self, number: usize, at: f64) {
        if let Some(run) = self.runs.get_mut(number) {
            run.took = Some(at - run.at);
        }
    }

    /// Adds a reason to the last run.
    pub(crate) fn fail_run(&mut self, error: String) {
        if let Some(run) = self.runs.last_mut() {
            run.error = Some(error);
        }
    }

    /// Adds a call, and forgets the oldest of too many.
    pub(crate) fn add_call(&mut self, call: Call) {
        if self.calls.len() == MAX_CALLS {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    pub(crate) fn add_late(&mut self, late: Late) {
        self.late.push(late);
    }

    /// Takes over WeChat's judgement of the deliveries.
    pub(crate) fn judge(&mut self, transcript: &Transcript) {
        for (delivery, judged) in self.deliveries.iter_mut().zip(transcript.deliveries()) {
            delivery.judge(judged);
        }
        self.shown = Some(match transcript.shown() {
            Shown::Reply(reply) => ShownRecord::Reply {
                fields: Fields(reply.fields().clone()),
                is_fetched: transcript.is_fetched(),
            },
            Shown::Nothing => ShownRecord::Nothing,
            fault => ShownRecord::Fault {
                text: fault.to_string(),
            },
        });
        self.is_over = true;
    }

    /// Takes over the console's judgement of the verification.
    pub(crate) fn judge_verification(&mut self, judged: &simulator::DeliveryRecord) {
        for delivery in &mut self.deliveries {
            delivery.judge(judged);
        }
        self.shown = Some(ShownRecord::Verified {
            is_right: judged.fault().is_none(),
        });
        self.is_over = true;
    }
}

impl Delivery {
    fn judge(&mut self, judged: &simulator::DeliveryRecord) {
        self.at = judged.at().as_secs_f64();
        self.took = Some(judged.took().as_secs_f64());
        // A fallback looks like a reply.
        self.is_acknowledged |= judged.outcome() == Some("acknowledged");
        self.fault = judged.fault().map(|fault| Fault {
            kind: format!("{:?}", fault.kind()),
            message: fault.to_string(),
        });
    }
}

/// For each message.
const MAX_CALLS: usize = 20;
