//! What became of each part of an answer: the way on which its user has seen it, or why not, or why twice.

use std::collections::{BTreeMap, HashMap};

use super::{
    super::{
        case::Case,
        evidence::{ALL_NODES, Evidence},
        log::{self, Event},
    },
    answer::{Answer, FAILED, WAIT, parts_of},
    users::{Conversation, Setup, What, Written, user_of},
};

/// How a user has seen a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// As the reply to its own message.
    Passive,
    CustomerService,
    /// As the reply to a later message.
    Fetched,
}

/// Why a user has not seen a part. All but the last are exceptions that the documentation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lost {
    /// The node's log has an error for the message.
    Said,
    /// The answer to its `custom/send` was lost or was not WeChat's, and the log says so.
    Unknown,
    /// WeChat said that the user does not follow the account, and the log says so.
    Dropped,
    /// Likewise, the user has unsubscribed since.
    Unsubscribed,
    /// The mailbox was full, and the log has an error for the account.
    Evicted,
    /// Redis has lost its data.
    Data,
    /// A node that held it was lost or stood still.
    Node,
    /// The user has read instead that it failed: for the time of a lease its node stood still or did not reach Redis.
    Failed,
    /// A node has sent it, and WeChat was gone.
    Sent,
    Unexplained,
}

/// Why a user has seen a part more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Twice {
    /// The node's log warns of it.
    Said,
    /// Redis has lost its data.
    Data,
    /// A node was lost or stood still between sending it and noting that.
    Node,
    /// A node did not reach the store or the mailbox.
    StoreAway,
    Unexplained,
}

/// The fate of one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Shown(Way),
    Lost(Lost),
    /// It also was shown.
    Twice(Way, Twice),
}

/// What one user has seen, and what the nodes have logged of it.
pub(super) struct Judge<'a> {
    evidence: &'a Evidence,
    conversation: &'a Conversation,
    /// By message and number.
    shown: BTreeMap<(u64, usize), Vec<Showing<'a>>>,
    /// The texts that are no answer to this user.
    pub(super) foreign: Vec<&'a str>,
    /// How often the user was told that an answer has failed.
    pub(super) failures: usize,
    /// The failures that explain no lost answer yet.
    failures_left: usize,
}

struct Showing<'a> {
    way: Way,
    /// The message whose reply it is; `None` for a customer-service message.
    by: Option<&'a Written>,
}

impl<'a> Judge<'a> {
    pub(super) fn of(evidence: &'a Evidence, conversation: &'a Conversation) -> Self {
        let mut judge = Self {
            evidence,
            conversation,
            shown: BTreeMap::new(),
            foreign: Vec::new(),
            failures: 0,
            failures_left: 0,
        };
        for by in &conversation.written {
            if let Some(text) = by.told.transcript.shown().text() {
                judge.add(text, Some(by));
            }
        }
        conversation.sent.iter().for_each(|it| judge.add(it, None));
        judge.failures_left = judge.failures;
        judge
    }

    fn add(&mut self, text: &'a str, by: Option<&'a Written>) {
        self.failures += usize::from(text == FAILED);
        let user = self.conversation.user;
        let Some(parts) = parts_of(text) else {
            return self.foreign.push(text);
        };
        for part in parts {
            if user_of(part.0) != user {
                self.foreign.push(text);
            }
            let way = match by {
                None => Way::CustomerService,
                Some(by) if by.told.message == part.0 => Way::Passive,
                Some(_) => Way::Fetched,
            };
            self.shown
                .entry(part)
                .or_default()
                .push(Showing { way, by });
        }
    }

    pub(super) fn case<'b>(&self, written: &'b Written) -> Case<'b>
    where
        'a: 'b,
    {
        Case::of(self.evidence, &written.told)
    }

    /// The fate of each part of the answer. Empty: it has none, as a bare message that has fetched something.
    ///
    /// `evicted` counts, for each account, the parts that a full mailbox has dropped and that explain no lost one yet.
    pub(super) fn fates(
        &mut self,
        question: &'a Written,
        evicted: &mut HashMap<String, usize>,
    ) -> Vec<Fate> {
        let case = self.case(question);
        let is_run = !case.ended().is_empty();
        let answer = match question.what {
            What::Question(answer) if !case.lines.is_empty() => answer,
            What::Bare if is_run && !self.is_useless(question) => {
                Answer::of_bare(question.told.message)
            }
            _ => return Vec::new(),
        };
        let mut said = Said::of(&case);
        (0..answer.parts)
            .map(|number| {
                let showings = self.shown.get(&(question.told.message, number));
                match showings.map_or(&[][..], Vec::as_slice) {
                    [] => Fate::Lost(self.why_lost(question, &mut said, evicted)),
                    [one] => Fate::Shown(one.way),
                    more => Fate::Twice(more[0].way, self.why_twice(&case, more)),
                }
            })
            .collect()
    }

    /// Whether a bare message was handled by a node that did not reach the mailbox, and has fetched a part on another one.
    fn is_useless(&self, bare: &Written) -> bool {
        let message = bare.told.message;
        let (since, until) = self.case(bare).life();
        bare.told.transcript.shown().text().is_some()
            && !self.shown.contains_key(&(message, 0))
            && self.evidence.is_store_fault(since, until)
    }

    /// Why a part of the answer was not shown. What the log has `said` of the message explains as many parts as it says.
    fn why_lost(
        &mut self,
        question: &'a Written,
        said: &mut Said,
        evicted: &mut HashMap<String, usize>,
    ) -> Lost {
        let is_shared = self.conversation.setup != Setup::Memory;
        if one_of(&mut said.lost) {
            return Lost::Said;
        }
        if one_of(&mut said.unknown) {
            return Lost::Unknown;
        }
        if one_of(&mut said.dropped) {
            return Lost::Dropped;
        }
        if one_of(&mut said.unsubscribed) || self.is_dropped_later(question) {
            return Lost::Unsubscribed;
        }
        if is_shared && self.evidence.is_forgotten(question.told.since, u64::MAX) {
            return Lost::Data;
        }
        if self.is_lost_with_node(question, said) {
            return Lost::Node;
        }
        said.is_failed = said.is_failed || is_shared && self.is_failed(question);
        if said.is_failed {
            return Lost::Failed;
        }
        if self.is_sent_to_nobody(question, said) {
            return Lost::Sent;
        }
        // The log does not say which parts.
        if evicted
            .get_mut(self.conversation.account)
            .is_some_and(one_of)
        {
            return Lost::Evicted;
        }
        Lost::Unexplained
    }

    /// Whether the user has read that an answer failed, and its node stood still or did not reach Redis.
    fn is_failed(&mut self, question: &Written) -> bool {
        let case = self.case(question);
        let since = question.told.since;
        let until = since + HOLDING;
        let mut nodes = case.processes();
        let is_hit = nodes.any(|it| self.evidence.is_hit(it, since, until));
        let is_reason = is_hit || self.evidence.is_store_fault(since, until);
        is_reason && one_of(&mut self.failures_left)
    }

    /// Whether the user has unsubscribed since, and a node's log has that this has dropped parts. The answer of a mailbox
    /// that says so may have been lost.
    fn is_dropped_later(&self, question: &Written) -> bool {
        let mut later = self.conversation.written.iter().filter(|later| {
            matches!(later.what, What::Unsubscribe) && later.told.until >= question.told.since
        });
        later.any(|later| {
            let case = self.case(later);
            let (since, until) = case.life();
            Said::of(&case).unsubscribed > 0 || self.evidence.is_store_fault(since, until)
        })
    }

    /// Whether a node has answered with the part, by its log, although no user has seen that answer.
    fn is_sent_to_nobody(&self, question: &Written, said: &mut Said) -> bool {
        let message = question.told.message;
        let shown = self.shown.range((message, 0)..=(message, usize::MAX));
        let shown = shown.flat_map(|(_, showings)| showings);
        let fetched = shown.filter(|it| it.way == Way::Fetched).count();
        if said.fetched > fetched {
            said.fetched -= 1;
            return true;
        }
        let is_silent = question.told.transcript.shown().text().is_none();
        is_silent && one_of(&mut said.answered)
    }

    /// Whether a node was lost, or stood still, that held the answer: it is in no store and in no mailbox.
    ///
    /// A user who was told to wait for the next message hears of it.
    fn is_lost_with_node(&mut self, question: &'a Written, said: &Said) -> bool {
        let case = self.case(question);
        let since = question.told.since;
        if self.conversation.setup == Setup::Memory {
            return case
                .processes()
                .any(|it| self.evidence.killed(it).is_some());
        }
        let until = since + HOLDING;
        let mut nodes = case.processes();
        if said.kept > 0 || !nodes.any(|it| self.evidence.is_hit(it, since, until)) {
            return false;
        }
        let is_told_to_wait = question.told.transcript.shown().text() == Some(WAIT);
        if is_told_to_wait && self.conversation.setup == Setup::NextMessage {
            let is_heard = self.failures_left > 0;
            self.failures_left = self.failures_left.saturating_sub(1);
            return is_heard || !self.evidence.is_store_fault(since, until);
        }
        true
    }

    fn why_twice(&self, case: &Case<'_>, showings: &[Showing<'_>]) -> Twice {
        if case.is_counted() {
            return Twice::Said;
        }
        let since = case.told.since;
        let by = || showings.iter().filter_map(|showing| showing.by);
        let last = by().map(|by| by.told.until).max().unwrap_or(since);
        let until = last.max(since + HOLDING);
        if self.conversation.setup != Setup::Memory && self.evidence.is_forgotten(since, until) {
            return Twice::Data;
        }
        let cases = by().map(|by| Case::of(self.evidence, &by.told));
        let nodes = || case.processes();
        let nodes: Vec<_> = cases
            .flat_map(|it| it.processes().collect::<Vec<_>>())
            .chain(nodes())
            .collect();
        if nodes
            .iter()
            .any(|it| self.evidence.is_hit(*it, since, until))
        {
            return Twice::Node;
        }
        let is_away = |node: &u32| case.is_store_away(*node, since, until);
        if nodes.iter().any(is_away) || self.evidence.is_store_fault(since, until) {
            return Twice::StoreAway;
        }
        Twice::Unexplained
    }
}

impl Evidence {
    /// Whether a fault of Redis, or of a node's way to it, met the time between `since` and `until`.
    fn is_store_fault(&self, since: u64, until: u64) -> bool {
        let mut faults = self.faults(since.saturating_sub(LONG_FAULT), until);
        faults.any(|line| {
            let Event::Fault(text) = &line.event else {
                return false;
            };
            let is_of_network = ["Cut", "Torn", "Slow", "Held"]
                .iter()
                .any(|it| text.starts_with(it));
            line.process == ALL_NODES || is_of_network
        })
    }
}

/// How many parts of a message's late reply have gone which way, by the nodes' logs.
#[derive(Default)]
struct Said {
    lost: usize,
    unknown: usize,
    dropped: usize,
    unsubscribed: usize,
    kept: usize,
    fetched: usize,
    /// How many deliveries of the message were answered.
    answered: usize,
    /// Whether the user has read instead that it failed.
    is_failed: bool,
}

impl Said {
    fn of(case: &Case<'_>) -> Self {
        let mut said = Self::default();
        let has_answer = |process| {
            case.lines.iter().any(|line| {
                let is_taken_over = matches!(
                    line.event,
                    Event::Store {
                        answer: log::Answer::TakenOver,
                        ..
                    }
                );
                line.process == process
                    && (is_taken_over || matches!(line.event, Event::Ended { .. }))
            })
        };
        for line in case.lines {
            match &line.event {
                Event::Lost { parts, .. } => said.lost += parts,
                Event::Answered { status: 200, .. } => said.answered += 1,
                Event::Parts { way, parts } => match &**way {
                    "unknown" => said.unknown += parts,
                    "dropped" => said.dropped += parts,
                    "unsubscribed" => said.unsubscribed += parts,
                    // Another node keeps the failure text.
                    "kept" if has_answer(line.process) => said.kept += parts,
                    "fetched" => said.fetched += parts,
                    _ => {}
                },
                _ => {}
            }
        }
        said
    }
}

/// Takes one, if there is one left.
fn one_of(left: &mut usize) -> bool {
    let is_left = *left > 0;
    *left = left.saturating_sub(1);
    is_left
}

/// In microseconds: how long after a question a node may have its answer to itself. A run, its deliveries, and the
/// question whose the answer is.
const HOLDING: u64 = 60_000_000;

/// A fault that began earlier is over.
const LONG_FAULT: u64 = 7_000_000;
