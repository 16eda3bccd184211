//! The promises, each with the faults under which it holds.

use std::collections::HashMap;

use super::{
    case::Case,
    evidence::{Done, is_failure, operations},
    log::{Answer, Event, Line, Operation},
    node::reply_text,
    traffic::{AFTERWARDS, Task, is_of_busy_account},
};

/// What a message breaks.
pub(super) struct Verdict {
    /// On a machine that gives each process its time. Deadlines are promises of this kind.
    pub(super) timely: Vec<String>,
    /// On any machine.
    pub(super) always: Vec<String>,
}

impl Verdict {
    pub(super) fn of(case: &Case<'_>) -> Self {
        let always = [
            case.is_not_lost(),
            case.is_heard(),
            case.has_its_own_reply(),
            case.has_one_claim_at_a_time(),
            case.stays_lost(),
            case.drops_what_lost_its_lease(),
            case.is_given_once(),
        ];
        let timely = [
            case.has_reasons_to_run(),
            case.is_served(),
            case.is_served_afterwards(),
            case.is_answered_in_time(),
            case.shows_no_fault(),
        ];
        let broken = |promises: &[Result<(), String>]| {
            let broken = promises.iter().filter_map(|it| it.as_ref().err());
            broken.cloned().collect()
        };
        Self {
            timely: broken(&timely),
            always: broken(&always),
        }
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

    /// Whatever happens to the store, and if a node stands still: the reply is shown or handed over, unless the node that
    /// had it is killed.
    fn is_heard(&self) -> Result<(), String> {
        check(!self.is_unheard() || self.is_lost_with_node(), || {
            "a reply is neither shown nor handed over".to_owned()
        })
    }

    /// As long as no node is lost or stands still, whatever happens to the store: no user gets the fault text.
    fn shows_no_fault(&self) -> Result<(), String> {
        check(!self.is_fault_shown() || self.is_hit(), || {
            "a fault text without a reason".to_owned()
        })
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
                // A release whose answer came after the claim may have been carried out before it.
                let is_earlier = match earlier.operation {
                    Operation::Release => earlier.since <= claim.until,
                    _ => earlier.until <= claim.since,
                };
                earlier.id != claim.id
                    && is_earlier
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

    /// Unless Redis loses its data: it neither renews nor completes a claim that has lost the message to another. A node
    /// that has handed a reply over reminds Redis of it. A claim may get a late reply instead.
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
        let is_reminder = |line: &Line, done: &Done<'_>| {
            done.answer == Answer::Acknowledged
                && self.lines.iter().any(|late| {
                    late.process == line.process
                        && late.at <= line.at
                        && matches!(late.event, Event::Late { .. })
                })
        };
        let kept = operations(self.lines).filter(|(line, done)| {
            has_it(done) && done.operation != Operation::Claim && !is_reminder(line, done)
        });
        for (_, done) in kept {
            let mut taken = held().filter(|claim| {
                claim.operation == Operation::Claim
                    && claim.id != done.id
                    && claim.until <= done.since
                    && !self.evidence.is_forgotten(claim.since, done.until)
            });
            let is_taken = taken.any(|claim| {
                let mut claims = operations(self.lines).filter(|(_, again)| {
                    again.operation == Operation::Claim
                        && again.id == done.id
                        && again.until >= claim.since
                        && again.since <= done.until
                });
                // It may have taken the message again. A claim without an answer may have been carried out.
                let is_its_own = claims.any(|(line, again)| has_it(&again) || is_failure(line));
                !is_its_own && !self.may_be_late(done, claim.since)
            });
            check(!is_taken, || {
                format!("{:?} of {}, which has lost it", done.operation, done.id)
            })?;
        }
        Ok(())
    }

    /// Whether the claim of an operation may have got another one's late reply since then. Either it has taken the reply over, or
    /// it has held it, and released the last hold. Then the reply is not stored for a delivery any more.
    fn may_be_late(&self, done: Done<'_>, since: u64) -> bool {
        let since_then = || {
            operations(self.lines)
                .filter(|(_, other)| other.until >= since && other.since <= done.until)
        };
        let own = || since_then().filter(|(_, own)| own.id == done.id);
        let has_taken_over = || own().any(|(_, own)| own.answer == Answer::TakenOver);
        let has_released = || {
            // An acknowledgement without an answer may hold it as well.
            let hold = own().find(|(line, own)| {
                own.answer == Answer::Replied
                    || own.operation == Operation::Acknowledge && is_failure(line)
            });
            hold.is_some_and(|(_, hold)| {
                let is_sure = hold.answer == Answer::Replied;
                own().any(|(line, release)| {
                    release.operation == Operation::Release
                        && release.since >= hold.until
                        && (release.answer == Answer::LastHold || is_sure && is_failure(line))
                })
            })
        };
        let others_have_released = || {
            since_then()
                .filter(|(_, other)| {
                    other.id != done.id && matches!(other.answer, Answer::Stored | Answer::Replied)
                })
                .all(|(_, hold)| {
                    since_then().any(|(line, release)| {
                        release.operation == Operation::Release
                            && release.id == hold.id
                            && release.since >= hold.since
                            && (release.answer == Answer::HeldElsewhere || is_failure(line))
                    })
                })
        };
        done.answer != Answer::Stored
            && (has_taken_over() || has_released() && others_have_released())
    }

    /// Always: each run has a reason in the log.
    fn has_reasons_to_run(&self) -> Result<(), String> {
        self.runs().into_iter().try_for_each(|run| run.map(|_| ()))
    }

    /// As long as the store answers the node at the end of a run: if the store says that the claim has lost the message,
    /// the reply is neither shown nor handed over.
    ///
    /// If the store does not answer, the reply is used, and the store is told later. Only the first answer after the end
    /// counts: later ones are reminders, of this node's reply or of one that it got from the store. A claim that gets the
    /// message again completes it with the reply that it has.
    fn drops_what_lost_its_lease(&self) -> Result<(), String> {
        for (index, line) in self.lines.iter().enumerate() {
            let Event::Ended { run } = line.event else {
                continue;
            };
            let after = self.lines[index..].iter();
            let first = after
                .filter(|later| later.process == line.process)
                .find_map(|later| match later.event {
                    Event::Store {
                        operation: Operation::Complete,
                        answer,
                        ..
                    } => Some((later.at, answer)),
                    _ => None,
                });
            let Some((told, Answer::Lost)) = first else {
                continue;
            };
            let again = self.lines.iter().filter(|other| {
                other.process == line.process && other.event == Event::Ended { run }
            });
            let regained = operations(self.lines).any(|(later, done)| {
                later.process == line.process
                    && later.at >= told
                    && done.operation == Operation::Claim
                    && matches!(done.answer, Answer::Run(_))
            });
            // A node that went on alone, then or later, may have repeated a number, or uses the reply that it has.
            let (_, end) = self.life();
            if again.count() > 1 || regained || self.is_store_away(line.process, line.at, end) {
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

    /// As long as the store answers the nodes and keeps its data, whatever happens to the nodes: the reply is shown or
    /// handed over once, and never both.
    fn is_given_once(&self) -> Result<(), String> {
        let shown = self.shown();
        let late = self.late().count();
        check(shown + late <= 1 || !self.is_store_there(), || {
            format!("shown {shown} times, handed over {late} times")
        })
    }

    /// As long as no node is lost or stands still, either: one run succeeds, and its reply is shown or handed over. It is
    /// shown if the handler needs less than 12 s, WeChat may hang up on the account, and no clock has just been set.
    fn is_served(&self) -> Result<(), String> {
        if !self.is_store_there() || self.is_hit() {
            return Ok(());
        }
        let ended = self.ended().len();
        check(ended == 1, || format!("{ended} runs to the end"))?;
        check(self.shown() + self.late().count() == 1, || {
            "neither shown nor handed over".to_owned()
        })?;
        let (since, until) = self.life();
        let is_misled = self
            .processes()
            .any(|process| self.evidence.is_misled(process, since, until));
        if is_misled || is_of_busy_account(self.told.message) {
            return Ok(());
        }
        self.is_shown_within(12_000)
    }

    /// When all faults are over, whatever the store does then: a quick reply is shown.
    fn is_served_afterwards(&self) -> Result<(), String> {
        if self.told.message < AFTERWARDS {
            return Ok(());
        }
        self.is_shown_within(3_000)
    }

    fn is_shown_within(&self, milliseconds: u64) -> Result<(), String> {
        let Task { thinks, failures } = self.told.task;
        let is_in_time = thinks < milliseconds && failures == 0;
        check(self.shown() == 1 || !is_in_time, || {
            "in time, but not shown".to_owned()
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
}

pub(super) fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// In microseconds, as all times here.
pub(super) const LEASE: u64 = 5_000_000;

/// Redis counts milliseconds.
const TICK: u64 = 2_000;

/// Six seconds, plus the time in which the log is written.
const CAP: u64 = 6_500_000;
