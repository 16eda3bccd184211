//! Signs and encrypts requests as WeChat does.

use std::fmt;

use bytes::Bytes;
use memchr::memmem;

use super::{
    Simulator,
    deliver::{Attack, Part},
    unique::number,
};
use crate::{
    account::Mode,
    callback::{self, Signature},
};

/// The parameters that sign a request.
#[derive(Clone)]
pub(super) struct SignedQuery {
    /// `None` for WeCom and cloud hosting.
    signature: Option<Signature>,
    timestamp: String,
    nonce: String,
    /// Only in requests to an encrypted account.
    msg_signature: Option<Signature>,
    /// Whether the first digit of each signature is wrong.
    is_forged: bool,
}

impl SignedQuery {
    fn digits(&self, signature: Signature) -> String {
        let mut digits = signature.to_string();
        if self.is_forged {
            change(&mut digits);
        }
        digits
    }
}

impl fmt::Display for SignedQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            timestamp, nonce, ..
        } = self;
        if self.signature.is_none() && self.msg_signature.is_none() {
            return Ok(());
        }
        if let Some(signature) = self.signature {
            write!(f, "signature={}&", self.digits(signature))?;
        }
        write!(f, "timestamp={timestamp}&nonce={nonce}")?;
        if let Some(signature) = self.msg_signature {
            if self.signature.is_some() {
                f.write_str("&encrypt_type=aes")?;
            }
            write!(f, "&msg_signature={}", self.digits(signature))?;
        }
        Ok(())
    }
}

impl Simulator {
    /// Makes the query that signs a request sent now, without a ciphertext.
    pub(super) fn sign(&self) -> SignedQuery {
        // WeChat's timestamps have ten digits, and receivers check that. So pads with zeros if the clock is near the
        // epoch.
        let timestamp = format!("{:010}", self.now().as_secs());
        // So have nonces.
        let nonce = (FIRST_NONCE + number() % NONCES).to_string();
        let current = self.account().tokens().first();
        SignedQuery {
            signature: current
                .filter(|_| !self.account().is_wecom())
                .map(|token| Signature::sign(token, [&*timestamp, &nonce])),
            timestamp,
            nonce,
            msg_signature: None,
            is_forged: false,
        }
    }

    /// Makes the query and the body that deliver `plaintext`, changed by the `attack` if there is one.
    pub(super) fn wrap(
        &self,
        mut query: SignedQuery,
        mut plaintext: Bytes,
        attack: Option<Attack>,
    ) -> (SignedQuery, Bytes) {
        let mut encrypt = match attack {
            Some(Attack::Downgrade) => None,
            _ => self.encrypt(&mut query, &plaintext),
        };
        match (attack, &mut encrypt) {
            (None | Some(Attack::Downgrade), _) => {}
            (Some(Attack::Forge), _) => query.is_forged = true,
            (Some(Attack::Tamper(Part::Timestamp)), _) => change(&mut query.timestamp),
            (Some(Attack::Tamper(Part::Nonce)), _) => change(&mut query.nonce),
            (Some(Attack::Tamper(Part::Body)), Some(encrypt)) => change(encrypt),
            (Some(Attack::Tamper(Part::Body)), None) => {
                plaintext = [&plaintext, b"\n".as_slice()].concat().into();
            }
        }
        let Some(encrypt) = encrypt else {
            return (query, plaintext);
        };
        if self.account().mode() == Mode::SmartBot {
            return (query, format!(r#"{{"encrypt":"{encrypt}"}}"#).into());
        }
        let is_json = plaintext.trim_ascii_start().starts_with(b"{");
        let (field, end) = if is_json {
            (format!(r#","Encrypt":"{encrypt}""#), "}")
        } else {
            let field = format!("<Encrypt><![CDATA[{encrypt}]]></Encrypt>\n");
            (field, "</xml>")
        };
        let original_id = self.original_id();
        let fields = if self.is_compatible() {
            plaintext
        } else if is_json {
            format!(r#"{{"ToUserName":"{original_id}"}}"#).into()
        } else {
            format!("<xml>\n<ToUserName><![CDATA[{original_id}]]></ToUserName>\n</xml>").into()
        };
        // Behind the other fields. These stand as they are, however a user's text may look.
        let end = memmem::rfind(&fields, end.as_bytes()).unwrap_or(fields.len());
        let (fields, end) = fields.split_at(end);
        (query, [fields, field.as_bytes(), end].concat().into())
    }

    /// Encrypts and signs `plaintext`, if the account has a key.
    pub(super) fn encrypt(&self, query: &mut SignedQuery, plaintext: &[u8]) -> Option<String> {
        let signed = [&*query.timestamp, &*query.nonce];
        let random = u128::from(number()).to_be_bytes();
        let (encrypt, msg_signature) =
            callback::seal_as(self.account(), random, signed, plaintext)?;
        query.msg_signature = Some(msg_signature);
        Some(encrypt)
    }
}

/// Replaces the first character with a different one that is also valid there.
fn change(text: &mut String) {
    let other = if text.starts_with('1') { "2" } else { "1" };
    text.replace_range(..1, other);
}

const FIRST_NONCE: u64 = 1_000_000_000;
const NONCES: u64 = 9_000_000_000;
