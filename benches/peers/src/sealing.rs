//! The safe mode's envelope as WeChat makes it, written for these tests alone: no SDK seals for another.

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use base64::{
    Engine,
    alphabet::STANDARD as ALPHABET,
    engine::{GeneralPurpose, general_purpose::NO_PAD, general_purpose::STANDARD},
};
use sha1::{Digest, Sha1};

use crate::{Account, TOKEN, questions::OURSELVES};

/// A POST of safe mode: what stands in its query, and its body.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub timestamp: String,
    pub nonce: String,
    pub msg_signature: String,
    pub body: String,
}

impl Delivery {
    /// Signs this ciphertext.
    pub fn new(encrypt: &str, timestamp: &str) -> Self {
        let nonce = "415802";
        Self {
            msg_signature: signature(&[TOKEN, timestamp, nonce, encrypt]),
            timestamp: timestamp.to_owned(),
            nonce: nonce.to_owned(),
            body: format!(
                "<xml><ToUserName><![CDATA[{OURSELVES}]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
            ),
        }
    }
}

/// SHA-1 of the sorted parts with nothing between them, in hexadecimal.
pub fn signature(parts: &[&str]) -> String {
    signature_joined(parts, "")
}

pub fn signature_joined(parts: &[&str], separator: &str) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    Sha1::digest(parts.join(separator))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What is encrypted, without its padding.
pub fn frame(account: &Account<'_>, message: &str) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a short message");
    let mut frame = b"9f86d081884c7d65".to_vec();
    frame.extend(length.to_be_bytes());
    frame.extend(message.as_bytes());
    frame.extend(account.app_id.as_bytes());
    frame
}

/// 1 to 32 bytes, each of which says how many they are: PKCS#7 for blocks of 32.
pub fn pad(mut frame: Vec<u8>) -> Vec<u8> {
    let padding = 32 - frame.len() % 32;
    frame.resize(frame.len() + padding, padding.to_le_bytes()[0]);
    frame
}

pub fn encrypt(account: &Account<'_>, padded: &[u8]) -> String {
    let key = key(account);
    let encryptor = cbc::Encryptor::<aes::Aes256>::new_from_slices(&key, &key[..16]);
    let mut buffer = padded.to_vec();
    let ciphertext = encryptor
        .expect("32 and 16 bytes")
        .encrypt_padded::<NoPadding>(&mut buffer, padded.len());
    STANDARD.encode(ciphertext.expect("whole blocks"))
}

pub fn seal(account: &Account<'_>, message: &str) -> String {
    encrypt(account, &pad(frame(account, message)))
}

/// What WeChat makes of a sealed reply: its message, if everything about it is in order.
pub fn open(account: &Account<'_>, document: &str) -> Result<String, String> {
    let document = roxmltree::Document::parse(document).map_err(|error| error.to_string())?;
    let field = |name| {
        let found = document.descendants().find(|node| node.has_tag_name(name));
        found.and_then(|node| node.text()).unwrap_or_default()
    };
    let encrypt = field("Encrypt");
    let signed = [TOKEN, field("TimeStamp"), field("Nonce"), encrypt];
    if signature(&signed) != field("MsgSignature") {
        return Err("wrong MsgSignature".to_owned());
    }
    let mut ciphertext = STANDARD
        .decode(encrypt)
        .map_err(|error| error.to_string())?;
    let key = key(account);
    let decryptor = cbc::Decryptor::<aes::Aes256>::new_from_slices(&key, &key[..16]);
    let frame = decryptor
        .expect("32 and 16 bytes")
        .decrypt_padded::<NoPadding>(&mut ciphertext)
        .map_err(|error| error.to_string())?;
    let padding = usize::from(*frame.last().ok_or("empty")?);
    let frame = frame.get(..frame.len() - padding).ok_or("wrong padding")?;
    let length = frame.get(16..20).ok_or("too short")?;
    let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
    let length = usize::try_from(length).map_err(|error| error.to_string())?;
    let message = frame.get(20..20 + length).ok_or("wrong length")?;
    if frame.get(20 + length..) != Some(account.app_id.as_bytes()) {
        return Err("another app id".to_owned());
    }
    String::from_utf8(message.to_vec()).map_err(|error| error.to_string())
}

/// The key's spare bits are whatever the console made them.
fn key(account: &Account<'_>) -> Vec<u8> {
    let lenient = GeneralPurpose::new(&ALPHABET, NO_PAD.with_decode_allow_trailing_bits(true));
    lenient.decode(account.aes_key).expect("43 characters")
}
