//! The envelope on the wire.

use std::borrow::Cow;

use serde::Deserialize;

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

    /// Random digits.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The reply as a document: `Encrypt`, `MsgSignature`, `TimeStamp`, `Nonce`.
    pub fn to_xml(&self) -> String {
        let Self {
            encrypt,
            msg_signature,
            timestamp,
            nonce,
        } = self;
        // None of the parts has a character that XML would escape, and none that ends a section.
        format!(
            "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt>\
             <MsgSignature><![CDATA[{msg_signature}]]></MsgSignature>\
             <TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
        )
    }

    /// The same in JSON, for an account whose pushes are in JSON.
    pub fn to_json(&self) -> String {
        let Self {
            encrypt,
            msg_signature,
            timestamp,
            nonce,
        } = self;
        // Nor one that JSON would.
        format!(
            r#"{{"Encrypt":"{encrypt}","MsgSignature":"{msg_signature}","TimeStamp":{timestamp},"Nonce":"{nonce}"}}"#
        )
    }

    pub(crate) fn to_document(&self, format: Format) -> String {
        match format {
            Format::Xml => self.to_xml(),
            Format::Json => self.to_json(),
        }
    }
}
