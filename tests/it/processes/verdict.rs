//! The promises, each with the faults under which it holds.

use std::{collections::HashMap, fmt};

use tower_wechat::simulator::Shown;

use super::{
    evidence::{Done, Evidence, is_failure, operations},
    log::{Answer, Event, Line, Operation},
    node::{RUNS, reply_text},
    traffic::Told,
};

/// Counts over all messages.
#[derive(Debug, Default)]
pub(super) struct Tally {
    messages: usize,
    deliveries: usize,
    // Runs of another claim than the one before.
    after_lost_leases: usize,
    after_lost_data: usize,
    alone: usize,
    shown: usize,
    handed_over: usize,
    faults_shown: usize,
    /// Messages that were lost with a node.
    lost: usize,
    /// Messages whose reply was neither shown nor handed over.
    unheard: usize,
    /// Messages of which the store always answered, and of these such that no node was lost or stopped.
    store_answered: usize,
    pub(super) untroubled: usize,
}

/// One message and its lines.
struct Case<'a> {
    evidence: &'a Evidence,
    told: &'a Told,
    lines: &'a [Line],
}

/// Why a node began a run.
enum Reason<'a> {
    /// An earlier run of the same node failed.
    Repeats,
    /// The store gave the message to this claim.
    Granted(Done<'a>, u32),
    /// The store was not asked, or did not answer.
    NoStore,
}

impl Tally {
    /// Checks every promise for every message.
    pub(super) fn of(evidence: &Evidence) -> Result<Self, Vec<String>> {
        let mut tally = Self::default();
        let mut broken = Vec::new();
        for told in &evidence.told {
            let case = Case {
                evidence,
                told,
                lines: evidence.lines(told.message),
            };
            let promises = [
                case.is_not_lost(),
                case.is_heard(),
                case.has_its_own_reply(),
                case.has_one_claim_at_a_time(),
                case.stays_lost(),
                case.has_reasons_to_run(&mut tally),
                case.drops_what_lost_its_lease(),
                case.has_one_way_out(&mut tally),
                case.is_answered_in_time(),
                case.shows_no_fault(),
            ];
            tally.count(&case);
            for what in promises.into_iter().filter_map(Result::err) {
                broken.push(format!("{what}:\n{case}"));
            }
        }
        if broken.is_empty() {
            Ok(tally)
        } else {
            Err(broken)
        }
    }

    /// Returns the number of runs of another claim than the one before.
    pub(super) fn taken_over(&self) -> usize {
        self.after_lost_leases + self.after_lost_data + self.alone
    }

    fn count(&mut self, case: &Case<'_>) {
        self.messages += 1;
        self.deliveries += case.told.transcript.deliveries().len();
        self.shown += usize::from(case.shown_text().is_some());
        self.faults_shown += usize::from(case.told.transcript.shown() == &Shown::Fault);
        self.lost += usize::from(!case.is_run());
        self.handed_over += case.late().count();
        self.unheard += usize::from(case.is_unheard());
    }
}

impl Case<'_> {
    /// Always: a message that has reached a node is run to its end.
    ///
    /// If a node that knew of it is killed, that holds once a later delivery reaches a node that is not killed. Within the
    /// lease of the lost run, that delivery may be acknowledged before the loss is known, and then no further delivery
    /// makes a node look again.
    fn is_not_lost(&self) -> Result<(), String> {
        let killed = self.processes().filter_map(|it| self.evidence.killed(it));
        let is_excused = killed.max().is_some_and(|killed| {
            !self.lines.iter().any(|line| {
                matches!(line.event, Event::Arrived { .. })
                    && line.at >= killed + LEASE
                    && self.evidence.killed(line.process).is_none()
            })
        });
        check(self.is_run() || is_excused, || "lost".to_owned())
    }

    /// Whether it has been run to its end, or has reached no node.
    fn is_run(&self) -> bool {
        self.lines.is_empty() || !self.ended().is_empty()
    }

    /// As long as no node is lost or stands still, whatever happens to the store: the reply is shown or handed over.
    fn is_heard(&self) -> Result<(), String> {
        check(!self.is_unheard() || self.is_hit(), || {
            "a reply is neither shown nor handed over".to_owned()
        })
    }

    /// Whether it has been run to its end, and the user has got none of its replies.
    fn is_unheard(&self) -> bool {
        !self.ended().is_empty() && self.shown_text().is_none() && self.late().count() == 0
    }

    /// As long as no node is lost or stands still, whatever happens to the store: no user gets the fault text.
    fn shows_no_fault(&self) -> Result<(), String> {
        let is_fault = self.told.transcript.shown() == &Shown::Fault;
        check(!is_fault || self.is_hit(), || {
            "a fault text without a reason".to_owned()
        })
    }

    /// Whether a node to which it was sent was lost, missing, or stood still.
    fn is_hit(&self) -> bool {
        let (since, until) = self.life();
        let mut sent_to = self.told.sent_to.iter();
        sent_to.any(|node| node.is_none_or(|process| self.evidence.is_hit(process, since, until)))
    }

    /// Always: the user and the hook get the reply of a run of this message, and no other.
    fn has_its_own_reply(&self) -> Result<(), String> {
        let ended = self.ended();
        let texts = self.shown_text().into_iter().chain(self.late().flatten());
        for text in texts {
            check(ended.iter().any(|own| own == text), || {
                format!("a reply of no run, {text:?}")
            })?;
        }
        Ok(())
    }

    /// Unless Redis loses its data: a message is not given to a claim during the lease of another, or after another has
    /// completed it. The number of a claim is larger than those of all claims before.
    ///
    /// Leases are measured from the beginning of an operation, and claims to their end, so a slow connection excuses
    /// nothing.
    fn has_one_claim_at_a_time(&self) -> Result<(), String> {
        for (_, claim) in operations(self.lines) {
            let (Operation::Claim, Answer::Run(number)) = (claim.operation, claim.answer) else {
                continue;
            };
            let earlier = operations(self.lines).filter(|(_, earlier)| {
                earlier.id != claim.id
                    && earlier.until <= claim.since
                    && !self.evidence.is_forgotten(earlier.since, claim.until)
            });
            let mut numbers = HashMap::new();
            // The end of the lease of each claim.
            let mut leases = HashMap::new();
            for (_, earlier) in earlier {
                match (earlier.operation, earlier.answer) {
                    (Operation::Claim, Answer::Run(number))
                    | (Operation::Renew(number), Answer::Yours) => {
                        numbers.insert(earlier.id, number);
                        leases.insert(earlier.id, earlier.since + LEASE);
                    }
                    (Operation::Complete, Answer::Stored | Answer::Acknowledged) => {
                        leases.insert(earlier.id, u64::MAX);
                    }
                    // The claim was released, as by a node that could not tell the store of its reply.
                    (Operation::Release, _) if leases.get(earlier.id) != Some(&u64::MAX) => {
                        leases.remove(earlier.id);
                    }
                    _ => {}
                }
            }
            for (id, lease) in leases {
                check(lease <= claim.until + TICK, || {
                    format!("given to {} while it belonged to {id}", claim.id)
                })?;
            }
            for (id, before) in numbers {
                check(before < number, || {
                    format!("{} is number {number} after {id}", claim.id)
                })?;
            }
        }
        Ok(())
    }

    /// Unless Redis loses its data: it neither renews nor completes a claim that has lost the message to another.
    fn stays_lost(&self) -> Result<(), String> {
        let has_it = |done: &Done<'_>| {
            matches!(
                (done.operation, done.answer),
                (Operation::Claim, Answer::Run(_))
                    | (Operation::Renew(_), Answer::Yours)
                    | (Operation::Complete, Answer::Stored | Answer::Acknowledged)
            )
        };
        let held = || operations(self.lines).map(|(_, done)| done).filter(has_it);
        for done in held().filter(|done| done.operation != Operation::Claim) {
            let mut taken = held().filter(|claim| {
                claim.operation == Operation::Claim
                    && claim.id != done.id
                    && claim.until <= done.since
                    && !self.evidence.is_forgotten(claim.since, done.until)
            });
            let is_taken = taken.any(|claim| {
                // It may have taken the message again.
                !operations(self.lines).any(|(line, again)| {
                    again.operation == Operation::Claim
                        && again.id == done.id
                        && again.until >= claim.since
                        // A claim without an answer may have been carried out.
                        && (has_it(&again) || is_failure(line))
                })
            });
            check(!is_taken, || {
                format!("{:?} of {}, which has lost it", done.operation, done.id)
            })?;
        }
        Ok(())
    }

    /// Always: a run that is not the first one of its message has a reason in the log. Either the last run of its node
    /// failed. Or the store gave the message to its claim, as [it does](Self::has_one_claim_at_a_time) when a lease is
    /// lost or Redis has lost its data. Or the store did not answer its node, which then goes on alone.
    fn has_reasons_to_run(&self, tally: &mut Tally) -> Result<(), String> {
        let mut begun = 0;
        for (index, line) in self.lines.iter().enumerate() {
            let Event::Begun { run } = line.event else {
                continue;
            };
            begun += 1;
            let before = &self.lines[..index];
            match reason(before, line.process, run) {
                Reason::Repeats => {}
                Reason::Granted(claim, number) => {
                    check(run == (number - 1) * RUNS + 1, || {
                        format!("claim number {number} begins with run {run}")
                    })?;
                    let is_known = |(_, earlier): (_, Done<'_>)| {
                        earlier.id != claim.id && matches!(earlier.answer, Answer::Run(_))
                    };
                    if number > 1 {
                        tally.after_lost_leases += 1;
                    } else if operations(before).any(is_known) {
                        tally.after_lost_data += 1;
                    }
                }
                Reason::NoStore => {
                    let process = line.process;
                    check(self.is_alone(process, line.at), || {
                        format!("node {process} runs it without a reason, as {run}")
                    })?;
                    tally.alone += usize::from(begun > 1);
                }
            }
        }
        Ok(())
    }

    /// Whether a node that begins a run could not ask the store.
    fn is_alone(&self, process: u32, at: u64) -> bool {
        // A node that stood still in between logs it later.
        let claims = operations(self.lines).filter(|(line, done)| {
            line.process == process && line.at <= at && done.operation == Operation::Claim
        });
        claims.last().is_some_and(|(line, _)| is_failure(line))
            || self.evidence.is_left_alone(process, at, at)
            || self.evidence.is_hit(process, at.saturating_sub(LEASE), at)
    }

    /// Whether an operation for this message on the node failed between `since` and `until`, or was not tried.
    fn is_store_away(&self, process: u32, since: u64, until: u64) -> bool {
        let mut lines = self.lines.iter();
        self.evidence.is_left_alone(process, since, until)
            || lines.any(|line| {
                line.process == process && is_failure(line) && (since..=until).contains(&line.at)
            })
    }

    /// As long as the store answers the node at the end of a run: if the store says that the claim has lost the message,
    /// the reply is neither shown nor handed over.
    ///
    /// If the store does not answer, the reply is used, and the store is told later.
    fn drops_what_lost_its_lease(&self) -> Result<(), String> {
        for (index, line) in self.lines.iter().enumerate() {
            let Event::Store {
                operation: Operation::Complete,
                answer: Answer::Lost,
                ..
            } = line.event
            else {
                continue;
            };
            let mut before = self.lines[..index].iter().rev();
            let ended = before.find_map(|earlier| match earlier.event {
                Event::Ended { run } if earlier.process == line.process => Some((earlier.at, run)),
                _ => None,
            });
            let Some((ended, run)) = ended else {
                return Err("completed before it ended".to_owned());
            };
            let again = self.lines.iter().filter(|other| {
                other.process == line.process && other.event == Event::Ended { run }
            });
            // A node that went on alone may have repeated a number.
            if again.count() > 1 || self.is_store_away(line.process, ended, line.at) {
                continue;
            }
            let text = reply_text(self.told.message, line.process, run);
            let is_late = self.late().flatten().any(|late| late == text);
            check(!is_late && self.shown_text() != Some(&text), || {
                format!("{text:?} should have been dropped")
            })?;
        }
        Ok(())
    }

    /// As long as the store answers the nodes and keeps its data, whatever happens to the nodes: the reply is shown, or
    /// handed over once, and never both.
    ///
    /// If no node is lost or stands still, either: one run succeeds, and its reply is shown or handed over.
    fn has_one_way_out(&self, tally: &mut Tally) -> Result<(), String> {
        let (since, until) = self.life();
        let mut processes = self.processes();
        if self.evidence.is_forgotten(since, until)
            || processes.any(|process| self.is_store_away(process, since, until))
        {
            return Ok(());
        }
        tally.store_answered += 1;
        let shown = usize::from(self.shown_text().is_some());
        let late = self.late().count();
        check(shown + late <= 1, || {
            format!("shown {shown} times, handed over {late} times")
        })?;
        if self.is_hit() {
            return Ok(());
        }
        tally.untroubled += 1;
        let ended = self.ended().len();
        check(ended == 1, || format!("{ended} runs to the end"))?;
        check(shown + late == 1, || {
            "neither shown nor handed over".to_owned()
        })?;
        check(self.told.transcript.shown() != &Shown::Fault, || {
            "a fault text without a reason".to_owned()
        })
    }

    /// Unless the node stands still: no delivery waits longer than 6 s for its answer.
    fn is_answered_in_time(&self) -> Result<(), String> {
        let mut waiting = HashMap::new();
        for line in self.lines {
            match line.event {
                Event::Arrived { delivery, .. } => {
                    waiting.insert((line.process, delivery), line.at);
                }
                Event::Answered { delivery, .. } | Event::Left { delivery } => {
                    let since = waiting.remove(&(line.process, delivery)).unwrap();
                    let waited = line.at - since;
                    let is_hit = self.evidence.is_hit(line.process, since, line.at);
                    check(waited <= CAP || is_hit, || {
                        format!("a delivery waited {waited} µs")
                    })?;
                }
                _ => {}
            }
        }
        let mut rest = waiting.into_keys();
        check(
            rest.all(|(process, _)| self.evidence.killed(process).is_some()),
            || "a delivery still waits".to_owned(),
        )
    }

    fn shown_text(&self) -> Option<&str> {
        self.told.transcript.shown().text()
    }

    /// The texts of the calls of the hook.
    fn late(&self) -> impl Iterator<Item = Option<&str>> {
        self.lines.iter().filter_map(|line| match &line.event {
            Event::Late { text, .. } => Some(text.as_deref()),
            _ => None,
        })
    }

    /// The replies of all runs that ended.
    fn ended(&self) -> Vec<String> {
        let ended = self.lines.iter().filter_map(|line| match line.event {
            Event::Ended { run } => Some(reply_text(self.told.message, line.process, run)),
            _ => None,
        });
        ended.collect()
    }

    /// The nodes that know of the message.
    fn processes(&self) -> impl Iterator<Item = u32> {
        self.lines.iter().map(|line| line.process)
    }

    /// From the first delivery to the last line.
    fn life(&self) -> (u64, u64) {
        let last = self.lines.last().map_or(0, |line| line.at);
        (self.told.since, self.told.until.max(last))
    }
}

/// Why `process` begins `run` after `before`.
fn reason(before: &[Line], process: u32, run: u32) -> Reason<'_> {
    let own = before.iter().rposition(|line| {
        line.process == process
            && matches!(
                line.event,
                Event::Begun { .. } | Event::Failed { .. } | Event::Ended { .. }
            )
    });
    if let Some(Event::Failed { run: failed }) = own.map(|own| &before[own].event)
        && failed + 1 == run
    {
        return Reason::Repeats;
    }
    // A claim is the reason for the next run.
    let since = own.map_or(0, |own| own + 1);
    let claims = operations(&before[since..])
        .filter(|(line, done)| line.process == process && done.operation == Operation::Claim);
    let Some((_, claim)) = claims.last() else {
        return Reason::NoStore;
    };
    match claim.answer {
        Answer::Run(number) => Reason::Granted(claim, number),
        _ => Reason::NoStore,
    }
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
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
        for line in self.lines {
            let seconds = (line.at.saturating_sub(*since)) / 1_000;
            writeln!(
                f,
                "{seconds:>6} ms  node {}: {:?}",
                line.process, line.event
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} messages in {} deliveries: {} replies shown, {} handed over, {} neither; {} faults shown, \
             {} messages lost with a node",
            self.messages,
            self.deliveries,
            self.shown,
            self.handed_over,
            self.unheard,
            self.faults_shown,
            self.lost
        )?;
        writeln!(
            f,
            "runs of another claim: {} after a lost lease, {} after lost data, {} without a store",
            self.after_lost_leases, self.after_lost_data, self.alone
        )?;
        write!(
            f,
            "the store answered throughout: {}, no node was hit either: {}",
            self.store_answered, self.untroubled
        )
    }
}

/// In microseconds, as all times here.
const LEASE: u64 = 5_000_000;

/// Redis counts milliseconds.
const TICK: u64 = 2_000;

/// Six seconds, plus the delay of a busy machine.
const CAP: u64 = 9_000_000;
