//! The envelope on the wire.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    error::{Error, ErrorKind},
    json,
};
use crate::{signature::Signature, xml};

/// What an envelope is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    Xml,
    Json,
}

/// What is read of an envelope: its ciphertext alone. In compatible mode the plaintext stands beside it,
/// and nobody has signed that.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) encrypt: Cow<'a, str>,
}

impl<'a> Envelope<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<(Self, Format), Error> {
        let (envelope, format) = match body.trim_ascii_start() {
            [b'{', ..] => (json::read(body), Format::Json),
            _ => (xml::from_slice(body).ok(), Format::Xml),
        };
        let envelope = envelope.ok_or(Error::new(ErrorKind::Document))?;
        Ok((envelope, format))
    }
}

/// A sealed message: ciphertext, and the signature over it.
#[derive(Debug, Clone)]
pub struct Sealed {
    encrypt: String,
    msg_signature: Signature,
    timestamp: u64,
    nonce: String,
}

impl Sealed {
    pub(super) fn new(
        encrypt: String,
        msg_signature: Signature,
        timestamp: u64,
        nonce: String,
    ) -> Self {
        Self {
            encrypt,
            msg_signature,
            timestamp,
            nonce,
        }
    }

    /// The ciphertext, in base64.
    pub fn encrypt(&self) -> &str {
        &self.encrypt
    }

    /// The signature of the token, the timestamp, the nonce and the ciphertext.
    pub fn msg_signature(&self) -> Signature {
        self.msg_signature
    }

    /// When it was sealed, in seconds since the Unix epoch.
    pub fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// A random number.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The reply as a document: `Encrypt`, `MsgSignature`, `TimeStamp`, `Nonce`.
    pub fn to_xml(&self) -> String {
        // Strings and a number are what the format can write.
        xml::to_string(&self.document()).unwrap_or_default()
    }

    /// The same in JSON, for an account whose pushes are in JSON.
    pub fn to_json(&self) -> String {
        // None of the parts has a character that JSON would escape.
        let Document {
            encrypt,
            msg_signature,
            time_stamp,
            nonce,
        } = self.document();
        format!(
            r#"{{"Encrypt":"{encrypt}","MsgSignature":"{msg_signature}","TimeStamp":{time_stamp},"Nonce":"{nonce}"}}"#
        )
    }

    pub(crate) fn to_document(&self, format: Format) -> String {
        match format {
            Format::Xml => self.to_xml(),
            Format::Json => self.to_json(),
        }
    }

    fn document(&self) -> Document<'_> {
        Document {
            encrypt: &self.encrypt,
            msg_signature: self.msg_signature.to_string(),
            time_stamp: self.timestamp,
            nonce: &self.nonce,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    encrypt: &'a str,
    msg_signature: String,
    time_stamp: u64,
    nonce: &'a str,
}
