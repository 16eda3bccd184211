//! Which account's name becomes a label and a field: one that a stranger cannot choose.
//!
//! - If a layer has one account, the developer has chosen its name. The name is always used.
//! - If a layer picks the account by the request's head, the name may come from the path, which anyone can write. The
//!   name is used after a valid signature.
//! - An authorizer's original id may come from the path too, and all authorizers share a token. The original id is used
//!   after the message has been opened. Before that, the component's name is used.

use std::sync::Arc;

use super::spans;
use crate::account::{Account, Mode};

#[derive(Default)]
pub(super) struct Sender {
    account: Option<Account>,
    is_picked: bool,
    proven: Proven,
    /// Whether the span already has the account.
    is_recorded: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Proven {
    #[default]
    Nothing,
    /// A signature is valid: the request is from WeChat, or a copy of one from WeChat.
    Signature,
    /// The message has been opened, and is for the account.
    Message,
}

impl Sender {
    pub(super) fn new(account: Account, is_picked: bool) -> Self {
        Self {
            account: Some(account),
            is_picked,
            ..Self::default()
        }
    }

    pub(super) fn record_signature(&mut self) {
        self.proven = Proven::Signature;
    }

    pub(super) fn record_verified_message(&mut self) {
        self.proven = Proven::Message;
    }

    /// Returns the account's name, if it may be a label.
    pub(super) fn label(&self) -> Option<Arc<str>> {
        let account = self.account.as_ref()?;
        match self.proven {
            Proven::Nothing if self.is_picked => None,
            Proven::Signature if self.is_picked => Some(account.signed_name()),
            _ => Some(account.shared_name()),
        }
    }

    /// Returns whether the verification of the URL checks every setting of the account. An Official Account's checks the
    /// token alone.
    pub(super) fn url_checks_all(&self) -> bool {
        self.account.as_ref().is_none_or(|account| {
            matches!(
                account.mode(),
                Mode::Plain | Mode::WeCom | Mode::CloudHosting
            )
        })
    }

    /// Records the label in the span, at most once.
    pub(super) fn record_account(&mut self, span: &spans::DeliverySpan) {
        if !self.is_recorded
            && let Some(account) = self.label()
        {
            span.is_for(&account);
            self.is_recorded = true;
        }
    }
}
