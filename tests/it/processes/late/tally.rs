//! What became of the parts of all answers, in numbers.

use std::{collections::HashMap, fmt};

use super::{
    super::{evidence::Evidence, faults::Kind, tally::Findings},
    fate::{Fate, Judge, Lost, Twice, Way},
    users::{Conversation, Setup, What, Written},
};

/// The answers to some users.
struct Row {
    name: &'static str,
    faults: usize,
    messages: usize,
    parts: usize,
    /// In the order of the columns, as the two below.
    shown: [usize; 3],
    lost: [usize; 10],
    twice: [usize; 5],
    /// How often a user has read that an answer failed, and how often more than answers were lost so.
    failures: [usize; 2],
}

/// The judgement over all phases.
pub(super) struct Judgement {
    rows: Vec<Row>,
    setups: [Row; 3],
    broken: Findings,
}

impl Judgement {
    pub(super) fn new() -> Self {
        Self {
            rows: Vec::new(),
            setups: Setup::ALL.map(|setup| Row::new(setup.name())),
            broken: Findings::default(),
        }
    }

    /// Judges and counts the conversations of a phase.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        faults: usize,
        evidence: &Evidence,
        conversations: &[Conversation],
    ) {
        let name = kind.name();
        let mut row = Row::new(name);
        row.faults = evidence.faults(0, u64::MAX).count();
        if row.faults != faults {
            let what = format!("{name}: {} of {faults} faults happened", row.faults);
            self.broken.add(what, &"");
        }
        let mut evicted = evidence.evicted.clone();
        for conversation in conversations {
            let counts = self.judge(name, evidence, conversation, &mut evicted);
            let setup = Setup::ALL.iter().position(|it| *it == conversation.setup);
            self.setups[setup.unwrap()].add(&counts);
            row.add(&counts);
        }
        self.rows.push(row);
    }

    fn judge(
        &mut self,
        name: &'static str,
        evidence: &Evidence,
        conversation: &Conversation,
        evicted: &mut HashMap<String, usize>,
    ) -> Row {
        let setup = conversation.setup.name();
        let mut judge = Judge::of(evidence, conversation);
        let mut counts = Row::new(name);
        let mut failed = 0;
        if !judge.foreign.is_empty() {
            let what = format!("{name}, {setup}: a user sees what is not for them");
            let story = format!("{conversation}{:?}", judge.foreign);
            self.broken.add(what, &story);
        }
        if !conversation.is_empty {
            let what = format!("{name}, {setup}: a user fetches for ever");
            self.broken.add(what, conversation);
        }
        for question in &conversation.written {
            counts.messages += 1;
            let fates = judge.fates(question, evicted);
            for fate in &fates {
                counts.count(*fate);
            }
            failed += usize::from(
                fates
                    .iter()
                    .any(|fate| matches!(fate, Fate::Lost(Lost::Node | Lost::Failed))),
            );
            let mut unexplained = fates.iter().filter_map(|fate| match fate {
                Fate::Lost(Lost::Unexplained) => Some("lost"),
                Fate::Twice(_, Twice::Unexplained) => Some("shown twice"),
                _ => None,
            });
            if let Some(what) = unexplained.next() {
                let what = format!("{name}, {setup}: a part is {what}");
                let story = format!("{}{fates:?}\n{conversation}", judge.case(question));
                self.broken.add(what, &story);
            }
        }
        counts.failures = [judge.failures, judge.failures.saturating_sub(failed)];
        counts
    }

    /// The broken promises, if there are any.
    pub(super) fn broken(&self) -> Option<String> {
        self.broken.in_full()
    }
}

/// A line for each message of the user.
impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written: Vec<_> = self.written.iter().collect();
        written.sort_by_key(|it| it.told.since);
        let first = written.first().map_or(0, |it| it.told.since);
        for Written { what, told } in written {
            let at = (told.since - first) / 1_000;
            let what = match what {
                What::Question(answer) => answer.to_string(),
                What::Bare => "bare".to_owned(),
                What::Unsubscribe => "unsubscribe".to_owned(),
            };
            let (message, shown) = (told.message, told.transcript.shown().to_string());
            writeln!(f, "{at:>8} ms  {message} ({what}) shows {shown:.12}")?;
        }
        for sent in &self.sent {
            writeln!(f, "customer service sends {sent:.12}")?;
        }
        Ok(())
    }
}

impl Row {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            faults: 0,
            messages: 0,
            parts: 0,
            shown: [0; 3],
            lost: [0; 10],
            twice: [0; 5],
            failures: [0; 2],
        }
    }

    fn count(&mut self, fate: Fate) {
        self.parts += 1;
        match fate {
            Fate::Shown(way) => self.shown[way as usize] += 1,
            Fate::Lost(why) => self.lost[why as usize] += 1,
            Fate::Twice(way, why) => {
                self.shown[way as usize] += 1;
                self.twice[why as usize] += 1;
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.parts += other.parts;
        let groups = [
            (&mut self.shown[..], &other.shown[..]),
            (&mut self.lost[..], &other.lost[..]),
            (&mut self.twice[..], &other.twice[..]),
            (&mut self.failures[..], &other.failures[..]),
        ];
        for (own, other) in groups {
            own.iter_mut().zip(other).for_each(|(own, it)| *own += it);
        }
    }
}

/// One line for each row, below a head.
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for row in self.rows.iter().chain(&self.setups) {
            write!(f, "\n{:<20}", row.name)?;
            let groups: [&[usize]; 5] = [
                &[row.faults, row.messages, row.parts],
                &row.shown,
                &row.lost,
                &row.twice,
                &row.failures,
            ];
            for (number, group) in groups.iter().enumerate() {
                f.write_str(if number > 0 { " |" } else { "" })?;
                group.iter().try_for_each(|count| write!(f, "{count:>8}"))?;
            }
        }
        writeln!(f)
    }
}

const HEAD: &str = concat!(
    "                                              | shown                   | lost                                                                            | shown twice                             | the user sees\n",
    "                      faults    msgs   parts  | passive service fetched |  logged unknown not fol unsubsc evicted    data    node  failed    sent       ? |  logged    data    node    away       ? |  failed needless"
);

// The columns are in the order of the variants.
const _: () = assert!(Way::Fetched as usize == 2);
const _: () = assert!(Lost::Unexplained as usize == 9);
const _: () = assert!(Twice::Unexplained as usize == 4);
