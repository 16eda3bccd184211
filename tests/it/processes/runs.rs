//! Why each run of a message began.

use super::{
    case::Case,
    evidence::{Done, is_failure, operations},
    log::{Answer, Event, Line, Operation},
    node::RUNS,
    verdict::{LEASE, check},
};

/// Why a message that had been run before was run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    AfterFailure,
    AfterLostLease,
    AfterLostData,
    /// The node could not ask the store.
    Alone,
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

impl Case<'_> {
    /// Each run, with the reason why the message was run again, or what is wrong with it. `None` is the first run.
    ///
    /// Either the last run of its node failed. Or the store gave the message to its claim: it had lost the message, or the
    /// claim before had lost its lease, because its node was lost, stood still, or did not reach the store. Or the store did
    /// not answer the node, which then goes on alone.
    pub(super) fn runs(&self) -> Vec<Result<Option<Again>, String>> {
        let begun = self.lines.iter().enumerate();
        let begun = begun.filter_map(|(index, line)| match line.event {
            Event::Begun { run } => Some((index, line, run)),
            _ => None,
        });
        begun
            .enumerate()
            .map(|(earlier, (index, line, run))| {
                let before = &self.lines[..index];
                match reason(before, line.process, run) {
                    Reason::Repeats => Ok(Some(Again::AfterFailure)),
                    Reason::Granted(claim, number) => {
                        check(run == (number - 1) * RUNS + 1, || {
                            format!("claim number {number} begins with run {run}")
                        })?;
                        let why = self.why_granted(before, claim, number)?;
                        // The store did not know of the earlier run.
                        Ok(why.or((earlier > 0).then_some(Again::Alone)))
                    }
                    Reason::NoStore => {
                        let process = line.process;
                        check(self.is_alone(process, line.at), || {
                            format!("node {process} runs it without a reason, as {run}")
                        })?;
                        Ok((earlier > 0).then_some(Again::Alone))
                    }
                }
            })
            .collect()
    }

    /// Why the store gave a message to another claim than before. `None` if it was the first one.
    fn why_granted(
        &self,
        before: &[Line],
        claim: Done<'_>,
        number: u32,
    ) -> Result<Option<Again>, String> {
        let others = || operations(before).filter(|(_, other)| other.id != claim.id);
        let was_given = |done: &Done<'_>| matches!(done.answer, Answer::Run(_) | Answer::Yours);
        let last = others().filter(|(_, done)| was_given(done)).last();
        if number == 1 {
            let Some((_, last)) = last else {
                return Ok(None);
            };
            check(self.evidence.is_forgotten(last.since, claim.until), || {
                "given as new although the store has lost nothing".to_owned()
            })?;
            return Ok(Some(Again::AfterLostData));
        }
        let is_given_back = others().any(|(_, done)| done.operation == Operation::Release);
        // The answer to the claim before may have been lost, too.
        let since = last.map_or(self.told.since, |(_, done)| done.since);
        let mut owners = self
            .processes()
            .filter(|process| last.is_none_or(|(line, _)| line.process == *process));
        let is_lost = owners.any(|process| {
            self.evidence.is_hit(process, since, claim.until)
                || self.is_store_away(process, since, claim.until)
        });
        check(is_lost || is_given_back, || {
            format!("claim number {number} was given although the one before was well")
        })?;
        Ok(Some(Again::AfterLostLease))
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
