//! What happened to the messages of a phase, in numbers, and which numbers are too high.

use std::{collections::BTreeMap, fmt};

use super::{
    case::Case,
    evidence::Evidence,
    faults::Kind,
    runs::Again,
    traffic::{AFTERWARDS, RECOVERING, Told},
    verdict::Verdict,
};

/// The messages of a phase, or of all phases after their faults.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// `None` for the messages that were sent when all faults were over.
    kind: Option<Kind>,
    faults: usize,
    messages: usize,
    deliveries: usize,
    runs: usize,
    after_failures: usize,
    after_lost_leases: usize,
    after_lost_data: usize,
    alone: usize,
    unexplained: usize,
    never_run: usize,
    lost: usize,
    lost_with_node: usize,
    shown_and_handed_over: usize,
    handed_over_twice: usize,
    /// Of those, how many no node has counted.
    uncounted: usize,
    faults_shown: usize,
    /// Messages that broke a promise of time on a machine that had none.
    starved: usize,
}

/// The judgement over all phases.
pub(super) struct Judgement {
    rows: Vec<Row>,
    after: Row,
    broken: Findings,
    /// Promises of time that were broken while the machine had no time for a node, or for WeChat.
    excused: Findings,
}

/// What was found, each with the messages that show it.
#[derive(Default)]
pub(super) struct Findings(BTreeMap<String, Vec<String>>);

impl Judgement {
    pub(super) fn new() -> Self {
        Self {
            rows: Vec::new(),
            after: Row::default(),
            broken: Findings::default(),
            excused: Findings::default(),
        }
    }

    /// Judges and counts the messages of a phase.
    pub(super) fn add(&mut self, kind: Kind, faults: usize, evidence: &Evidence, told: &[Told]) {
        let name = kind.name();
        let mut row = Row {
            kind: Some(kind),
            faults: evidence.faults(0, u64::MAX).count(),
            ..Row::default()
        };
        let mut twice = Findings::default();
        for told in told {
            let case = Case::of(evidence, told);
            let Verdict { mut timely, always } = Verdict::of(&case);
            let given = case.shown() + case.handed_over();
            if given > 1 {
                let what = format!("given {given} times");
                if row.share_given_twice().is_some() {
                    twice.add(format!("{name}: {what}"), &case);
                } else {
                    timely.push(what);
                }
            }
            let is_excused = !timely.is_empty() && case.is_starved();
            for what in always {
                self.broken.add(format!("{name}: {what}"), &case);
            }
            for what in timely {
                let findings = if is_excused {
                    &mut self.excused
                } else {
                    &mut self.broken
                };
                findings.add(format!("{name}: {what}"), &case);
            }
            let row = match told.message {
                ..RECOVERING => &mut row,
                AFTERWARDS.. => &mut self.after,
                _ => continue,
            };
            row.starved += usize::from(is_excused);
            row.count(&case);
        }
        if let Err(what) = row.is_within() {
            self.broken.0.insert(format!("{name}: {what}"), Vec::new());
            self.broken.0.append(&mut twice.0);
        }
        for node in &evidence.lonely {
            let what = format!("{name}: node {node} stays without the store");
            self.broken.0.insert(what, Vec::new());
        }
        if row.faults != faults {
            let what = format!("{name}: {} of {faults} faults happened", row.faults);
            self.broken.0.insert(what, Vec::new());
        }
        self.rows.push(row);
    }

    /// The broken promises, if there are any.
    pub(super) fn broken(&mut self) -> Option<String> {
        if let Err(what) = self.after.has_time() {
            let what = format!("{}: {what}", self.after.name());
            self.broken.0.insert(what, Vec::new());
        }
        self.broken.in_full()
    }
}

impl Row {
    fn name(&self) -> &'static str {
        self.kind.map_or("after the faults", Kind::name)
    }

    fn count(&mut self, case: &Case<'_>) {
        self.messages += 1;
        self.deliveries += case.told.transcript.deliveries().len();
        for run in case.runs() {
            self.runs += 1;
            match run {
                Ok(None) => {}
                Ok(Some(Again::AfterFailure)) => self.after_failures += 1,
                Ok(Some(Again::AfterLostLease)) => self.after_lost_leases += 1,
                Ok(Some(Again::AfterLostData)) => self.after_lost_data += 1,
                Ok(Some(Again::Alone)) => self.alone += 1,
                Err(_) => self.unexplained += 1,
            }
        }
        self.never_run += usize::from(!case.is_run());
        if case.is_unheard() {
            if case.is_lost_with_node() {
                self.lost_with_node += 1;
            } else {
                self.lost += 1;
            }
        }
        let (shown, handed_over) = (case.shown(), case.handed_over());
        self.shown_and_handed_over += usize::from(shown > 0 && handed_over > 0);
        self.handed_over_twice += usize::from(handed_over > 1);
        let is_uncounted = shown + handed_over > 1 && !case.is_counted();
        self.uncounted += usize::from(is_uncounted);
        self.faults_shown += usize::from(case.is_fault_shown());
    }

    /// How many replies may be both shown and handed over, and how many may be handed over twice.
    fn limits(&self) -> Option<(usize, usize)> {
        let (both, hooks) = self.share_given_twice()?;
        Some((limit(both, self.messages), limit(hooks, self.messages)))
    }

    /// Which share of the replies may be both shown and handed over, and which may be handed over twice: while the store is
    /// away, no node can know what another one does. The shares are a fifth of those that an earlier version was measured
    /// with. `None` where the store answers and keeps its data, so that none may be.
    fn share_given_twice(&self) -> Option<(f64, f64)> {
        let fifth = |both, hooks, messages: f64| (both / messages / 5.0, hooks / messages / 5.0);
        Some(match self.kind? {
            Kind::Kill | Kind::Stop | Kind::Skew => return None,
            Kind::RedisStop => fifth(54.0, 117.0, 1460.0),
            Kind::Pause => fifth(42.0, 40.0, 1456.0),
            Kind::Restart | Kind::Flush => fifth(23.0, 65.0, 1439.0),
            Kind::RestartKept => fifth(48.0, 54.0, 1462.0),
            Kind::Evict => fifth(26.0, 15.0, 1477.0),
            Kind::Drop | Kind::Delay => fifth(27.0, 8.0, 1510.0),
            Kind::Mixed => fifth(46.0, 12.0, 1228.0),
        })
    }

    /// Whether no more replies are given twice than the kind of fault allows, and the machine had time for the phase.
    fn is_within(&self) -> Result<(), String> {
        let (both, hooks) = self.limits().unwrap_or((usize::MAX, usize::MAX));
        let counts = [
            ("shown and handed over", self.shown_and_handed_over, both),
            ("handed over twice", self.handed_over_twice, hooks),
        ];
        for (what, count, limit) in counts {
            if count > limit {
                return Err(format!("{count} replies are {what}, {limit} may be"));
            }
        }
        self.has_time()
    }

    /// Whether the machine had time for the phase: few excuses are needed.
    fn has_time(&self) -> Result<(), String> {
        let starved = self.starved;
        if starved > 2 + self.messages / 100 {
            return Err(format!(
                "{starved} messages starved: the machine is too busy"
            ));
        }
        Ok(())
    }
}

/// How many of the messages may be this `share`. Of a few messages, chance makes it more: three standard deviations.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of messages"
)]
fn limit(share: f64, messages: usize) -> usize {
    let mean = share * f64::from(u32::try_from(messages).unwrap());
    let chance = if messages < 1_000 {
        3.0 * mean.sqrt()
    } else {
        0.0
    };
    (mean + chance) as usize
}

impl Findings {
    pub(super) fn add(&mut self, what: String, case: &impl ToString) {
        self.0.entry(what).or_default().push(case.to_string());
    }

    /// `None` if nothing was found.
    pub(super) fn in_full(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.to_string())
    }

    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut findings = self.0.iter();
        findings.try_for_each(|(what, messages)| writeln!(f, "{:>6} {what}", messages.len()))
    }
}

/// The first messages of each in full.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, messages) in &self.0 {
            writeln!(f, "\n{what} ({} messages)", messages.len())?;
            for message in messages.iter().take(SHOWN) {
                writeln!(f, "{message}")?;
            }
        }
        writeln!(f, "\nIn short:")?;
        self.summary(f)
    }
}

/// One line for each row, below a head.
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for row in self.rows.iter().chain([&self.after]) {
            write!(f, "\n{:<20}", row.name())?;
            let (both, hooks) = row.limits().unwrap_or_default();
            let groups: [&[usize]; 5] = [
                &[row.faults, row.messages, row.deliveries, row.runs],
                &[
                    row.after_failures,
                    row.after_lost_leases,
                    row.after_lost_data,
                    row.alone,
                    row.unexplained,
                ],
                &[row.never_run, row.lost, row.lost_with_node],
                &[
                    row.shown_and_handed_over,
                    both,
                    row.handed_over_twice,
                    hooks,
                    row.uncounted,
                ],
                &[row.faults_shown, row.starved],
            ];
            for (number, group) in groups.iter().enumerate() {
                f.write_str(if number > 0 { " |" } else { "" })?;
                group.iter().try_for_each(|count| write!(f, "{count:>8}"))?;
            }
        }
        writeln!(f)?;
        if !self.excused.0.is_empty() {
            writeln!(f, "Broken by messages that starved:")?;
        }
        self.excused.summary(f)
    }
}

const HEAD: &str = concat!(
    "                                                     | run again after                         | lost                    | given twice                              | the user sees\n",
    "                      faults    msgs   sends    runs | failure   lease    data   alone       ? |  no run   reply  w.node | by hook  may be 2 hooks  may be unnoted |   fault starved"
);

/// Of each promise.
const SHOWN: usize = 3;
