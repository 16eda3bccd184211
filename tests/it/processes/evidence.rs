//! The log, arranged for the questions of the verdict.

use std::collections::HashMap;

use super::log::{Answer, Event, Line, Operation};

/// Everything that happened.
#[derive(Default)]
pub(super) struct Evidence {
    /// The lines of each message, by its key.
    messages: HashMap<String, Vec<Line>>,
    keys: HashMap<u64, String>,
    /// When a node may have left the store alone.
    left_alone: HashMap<u32, Vec<(u64, u64)>>,
    killed: HashMap<u32, u64>,
    stopped: HashMap<u32, Vec<(u64, u64)>>,
    /// When the machine gave a process no time to run.
    starved: HashMap<u32, Vec<(u64, u64)>>,
    /// From the time when a node's clock was set until it knew.
    misled: HashMap<u32, Vec<(u64, u64)>>,
    /// When Redis may have lost data.
    forgotten: Vec<(u64, u64)>,
    /// The faults, as they are written in the log.
    faults: Vec<Line>,
    /// How many parts full mailboxes have dropped, for each account.
    pub(super) evicted: HashMap<String, usize>,
    /// The nodes that did not find back to the store.
    pub(super) lonely: Vec<u32>,
}

/// An operation whose answer the node got.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done<'a> {
    pub(super) operation: Operation,
    /// Of the claim.
    pub(super) id: &'a str,
    pub(super) since: u64,
    pub(super) until: u64,
    pub(super) answer: Answer,
}

impl Evidence {
    pub(super) fn of(lines: Vec<Line>) -> Self {
        let mut evidence = Self::default();
        let mut failures = HashMap::<u32, u32>::new();
        let mut doubts = HashMap::<u32, u32>::new();
        for line in lines {
            let (at, process) = (line.at, line.process);
            match &line.event {
                Event::Killed => {
                    evidence.killed.insert(process, at);
                }
                Event::Stopped => {
                    let stops = evidence.stopped.entry(process).or_default();
                    stops.push((at, u64::MAX));
                }
                Event::Continued => {
                    let stops = evidence.stopped.entry(process).or_default();
                    let stop = stops
                        .iter_mut()
                        .find(|(_, continued)| *continued == u64::MAX);
                    stop.unwrap().1 = at;
                }
                Event::Starved(lag) => {
                    let starved = evidence.starved.entry(process).or_default();
                    starved.push((at - lag, at));
                }
                Event::StaysAlone => evidence.lonely.push(process),
                Event::Fault(fault) => {
                    if fault.starts_with("Skew") {
                        let misled = evidence.misled.entry(process).or_default();
                        misled.push((at, u64::MAX));
                        doubts.insert(process, DOUBTED);
                    }
                    evidence.faults.push(line.clone());
                }
                Event::Evicted { account, parts } => {
                    *evidence.evicted.entry(account.clone()).or_default() += parts;
                }
                Event::Forgetting => evidence.forgotten.push((at, u64::MAX)),
                Event::Forgot => evidence.forgotten.last_mut().unwrap().1 = at,
                Event::Store { .. } => {
                    let failures = failures.entry(process).or_default();
                    let pauses = evidence.left_alone.entry(process).or_default();
                    if is_failure(&line) {
                        *failures += 1;
                        if *failures >= FAILURES {
                            // The pause begins anew with each.
                            match pauses.last_mut() {
                                Some((_, ended)) if *ended >= at => *ended = at + PAUSE,
                                _ => pauses.push((at, at + PAUSE)),
                            }
                        }
                    } else {
                        *failures = 0;
                        if let Some((_, ended)) = pauses.last_mut() {
                            *ended = (at + MOMENT).min(*ended);
                        }
                    }
                }
                Event::Arrived { message, .. } => {
                    let message = u64::from(*message);
                    let known = evidence.keys.insert(message, line.key.clone());
                    if known.is_none()
                        && let Some(doubted) = doubts.get_mut(&process)
                    {
                        *doubted -= 1;
                        if *doubted == 0 {
                            doubts.remove(&process);
                            let misled = evidence.misled.get_mut(&process).unwrap();
                            misled.last_mut().unwrap().1 = at;
                        }
                    }
                }
                _ => {}
            }
            if !line.key.is_empty() {
                let lines = evidence.messages.entry(line.key.clone()).or_default();
                lines.push(line);
            }
        }
        evidence
    }

    /// The lines of a message.
    pub(super) fn lines(&self, message: u64) -> &[Line] {
        let key = self.keys.get(&message);
        let lines = key.and_then(|key| self.messages.get(key));
        lines.map_or(&[], Vec::as_slice)
    }

    /// When the node was killed.
    pub(super) fn killed(&self, process: u32) -> Option<u64> {
        self.killed.get(&process).copied()
    }

    /// Whether the node was killed or stood still between `since` and `until`.
    pub(super) fn is_hit(&self, process: u32, since: u64, until: u64) -> bool {
        self.killed(process).is_some_and(|at| at <= until)
            || overlaps(self.stopped.get(&process), since, until)
    }

    /// Whether the machine had no time for the node between `since` and `until`, or for this test, which is WeChat.
    pub(super) fn is_starved(&self, process: u32, since: u64, until: u64) -> bool {
        [process, ALL_NODES]
            .iter()
            .any(|it| overlaps(self.starved.get(it), since, until))
    }

    /// Whether a message that came to the node between `since` and `until` was one of the first after its clock was set.
    pub(super) fn is_misled(&self, process: u32, since: u64, until: u64) -> bool {
        overlaps(self.misled.get(&process), since, until)
    }

    /// The faults that began between `since` and `until`.
    pub(super) fn faults(&self, since: u64, until: u64) -> impl Iterator<Item = &Line> {
        let faults = self.faults.iter();
        faults.filter(move |line| (since..=until).contains(&line.at))
    }

    /// Whether the node may have left the store alone between `since` and `until`.
    pub(super) fn is_left_alone(&self, process: u32, since: u64, until: u64) -> bool {
        overlaps(self.left_alone.get(&process), since, until)
    }

    /// Whether Redis may have lost data between `since` and `until`.
    pub(super) fn is_forgotten(&self, since: u64, until: u64) -> bool {
        overlaps(Some(&self.forgotten), since, until)
    }
}

fn overlaps(times: Option<&Vec<(u64, u64)>>, since: u64, until: u64) -> bool {
    let mut times = times.into_iter().flatten();
    times.any(|&(begun, ended)| begun <= until && since <= ended)
}

/// The operations of the store in `lines`, with their lines.
pub(super) fn operations(lines: &[Line]) -> impl Iterator<Item = (&Line, Done<'_>)> {
    lines.iter().filter_map(|line| match &line.event {
        Event::Store {
            operation,
            id,
            since,
            answer,
        } => Some((
            line,
            Done {
                operation: *operation,
                id,
                since: *since,
                until: line.at,
                answer: *answer,
            },
        )),
        _ => None,
    })
}

/// Whether the store did not answer.
pub(super) fn is_failure(line: &Line) -> bool {
    matches!(
        line.event,
        Event::Store {
            answer: Answer::Error | Answer::Silent,
            ..
        }
    )
}

/// The process number of events that concern all nodes.
pub(super) const ALL_NODES: u32 = 0;

/// A node knows that its clock is wrong when the first deliveries of as many messages in a row look old.
const DOUBTED: u32 = 5;

/// A node leaves the store alone after three failures in a row, which it may count in another order.
const FAILURES: u32 = 2;

/// A second, plus the delay of a busy machine. It ends earlier if the store answers.
const PAUSE: u64 = 1_500_000;

/// Between an answer in the log and the node's reaction to it.
const MOMENT: u64 = 50_000;
