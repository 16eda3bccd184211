//! The access tokens, as `stable_token` and `token` give them.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::Refusal;

#[derive(Default)]
pub(in super::super) struct Tokens {
    /// Those of `stable_token`, the latest last. The ones before it are valid to their end, or have ended.
    stable: VecDeque<Token>,
    /// Those of `token`, the latest last. Neither call affects the tokens of the other.
    plain: VecDeque<Token>,
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
    /// Returns the token of `stable_token`, and the rest of its life in seconds. Makes another one five minutes before its end.
    pub(super) fn stable(&mut self, app_id: &str) -> (String, u64) {
        let now = Instant::now();
        match self.stable.back() {
            Some(token) if token.ends_at > now + OVERLAP => {
                let left = token.ends_at.duration_since(now);
                (token.text.clone(), left.as_secs())
            }
            _ => make(&mut self.made, &mut self.stable, app_id),
        }
    }

    /// Makes another token for `token`. The former one is valid for five minutes more.
    pub(super) fn plain(&mut self, app_id: &str) -> (String, u64) {
        let last = Instant::now() + OVERLAP;
        for token in &mut self.plain {
            token.ends_at = token.ends_at.min(last);
        }
        make(&mut self.made, &mut self.plain, app_id)
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
        self.stable.clear();
        Ok(make(&mut self.made, &mut self.stable, app_id))
    }

    /// Ends all tokens now, as another program does that makes a new one.
    pub(super) fn end(&mut self) {
        self.stable.clear();
        self.plain.clear();
    }

    pub(super) fn check(&self, text: &str) -> Result<(), Refusal> {
        let mut all = self.stable.iter().chain(&self.plain);
        match all.find(|token| token.text == text) {
            Some(token) if Instant::now() < token.ends_at => Ok(()),
            Some(_) => Err(Refusal::TOKEN_EXPIRED),
            None => Err(Refusal::TOKEN),
        }
    }
}

/// Makes the token with the next number.
fn make(made: &mut u64, tokens: &mut VecDeque<Token>, app_id: &str) -> (String, u64) {
    *made += 1;
    let text = format!("{made}_simulated-{app_id}");
    if tokens.len() == MAX_TOKENS {
        tokens.pop_front();
    }
    tokens.push_back(Token {
        text: text.clone(),
        ends_at: Instant::now() + LIFE,
    });
    (text, LIFE.as_secs())
}

const LIFE: Duration = Duration::from_hours(2);

/// The time before a token's end in which it and the next one are both valid.
const OVERLAP: Duration = Duration::from_mins(5);

const REFRESH_PAUSE: Duration = Duration::from_secs(30);

const REFRESH_DAY: Duration = Duration::from_hours(24);

/// For each day.
const MAX_REFRESHES: usize = 20;

/// Of each call. WeChat answers 42001 to the others, and 40001 to a token that it does not know.
const MAX_TOKENS: usize = 8;
