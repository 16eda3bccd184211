//! The access tokens, as `stable_token` gives them.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::Refusal;

#[derive(Default)]
pub(in super::super) struct Tokens {
    /// The latest last. The ones before it are valid to their end, or have ended.
    latest: VecDeque<Token>,
    /// The number of tokens ever made.
    made: u64,
    /// When a token was asked for with `force_refresh`, the latest last.
    refreshes: VecDeque<Instant>,
}

struct Token {
    text: String,
    ends_at: Instant,
}

impl Tokens {
    /// Returns the token and the rest of its life in seconds. Makes another one five minutes before its end.
    pub(super) fn stable(&mut self, app_id: &str) -> (String, u64) {
        let now = Instant::now();
        match self.latest.back() {
            Some(token) if token.ends_at > now + OVERLAP => {
                let left = token.ends_at.duration_since(now);
                (token.text.clone(), left.as_secs())
            }
            _ => self.make(app_id),
        }
    }

    /// Ends the token, and makes another one.
    pub(super) fn refresh(&mut self, app_id: &str) -> Result<(String, u64), Refusal> {
        let now = Instant::now();
        let is_past = |at: &Instant| *at + REFRESH_DAY <= now;
        while self.refreshes.front().is_some_and(is_past) {
            self.refreshes.pop_front();
        }
        if self.refreshes.len() >= MAX_REFRESHES {
            return Err(Refusal::DAY_LIMIT);
        }
        let latest = self.refreshes.back();
        if latest.is_some_and(|at| now < *at + REFRESH_PAUSE) {
            return Err(Refusal::MINUTE_LIMIT);
        }
        self.refreshes.push_back(now);
        self.end();
        Ok(self.make(app_id))
    }

    fn make(&mut self, app_id: &str) -> (String, u64) {
        self.made += 1;
        let text = format!("{}_simulated-{app_id}", self.made);
        if self.latest.len() == MAX_TOKENS {
            self.latest.pop_front();
        }
        self.latest.push_back(Token {
            text: text.clone(),
            ends_at: Instant::now() + LIFE,
        });
        (text, LIFE.as_secs())
    }

    /// Ends all tokens now, as another program does that makes a new one.
    pub(super) fn end(&mut self) {
        self.latest.clear();
    }

    pub(super) fn check(&self, text: &str) -> Result<(), Refusal> {
        match self.latest.iter().find(|token| token.text == text) {
            Some(token) if Instant::now() < token.ends_at => Ok(()),
            Some(_) => Err(Refusal::TOKEN_EXPIRED),
            None => Err(Refusal::TOKEN),
        }
    }
}

const LIFE: Duration = Duration::from_hours(2);

/// The time before a token's end in which it and the next one are both valid.
const OVERLAP: Duration = Duration::from_mins(5);

const REFRESH_PAUSE: Duration = Duration::from_secs(30);

const REFRESH_DAY: Duration = Duration::from_hours(24);

/// For each day.
const MAX_REFRESHES: usize = 20;

/// Two are valid at most. WeChat answers 42001 to the others, and 40001 to a token that it does not know.
const MAX_TOKENS: usize = 8;
