//! Envelopes on the wire, inbound and outbound.

use std::borrow::Cow;

use serde::Deserialize;

use crate::{callback::signature::Signature, timestamp::Timestamp, xml};

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

/// An inbound envelope. Only the ciphertext is read. In compatible mode the envelope also contains the plaintext, which
/// is not signed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) encrypt: Cow<'a, str>,
}

impl<'a> Envelope<'a> {
    /// Reads the envelope in `body`. `None` if the body is not an envelope.
    pub(super) fn read(body: &'a [u8]) -> Option<(Self, Format)> {
        let (envelope, format) = match body.trim_ascii_start() {
            #[cfg(feature = "json")]
            [b'{', ..] => (serde_json::from_slice(body).ok(), Format::Json),
            _ => (xml::from_slice(body).ok(), Format::Xml),
        };
        Some((envelope?, format))
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

    /// Returns the nonce: `0000` and random digits.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Returns the envelope in XML: `Encrypt`, `MsgSignature`, `TimeStamp`, `Nonce`.
    pub fn to_xml(&self) -> String {
        let Self {
            encrypt,
            msg_signature,
            timestamp,
            nonce,
        } = self;
        // No part contains `]]>` or a character that XML escapes.
        format!(
            "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt>\
             <MsgSignature><![CDATA[{msg_signature}]]></MsgSignature>\
             <TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
        )
    }

    /// Returns the envelope in JSON, for an account whose pushes are in JSON.
    pub fn to_json(&self) -> String {
        let Self {
            encrypt,
            msg_signature,
            timestamp,
            nonce,
        } = self;
        // No part contains a character that JSON escapes.
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
