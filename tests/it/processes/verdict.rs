//! The promises, each with the faults that it holds under.

use std::{collections::HashMap, fmt};

use tower_wechat::simulator::Shown;

use super::{
    evidence::{Done, Evidence, is_failure, operations},
    log::{Answer, Event, Line, Operation},
    node::{RUNS, reply_text},
    traffic::Told,
};

/// What happened in all.
#[derive(Debug, Default)]
pub(super) struct Tally {
    messages: usize,
    deliveries: usize,
    // Runs that another owner began than the one before.
    after_lost_leases: usize,
    after_lost_data: usize,
    alone: usize,
    shown: usize,
    handed_over: usize,
    faults_shown: usize,
    /// Messages that were lost with a node.
    lost: usize,
    /// Messages of which the store always answered, and of these such that no node was lost or stopped.
    store_answered: usize,
    pub(super) untroubled: usize,
}

/// One message before its judge.
struct Case<'a> {
    evidence: &'a Evidence,
    told: &'a Told,
    lines: &'a [Line],
}

/// Why a node began a run.
enum Reason<'a> {
    /// An earlier run of the same node failed.
    Repeats,
    /// The store made the message this owner's.
    Granted(Done<'a>, u32),
    /// Nobody asked the store, or it did not answer.
    Alone,
}

impl Tally {
    /// Holds every promise against every message.
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
                case.has_its_own_reply(),
                case.is_one_owners_at_a_time(),
                case.is_no_longer_its_owners(),
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

    /// Runs that another owner began than the one before.
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
    }
}

impl Case<'_> {
    /// Always: a message that has reached a node is run to its end.
    ///
    /// If a node that knew of it is killed: once another delivery reaches a node that is not. Within the lease
    /// of the lost run that delivery may be acknowledged before it is known that nobody runs the message
    /// any more; then there is none that would make a node look again.
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

    /// Whether it has been run to its end, or no node ever knew of it.
    fn is_run(&self) -> bool {
        self.lines.is_empty() || !self.ended().is_empty()
    }

    /// Whatever becomes of the store, as long as no node is lost or stands still: no user is told that the
    /// account is out of order.
    fn shows_no_fault(&self) -> Result<(), String> {
        let is_fault = self.told.transcript.shown() == &Shown::Fault;
        check(!is_fault || self.is_hit(), || {
            "a fault text for nothing".to_owned()
        })
    }

    /// Whether a node that it was sent to was lost meanwhile, or not there, or stood still.
    fn is_hit(&self) -> bool {
        let (since, until) = self.life();
        let mut sent_to = self.told.sent_to.iter();
        sent_to.any(|node| node.is_none_or(|process| self.evidence.is_hit(process, since, until)))
    }

    /// Always: what the user sees, and what the hook gets, is what a run of this very message has come to.
    fn has_its_own_reply(&self) -> Result<(), String> {
        let ended = self.ended();
        let texts = self.shown_text().into_iter().chain(self.late().flatten());
        for text in texts {
            check(ended.iter().any(|own| own == text), || {
                format!("a reply from nowhere, {text:?}")
            })?;
        }
        Ok(())
    }

    /// Unless Redis loses its data: it makes a message one owner's as long as another's lease lasts, or once
    /// another has completed it. The number of an owner is larger than that of all before.
    ///
    /// Leases are measured from when an operation began, and claims to when they ended, so a slow connection
    /// explains nothing away that should not be.
    fn is_one_owners_at_a_time(&self) -> Result<(), String> {
        for (_, claim) in operations(self.lines) {
            let (Operation::Claim, Answer::Run(number)) = (claim.operation, claim.answer) else {
                continue;
            };
            let earlier = operations(self.lines).filter(|(_, earlier)| {
                earlier.owner != claim.owner
                    && earlier.until <= claim.since
                    && !self.evidence.is_forgotten(earlier.since, claim.until)
            });
            let mut numbers = HashMap::new();
            // Until when the message is an owner's.
            let mut leases = HashMap::new();
            for (_, earlier) in earlier {
                match (earlier.operation, earlier.answer) {
                    (Operation::Claim, Answer::Run(number))
                    | (Operation::Renew(number), Answer::Yes) => {
                        numbers.insert(earlier.owner, number);
                        leases.insert(earlier.owner, earlier.since + LEASE);
                    }
                    (Operation::Complete, Answer::Kept | Answer::Acknowledged) => {
                        leases.insert(earlier.owner, u64::MAX);
                    }
                    // Its owner has let it go, as one does that could not tell the store of its reply.
                    (Operation::Release, _) if leases.get(earlier.owner) != Some(&u64::MAX) => {
                        leases.remove(earlier.owner);
                    }
                    _ => {}
                }
            }
            for (owner, lease) in leases {
                check(lease <= claim.until + TICK, || {
                    format!("claimed by {} while it was {owner}'s", claim.owner)
                })?;
            }
            for (owner, before) in numbers {
                check(before < number, || {
                    format!("{} is number {number} after {owner}", claim.owner)
                })?;
            }
        }
        Ok(())
    }

    /// Unless Redis loses its data: it lengthens no lease of an owner, and takes no outcome from it, once the
    /// message is another's.
    fn is_no_longer_its_owners(&self) -> Result<(), String> {
        let is_owner = |done: &Done<'_>| {
            matches!(
                (done.operation, done.answer),
                (Operation::Claim, Answer::Run(_))
                    | (Operation::Renew(_), Answer::Yes)
                    | (Operation::Complete, Answer::Kept | Answer::Acknowledged)
            )
        };
        let owners = || {
            operations(self.lines)
                .map(|(_, done)| done)
                .filter(is_owner)
        };
        for done in owners().filter(|done| done.operation != Operation::Claim) {
            let mut taken = owners().filter(|claim| {
                claim.operation == Operation::Claim
                    && claim.owner != done.owner
                    && claim.until <= done.since
                    && !self.evidence.is_forgotten(claim.since, done.until)
            });
            let is_taken = taken.any(|claim| {
                // Its lease may have been over in its turn.
                !operations(self.lines).any(|(line, again)| {
                    again.operation == Operation::Claim
                        && again.owner == done.owner
                        && again.until >= claim.since
                        // Nobody knows what has become of a claim without an answer.
                        && (is_owner(&again) || is_failure(line))
                })
            });
            check(!is_taken, || {
                format!("{:?} of {}, who has lost it", done.operation, done.owner)
            })?;
        }
        Ok(())
    }

    /// Always: a run that is not the message's first has a reason that is in the log. Its own node's last run
    /// failed; or the store said that the message is its owner's ([which](Self::is_one_owners_at_a_time)
    /// it does when a lease is lost, or when Redis has lost its data); or the store did not answer its node,
    /// which then goes on alone.
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
                        format!("owner number {number} begins with run {run}")
                    })?;
                    let is_known = |(_, earlier): (_, Done<'_>)| {
                        earlier.owner != claim.owner && matches!(earlier.answer, Answer::Run(_))
                    };
                    if number > 1 {
                        tally.after_lost_leases += 1;
                    } else if operations(before).any(is_known) {
                        tally.after_lost_data += 1;
                    }
                }
                Reason::Alone => {
                    let process = line.process;
                    check(self.is_alone(process, line.at), || {
                        format!("node {process} runs it unasked, as {run}")
                    })?;
                    tally.alone += usize::from(begun > 1);
                }
            }
        }
        Ok(())
    }

    /// Whether a node that begins a run had no store to ask.
    fn is_alone(&self, process: u32, at: u64) -> bool {
        // One that stood still in between says so later.
        let claims = operations(self.lines).filter(|(line, done)| {
            line.process == process && line.at <= at && done.operation == Operation::Claim
        });
        claims.last().is_some_and(|(line, _)| is_failure(line))
            || self.evidence.is_left_alone(process, at, at)
            || self.evidence.is_hit(process, at.saturating_sub(LEASE), at)
    }

    /// Whether an operation of this message on the node came to nothing in the time from `since` to `until`, or
    /// was not even tried.
    fn is_store_away(&self, process: u32, since: u64, until: u64) -> bool {
        let mut lines = self.lines.iter();
        self.evidence.is_left_alone(process, since, until)
            || lines.any(|line| {
                line.process == process && is_failure(line) && (since..=until).contains(&line.at)
            })
    }

    /// As long as the store answers the node that ran the message, when the run ends: what it comes to reaches
    /// nobody if the store refuses it, since the message is another's by now.
    ///
    /// If the store doesn't answer then, the reply goes its way, and the store is told later.
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
            // A node that has gone on alone may have begun the same number again.
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

    /// As long as the store answers the nodes and keeps its data, whatever becomes of the nodes: the reply is
    /// shown, or it is handed over once, and never both.
    ///
    /// If, beside that, no node is lost or stands still: there is one run that succeeds, and exactly one of
    /// the two.
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
            "a fault text for nothing".to_owned()
        })
    }

    /// Always: no delivery waits longer for its answer than 6 s, but for the node's own standstill.
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

    /// The texts that the hook got.
    fn late(&self) -> impl Iterator<Item = Option<&str>> {
        self.lines.iter().filter_map(|line| match &line.event {
            Event::Late { text, .. } => Some(text.as_deref()),
            _ => None,
        })
    }

    /// The replies that runs came to.
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

    /// From the first delivery to the last that is heard of it.
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
    // A claim is good for the run that follows it.
    let since = own.map_or(0, |own| own + 1);
    let claims = operations(&before[since..])
        .filter(|(line, done)| line.process == process && done.operation == Operation::Claim);
    let Some((_, claim)) = claims.last() else {
        return Reason::Alone;
    };
    match claim.answer {
        Answer::Run(number) => Reason::Granted(claim, number),
        _ => Reason::Alone,
    }
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// All that is known, in the order of writing.
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
            "{} messages in {} deliveries: {} replies shown, {} handed over, {} faults shown, \
             {} lost with a node",
            self.messages,
            self.deliveries,
            self.shown,
            self.handed_over,
            self.faults_shown,
            self.lost
        )?;
        writeln!(
            f,
            "run by another owner: {} after a lost lease, {} after lost data, {} without a store",
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

/// Six seconds, and what a busy machine adds to them.
const CAP: u64 = 9_000_000;
