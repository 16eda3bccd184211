//! What a question asks for, and how its answer is known again part by part.

use std::{fmt, time::Duration};

use tower_wechat::Reply;

use super::super::random::Random;

/// The answer to a question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    message: u64,
    pub(super) thinks: Duration,
    /// How many runs fail first.
    pub(super) failures: u64,
    /// How many messages it is.
    pub(super) parts: usize,
    /// Whether it is several replies, and no long text.
    is_several: bool,
}

impl Answer {
    /// Picks one: a third is late for every delivery, and a third is more than one message.
    pub(super) fn pick(message: u64, random: &mut Random) -> Self {
        let thinks = match random.below(20) {
            0..7 => 0..300,
            7..10 => 1_000..4_200,
            10..12 => 5_000..9_000,
            12..14 => 10_000..13_000,
            _ => 15_000..18_000,
        };
        let thinks = random.milliseconds(thinks);
        let fails = random.below(12) == 0 && thinks < Duration::from_secs(5);
        Self {
            message,
            thinks,
            failures: fails.into(),
            parts: [1, 1, 1, 1, 2, 4][random.below(6)],
            is_several: random.below(2) == 0,
        }
    }

    /// The answer that a message asks for with its text.
    pub(super) fn asked_for(message: u64, text: &str) -> Self {
        let mut words = text.split(' ').map(str::parse);
        let mut word = || words.next().and_then(Result::ok);
        // A bare word that has nothing to fetch.
        let (Some(thinks), Some(failures)) = (word(), word()) else {
            return Self::of_bare(message);
        };
        Self {
            message,
            thinks: Duration::from_millis(thinks),
            failures,
            parts: word().unwrap().try_into().unwrap(),
            is_several: word() == Some(1),
        }
    }

    /// The answer to a bare word that has nothing to fetch.
    pub(super) fn of_bare(message: u64) -> Self {
        Self {
            message,
            thinks: Duration::ZERO,
            failures: 0,
            parts: 1,
            is_several: false,
        }
    }

    pub(super) fn reply(&self) -> Reply {
        let parts = (0..self.parts).map(|number| {
            // Two of them are too long for one message.
            let width = if self.parts > 1 { 1_500 } else { 0 };
            format!("{}.{number} {:-<width$}", self.message, "")
        });
        let parts: Vec<_> = parts.collect();
        if !self.is_several {
            return Reply::text(parts.join("\n"));
        }
        let replies = parts.into_iter().map(Reply::text);
        replies.reduce(Reply::then).unwrap()
    }
}

/// The text that asks for the answer.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            thinks,
            failures,
            parts,
            is_several,
            ..
        } = self;
        let (thinks, is_several) = (thinks.as_millis(), u8::from(*is_several));
        write!(f, "{thinks} {failures} {parts} {is_several}")
    }
}

/// The parts that a text of the account shows, each as a message and a number. `None`: it is none of a bot.
pub(super) fn parts_of(text: &str) -> Option<Vec<(u64, usize)>> {
    if text == WAIT || text == FAILED {
        return Some(Vec::new());
    }
    text.lines()
        .map(|line| {
            let (message, rest) = line.split_once('.')?;
            let number = rest.split([' ', '…']).next()?;
            Some((message.parse().ok()?, number.parse().ok()?))
        })
        .collect()
}

pub(super) const WAIT: &str = "please wait";
pub(super) const FAILED: &str = "it failed";
/// It only fetches.
pub(super) const WORD: &str = "继续";
