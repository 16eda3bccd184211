//! Who a request seems to come from, and how much of that is proven.
//!
//! This decides what a stranger can make the crate tell. An account's name becomes a label and a field only where no
//! stranger can choose it:
//!
//! - The only account of a layer is named by its developer.
//! - An account that was picked by the request's head may be named by its path, which anyone can write. Its name counts
//!   once a signature holds.
//! - An authorizer's original id may come from the path, too, and all authorizers share a token. It counts once its
//!   message has been opened; before, the component's name does.
//!
//! A rejection is worth a warning once a signature holds.

use std::sync::Arc;

use super::spans;
use crate::account::Account;

#[derive(Default)]
pub(super) struct Sender {
    account: Option<Account>,
    is_picked: bool,
    proven: Proven,
    /// Whether the span has the account.
    is_recorded: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Proven {
    #[default]
    Nothing,
    /// A signature holds: the request comes from WeChat, or is a copy of one that does.
    Signature,
    /// The message is the account's.
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

    /// WeCom's queries carry no signature of their own.
    pub(super) fn query_is_verified(&mut self) {
        if !self.is_wecom() {
            self.signature_holds();
        }
    }

    pub(super) fn signature_holds(&mut self) {
        self.proven = Proven::Signature;
    }

    pub(super) fn message_is_verified(&mut self) {
        self.proven = Proven::Message;
    }

    /// The account's name, if it may be a label.
    pub(super) fn label(&self) -> Option<Arc<str>> {
        let account = self.account.as_ref()?;
        match self.proven {
            Proven::Nothing if self.is_picked => None,
            Proven::Signature if self.is_picked => Some(account.signed_name()),
            _ => Some(account.shared_name()),
        }
    }

    /// Records the label in the span, once.
    pub(super) fn record_account(&mut self, span: &spans::Delivery) {
        if !self.is_recorded
            && let Some(account) = self.label()
        {
            span.is_for(&account);
            self.is_recorded = true;
        }
    }

    fn is_wecom(&self) -> bool {
        self.account.as_ref().is_some_and(Account::is_wecom)
    }
}
