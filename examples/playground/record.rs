//! What the page is told of a message.

use std::time::SystemTime;

use http::StatusCode;
use serde::Serialize;
use tower_wechat::simulator::{self, Shown, Transcript};

use crate::{
    letter::{Clock, Content, Letter, Mode},
    wire::{Fields, Payload},
};

/// A message, its deliveries and what the user sees.
///
/// All times but [`sent`](Self::sent) are in seconds since the first delivery.
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
    is_over: bool,
    deliveries: Vec<Delivery>,
    /// The built-in bot's.
    runs: Vec<Run>,
    shown: Option<ShownRecord>,
    late: Vec<Late>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    at: f64,
    /// `None` while it is under way.
    took: Option<f64>,
    query: String,
    request: Payload,
    part: Option<Part>,
    #[serde(flatten)]
    answer: Answer,
    /// The run went on when it was told not to wait for the reply.
    is_acknowledged: bool,
    /// Why WeChat does not accept the answer.
    fault: Option<Fault>,
}

/// What came back for a delivery, if something did.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    pub(crate) status: Option<u16>,
    /// Why the layers have rejected the delivery.
    pub(crate) rejection: Option<String>,
    #[serde(rename = "answer")]
    pub(crate) body: Option<Payload>,
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
struct Late {
    at: f64,
    /// `None` if all runs have failed.
    reply: Option<Payload>,
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
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    fn is_running(&self) -> bool {
        self.runs.iter().any(|run| run.took.is_none())
    }

    /// A delivery begins; it is known by its number from now on.
    pub(crate) fn begin_delivery(&mut self, at: f64, query: String, request: Payload) -> usize {
        let part = if self.is_running() {
            Some(Part::Joined)
        } else if self.runs.is_empty() {
            // Perhaps it is the one that begins the run.
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

    /// The bot begins to think; the run is known by its number from now on.
    pub(crate) fn begin_run(&mut self, at: f64) -> usize {
        let mut part = Part::Run;
        for delivery in &mut self.deliveries {
            if delivery.part.is_none() && delivery.took.is_none() {
                delivery.part = Some(part);
                part = Part::Joined;
            }
        }
        self.runs.push(Run { at, took: None });
        self.runs.len() - 1
    }

    pub(crate) fn end_run(&mut self, number: usize, at: f64) {
        if let Some(run) = self.runs.get_mut(number) {
            run.took = Some(at - run.at);
        }
    }

    /// A reply that no delivery has taken along.
    pub(crate) fn add_late(&mut self, at: f64, reply: Option<Payload>) {
        self.late.push(Late { at, reply });
    }

    /// WeChat's judgement.
    pub(crate) fn judge(&mut self, transcript: &Transcript) {
        for (delivery, judged) in self.deliveries.iter_mut().zip(transcript.deliveries()) {
            delivery.judge(judged);
        }
        self.shown = Some(match transcript.shown() {
            Shown::Reply(reply) => ShownRecord::Reply {
                fields: Fields(reply.fields().clone()),
            },
            Shown::Nothing => ShownRecord::Nothing,
            fault => ShownRecord::Fault {
                text: fault.to_string(),
            },
        });
        self.is_over = true;
    }

    /// The console's judgement.
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
        self.fault = judged.fault().map(|fault| Fault {
            kind: format!("{:?}", fault.kind()),
            message: fault.to_string(),
        });
    }
}
