//! AES-256-CBC around a message, its length and its receiver, padded to blocks of 32 bytes.

use bytes::{Buf, Bytes};
use cbc::{
    Decryptor, Encryptor,
    cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, block_padding::NoPadding},
};

use crate::{
    account::EncodingAesKey,
    callback::error::{Error, ErrorKind, SealError, SealErrorKind},
};

/// Decodes the base64 of a ciphertext. Its signature must be valid. One decoding serves all keys that are tried.
pub(super) fn decode(encrypt: &[u8]) -> Result<Vec<u8>, Error> {
    let ciphertext = base64_simd::STANDARD
        .decode_to_vec(encrypt)
        .map_err(|_| Error::signed(ErrorKind::Ciphertext))?;
    if ciphertext.len() < MIN_CIPHERTEXT || ciphertext.len() % BLOCK != 0 {
        return Err(Error::signed(ErrorKind::Ciphertext));
    }
    Ok(ciphertext)
}

/// Returns the length in base64 of the longest ciphertext that has at most `length` characters.
pub(super) fn encoded_length_within(length: usize) -> usize {
    let ciphertext = length / 4 * 3 / BLOCK * BLOCK;
    ciphertext.div_ceil(3) * 4
}

/// Decrypts a ciphertext in place, checks it, and returns its message. Its signature must be valid.
pub(super) fn open(
    key: &EncodingAesKey,
    receive_id: &str,
    mut ciphertext: Vec<u8>,
) -> Result<Bytes, Error> {
    let cipher = Decryptor::inner_iv_init(key.cipher(), key.iv().into());
    let whole = cipher
        .decrypt_padded::<NoPadding>(&mut ciphertext)
        .map_err(|_| Error::signed(ErrorKind::Ciphertext))?;
    let content = unpad(whole).ok_or(Error::signed(ErrorKind::Padding))?;
    let length = message_length(content).ok_or(Error::signed(ErrorKind::Length))?;
    let message = HEAD..HEAD + length;
    if content.get(message.end..) != Some(receive_id.as_bytes()) {
        return Err(Error::signed(ErrorKind::ReceiveId));
    }
    ciphertext.truncate(message.end);
    let mut plaintext = Bytes::from(ciphertext);
    plaintext.advance(message.start);
    Ok(plaintext)
}

/// Encrypts `message` for `receive_id`, with the `random` bytes in front.
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
    // `padding` is at most 32.
    let byte = u8::try_from(padding).unwrap_or_default();
    plaintext.resize(content + padding, byte);
    let cipher = Encryptor::inner_iv_init(key.cipher(), key.iv().into());
    let length = plaintext.len();
    let ciphertext = cipher
        .encrypt_padded::<NoPadding>(&mut plaintext, length)
        .map_err(|_| SealError::new(SealErrorKind::TooLong))?;
    Ok(base64_simd::STANDARD.encode_to_string(ciphertext))
}

/// Removes the padding of 1 to 32 equal bytes. Unlike PKCS#7 for AES, it may fill two blocks.
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

/// Returns the message's length, if `content` has room for a message of that length.
fn message_length(content: &[u8]) -> Option<usize> {
    let length = content.get(RANDOM..)?.first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    (length <= content.len().checked_sub(HEAD)?).then_some(length)
}

/// An AES block, in bytes.
const BLOCK: usize = 16;

/// In bytes.
const MIN_CIPHERTEXT: usize = 2 * BLOCK;

/// In characters of base64.
pub(super) const MIN_ENCODED: usize = MIN_CIPHERTEXT.div_ceil(3) * 4;

const MAX_PADDING: usize = 32;

pub(super) const RANDOM: usize = 16;

/// The length of the random bytes and the length field.
const HEAD: usize = RANDOM + 4;
