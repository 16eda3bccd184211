//! AES-256-CBC around a message, its length and its receiver.

use bytes::{Buf, Bytes};
use cbc::{
    Decryptor, Encryptor,
    cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, block_padding::NoPadding},
};

use crate::{
    account::EncodingAesKey,
    callback::error::{Error, ErrorKind, SealError, SealErrorKind},
};

/// Decodes a ciphertext, once for all keys that are tried on it.
pub(super) fn decode(encrypt: &str) -> Result<Vec<u8>, Error> {
    let ciphertext = base64_simd::STANDARD
        .decode_to_vec(encrypt)
        .map_err(|_| Error::new(ErrorKind::Ciphertext))?;
    if ciphertext.len() < 2 * BLOCK || ciphertext.len() % BLOCK != 0 {
        return Err(Error::new(ErrorKind::Ciphertext));
    }
    Ok(ciphertext)
}

/// Decrypts a ciphertext in place and returns its message.
pub(super) fn open(
    key: &EncodingAesKey,
    receive_id: &str,
    mut ciphertext: Vec<u8>,
) -> Result<Bytes, Error> {
    let cipher = Decryptor::inner_iv_init(key.cipher(), key.iv().into());
    let whole = cipher
        .decrypt_padded::<NoPadding>(&mut ciphertext)
        .map_err(|_| Error::new(ErrorKind::Ciphertext))?;
    let content = unpad(whole).ok_or(Error::new(ErrorKind::Padding))?;
    let length = message_length(content).ok_or(Error::new(ErrorKind::Length))?;
    let message = HEAD..HEAD + length;
    if content.get(message.end..) != Some(receive_id.as_bytes()) {
        return Err(Error::new(ErrorKind::ReceiveId));
    }
    let text = content.get(message.clone()).map(str::from_utf8);
    if !matches!(text, Some(Ok(_))) {
        return Err(Error::new(ErrorKind::Utf8));
    }
    ciphertext.truncate(message.end);
    let mut plaintext = Bytes::from(ciphertext);
    plaintext.advance(message.start);
    Ok(plaintext)
}

/// Encrypts `message` for `receive_id`, behind the `random` bytes.
pub(super) fn seal(
    key: &EncodingAesKey,
    receive_id: &str,
    random: [u8; RANDOM],
    message: &[u8],
) -> Result<String, SealError> {
    let length =
        u32::try_from(message.len()).map_err(|_| SealError::new(SealErrorKind::TooLong))?;
    let content = HEAD + message.len() + receive_id.len();
    let padding = MAX_PADDING - content % MAX_PADDING;
    let mut plaintext = Vec::with_capacity(content + padding);
    plaintext.extend_from_slice(&random);
    plaintext.extend_from_slice(&length.to_be_bytes());
    plaintext.extend_from_slice(message);
    plaintext.extend_from_slice(receive_id.as_bytes());
    // At most 32.
    let byte = u8::try_from(padding).unwrap_or_default();
    plaintext.resize(content + padding, byte);
    let cipher = Encryptor::inner_iv_init(key.cipher(), key.iv().into());
    let length = plaintext.len();
    let ciphertext = cipher
        .encrypt_padded::<NoPadding>(&mut plaintext, length)
        .map_err(|_| SealError::new(SealErrorKind::TooLong))?;
    Ok(base64_simd::STANDARD.encode_to_string(ciphertext))
}

/// Removes the padding of 1 to 32 equal bytes. It has up to two blocks, unlike PKCS#7 for AES.
fn unpad(whole: &[u8]) -> Option<&[u8]> {
    let padding = *whole.last()?;
    if !(1..=MAX_PADDING).contains(&usize::from(padding)) {
        return None;
    }
    let (content, padded) = whole.split_at_checked(whole.len().checked_sub(padding.into())?)?;
    // Comparing slices takes a tenth of the time of a loop over bytes.
    let expected = [padding; MAX_PADDING];
    (padded == expected.get(..padded.len())?).then_some(content)
}

/// Reads the message's length, if `content` has room for such a message.
fn message_length(content: &[u8]) -> Option<usize> {
    let length = content.get(RANDOM..)?.first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    (length <= content.len().checked_sub(HEAD)?).then_some(length)
}

/// An AES block, in bytes.
const BLOCK: usize = 16;

const MAX_PADDING: usize = 32;

pub(super) const RANDOM: usize = 16;

/// The random bytes and the length.
const HEAD: usize = RANDOM + 4;
