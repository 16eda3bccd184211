//! One message: what happened to it.

use std::fmt;

use tower_wechat::simulator::Shown;

use super::{
    evidence::{Evidence, is_failure},
    log::{Answer, Event, Line, Operation},
    node::reply_text,
    traffic::Told,
};

/// One message and its lines.
pub(super) struct Case<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) told: &'a Told,
    pub(super) lines: &'a [Line],
}

impl<'a> Case<'a> {
    pub(super) fn of(evidence: &'a Evidence, told: &'a Told) -> Self {
        Self {
            evidence,
            told,
            lines: evidence.lines(told.message),
        }
    }

    /// Whether it has been run to its end, or has reached no node.
    pub(super) fn is_run(&self) -> bool {
        self.lines.is_empty() || !self.ended().is_empty()
    }

    /// Whether it has been run to its end, and the user has got none of its replies.
    pub(super) fn is_unheard(&self) -> bool {
        !self.ended().is_empty() && self.shown_text().is_none() && self.late().count() == 0
    }

    /// Whether a node that ran the message, or may have held its reply, was killed before it could hand the reply over. Or
    /// whether one stood still just when it answered, so that the answer did not leave it.
    pub(super) fn is_lost_with_node(&self) -> bool {
        let is_killed = self.processes().any(|process| {
            let killed = self.evidence.killed(process);
            killed.is_some_and(|killed| self.may_hold(process, killed))
        });
        let mut lines = self.lines.iter();
        is_killed
            || lines.any(|line| {
                let (since, until) = (line.at.saturating_sub(LEAVING), line.at + LEAVING);
                matches!(line.event, Event::Answered { status: 200, .. })
                    && self.evidence.is_hit(line.process, since, until)
            })
    }

    /// Whether the node may have had the message or its reply at the time `at`.
    fn may_hold(&self, process: u32, at: u64) -> bool {
        let lines = || {
            let own = self.lines.iter().filter(|line| line.process == process);
            own.filter(|line| (at.saturating_sub(HOLDING)..=at).contains(&line.at))
        };
        let is_answered = |delivery: u64| {
            lines().any(|line| match line.event {
                Event::Answered { delivery: it, .. } | Event::Left { delivery: it } => {
                    it == delivery
                }
                _ => false,
            })
        };
        lines().any(|line| match line.event {
            Event::Arrived { delivery, .. } => !is_answered(delivery),
            Event::Begun { .. }
            | Event::Failed { .. }
            | Event::Ended { .. }
            | Event::Store {
                operation:
                    Operation::Claim
                    | Operation::Renew(_)
                    | Operation::Acknowledge
                    | Operation::Complete,
                answer:
                    Answer::Run(_)
                    | Answer::Yours
                    | Answer::Replied
                    | Answer::Stored
                    | Answer::Error
                    | Answer::Silent,
                ..
            } => true,
            _ => false,
        })
    }

    /// Whether a node to which it was sent was lost, missing, or stood still.
    pub(super) fn is_hit(&self) -> bool {
        let (since, until) = self.life();
        // A node that runs a message writes a line every second.
        let until = until + MISSED;
        let mut sent_to = self.told.sent_to.iter();
        sent_to.any(|node| node.is_none_or(|process| self.evidence.is_hit(process, since, until)))
    }

    /// Whether the machine had no time for WeChat or a node meanwhile, or shortly before: a node leaves the store alone for
    /// a second then.
    pub(super) fn is_starved(&self) -> bool {
        let (since, until) = self.life();
        let since = since.saturating_sub(AFTERMATH);
        self.processes()
            .any(|process| self.evidence.is_starved(process, since, until))
    }

    /// Whether the store always answered, and kept its data.
    pub(super) fn is_store_there(&self) -> bool {
        let (since, until) = self.life();
        !self.evidence.is_forgotten(since, until)
            && !self
                .processes()
                .any(|process| self.is_store_away(process, since, until))
    }

    /// Whether an operation for this message on the node failed between `since` and `until`, or was not tried.
    pub(super) fn is_store_away(&self, process: u32, since: u64, until: u64) -> bool {
        let mut lines = self.lines.iter();
        self.evidence.is_left_alone(process, since, until)
            || lines.any(|line| {
                line.process == process && is_failure(line) && (since..=until).contains(&line.at)
            })
    }

    pub(super) fn shown_text(&self) -> Option<&str> {
        self.told.transcript.shown().text()
    }

    /// The texts of the calls of the hook.
    pub(super) fn late(&self) -> impl Iterator<Item = Option<&str>> {
        self.lines.iter().filter_map(|line| match &line.event {
            Event::Late { text, .. } => Some(text.as_deref()),
            _ => None,
        })
    }

    /// The replies of all runs that ended.
    pub(super) fn ended(&self) -> Vec<String> {
        let ended = self.lines.iter().filter_map(|line| match line.event {
            Event::Ended { run } => Some(reply_text(self.told.message, line.process, run)),
            _ => None,
        });
        ended.collect()
    }

    /// How many replies the user got as an answer.
    pub(super) fn shown(&self) -> usize {
        usize::from(self.shown_text().is_some())
    }

    /// How many replies the hook got.
    pub(super) fn handed_over(&self) -> usize {
        self.late().flatten().count()
    }

    /// Whether a node has counted the reply as one that may be given twice.
    pub(super) fn is_counted(&self) -> bool {
        self.lines
            .iter()
            .any(|line| line.event == Event::MayBeTwice)
    }

    /// Whether the user saw the fault text.
    pub(super) fn is_fault_shown(&self) -> bool {
        self.told.transcript.shown() == &Shown::Fault
    }

    /// The nodes that know of the message.
    pub(super) fn processes(&self) -> impl Iterator<Item = u32> {
        self.lines.iter().map(|line| line.process)
    }

    /// From the first delivery to the last line.
    pub(super) fn life(&self) -> (u64, u64) {
        let last = self.lines.last().map_or(0, |line| line.at);
        (self.told.since, self.told.until.max(last))
    }
}

/// All that is known of the message, in the order of writing.
impl fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told {
            message,
            since,
            transcript,
            sent_to,
            ..
        } = self.told;
        writeln!(f, "message {message}, sent to {sent_to:?}\n{transcript}")?;
        let (begun, ended) = self.life();
        let faults = self
            .evidence
            .faults(begun.saturating_sub(LONG_FAULT), ended);
        let mut lines: Vec<_> = self.lines.iter().chain(faults).collect();
        lines.sort_by_key(|line| line.at);
        for line in lines {
            let at = i64::try_from(line.at).unwrap() - i64::try_from(*since).unwrap();
            let (milliseconds, node, event) = (at / 1_000, line.process, &line.event);
            writeln!(f, "{milliseconds:>6} ms  node {node}: {event:?}")?;
        }
        Ok(())
    }
}

/// In microseconds, as all times here: how long a node has a reply, at most, before a delivery or the hook gets it.
const HOLDING: u64 = 8_000_000;

/// How long an answer takes from the service to the network.
const LEAVING: u64 = 100_000;

/// A second, plus the delay of a busy machine.
const MISSED: u64 = 1_500_000;

/// Of three operations that time out.
const AFTERMATH: u64 = 2_000_000;

/// A fault that began earlier is over.
const LONG_FAULT: u64 = 7_000_000;
