//! The envelope on the wire, inbound and outbound.

use std::borrow::Cow;

use serde::Deserialize;

use crate::{
    callback::{
        error::{Error, ErrorKind},
        signature::Signature,
    },
    timestamp::Timestamp,
    xml,
};

/// The format of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Format {
    Xml,
    #[cfg(feature = "json")]
    Json,
}

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Xml => "application/xml",
            #[cfg(feature = "json")]
            Self::Json => "application/json",
        }
    }
}

/// An inbound envelope. Only the ciphertext is read: in compatible mode the plaintext stands beside it, and that is not
/// signed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) encrypt: Cow<'a, str>,
}

impl<'a> Envelope<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<(Self, Format), Error> {
        let (envelope, format) = match body.trim_ascii_start() {
            #[cfg(feature = "json")]
            [b'{', ..] => (serde_json::from_slice(body).ok(), Format::Json),
            _ => (xml::from_slice(body).ok(), Format::Xml),
        };
        let envelope = envelope.ok_or(Error::new(ErrorKind::Document))?;
        Ok((envelope, format))
    }
}

/// An outbound envelope: the ciphertext and its signature.
#[derive(Debug, Clone)]
pub struct Sealed {
    encrypt: String,
    msg_signature: Signature,
    timestamp: Timestamp,
    nonce: String,
}

impl Sealed {
    pub(super) fn new(
        encrypt: String,
        msg_signature: Signature,
        timestamp: Timestamp,
        nonce: String,
    ) -> Self {
        Self {
            encrypt,
            msg_signature,
            timestamp,
            nonce,
        }
    }

    /// Returns the ciphertext in base64.
    pub fn encrypt(&self) -> &str {
        &self.encrypt
    }

    /// Returns the signature of token, timestamp, nonce and ciphertext.
    pub fn msg_signature(&self) -> Signature {
        self.msg_signature
    }

    /// Returns the time of sealing.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Returns the nonce: random digits behind `0000`.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Writes the envelope in XML: `Encrypt`, `MsgSignature`, `TimeStamp`, `Nonce`.
    pub fn to_xml(&self) -> String {
        let Self {
            encrypt,
            msg_signature,
            timestamp,
            nonce,
        } = self;
        // No part has a character that XML escapes or that ends a section.
        format!(
            "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt>\
             <MsgSignature><![CDATA[{msg_signature}]]></MsgSignature>\
             <TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
        )
    }

    /// Writes the envelope in JSON, for an account whose pushes are in JSON.
    pub fn to_json(&self) -> String {
        let Self {
            encrypt,
            msg_signature,
            timestamp,
            nonce,
        } = self;
        // No part has a character that JSON escapes.
        format!(
            r#"{{"Encrypt":"{encrypt}","MsgSignature":"{msg_signature}","TimeStamp":{timestamp},"Nonce":"{nonce}"}}"#
        )
    }

    pub(super) fn to_document(&self, format: Format) -> String {
        match format {
            Format::Xml => self.to_xml(),
            #[cfg(feature = "json")]
            Format::Json => self.to_json(),
        }
    }
}
