//! Which deliveries are one message: by its MsgId, or else by what repeats in each retry.

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hash, Hasher},
    time::Duration,
};

use http::Request;
use sha1::{Digest, Sha1};

use crate::{delivery::Verified, message::RETRIED_FOR, observe::MessageKey};

/// The identity of a message: two deliveries with the same key are one message.
///
/// It is a hash of a fixed size, so no message makes the table grow more than another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 20]);

impl Key {
    /// Makes the key of `parts`, in their order.
    ///
    /// Each part is hashed behind its length in LEB128, so `["a", "bc"]` and `["ab", "c"]` are different keys.
    pub fn new<I>(parts: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut hash = Gathered::default();
        for part in parts {
            let part = part.as_ref();
            // In base 128, so that most messages have one block less to hash.
            let mut len = part.len();
            while len > 0x7f {
                hash.push(len.to_le_bytes()[0] | 0x80);
                len >>= 7;
            }
            hash.push(len.to_le_bytes()[0]);
            hash.update(part);
        }
        Self(hash.finalize())
    }

    /// Makes the key of a delivery, as the [module docs](crate::dedup#which-deliveries-are-one-message) say.
    pub fn of(request: &Request<Verified>) -> Self {
        Keyed::of(request).key
    }

    pub(crate) fn observed(self) -> MessageKey {
        MessageKey(self.0)
    }

    /// Makes the key whose hash this is, as [`as_bytes`](Self::as_bytes) has returned it.
    pub fn from_bytes(hash: [u8; 20]) -> Self {
        Self(hash)
    }

    /// Returns the hash.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

/// The key of a delivery's message, and how WeChat retries the message.
///
/// A [`Key`] alone is the key of a message that WeChat retries for some seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyed {
    key: Key,
    fingerprint: Option<Fingerprint>,
    retried_for: Option<Duration>,
    wants: Wanted,
}

/// The answer that ends the retries of a message that is retried until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// `ErrCode` 0. Anything else is a failure, `success` too.
    ErrCode,
    /// Any answer that is no failure, as far as is known.
    Any,
}

impl Keyed {
    /// Makes the key of a delivery, as the [module docs](crate::dedup#which-deliveries-are-one-message) say.
    pub fn of(request: &Request<Verified>) -> Self {
        let body = request.body();
        let account = body.delivery().account();
        let head = body.head().ok();
        if let Some((head, id)) = head.and_then(|head| Some((head, head.message_id()?))) {
            let parts = [
                account,
                "message",
                id,
                head.from_user_name().unwrap_or_default(),
                head.to_user_name().unwrap_or_default(),
                head.create_time_text().unwrap_or_default(),
            ];
            return Self::from(Key::new(parts.into_iter().chain(head.chat_id())))
                .with_fingerprint(body.as_bytes());
        }
        if let Some((head, identity)) =
            head.and_then(|head| Some((head, head.identity(body.as_bytes())?)))
        {
            let receiver = head.to_user_name().unwrap_or_default();
            // The answer is kept in the push's format.
            let format = if head.is_json() { "json" } else { "xml" };
            let parts = [account, "retried", receiver, format].into_iter();
            let identified = identity.parts.iter().map(String::as_str);
            let key = Key::new(parts.chain(identified));
            return Self {
                wants: Wanted::ErrCode,
                ..Self::from(key)
            }
            .with_fingerprint(identity.rest)
            .retried_for(RETRIED_FOR);
        }
        Self::from(Key::new([account.as_bytes(), b"push", body.as_bytes()]))
    }

    /// Sets what all deliveries of the message have in common, such as the plaintext.
    ///
    /// If two deliveries with one key differ in it, the log has a warning: the key may have made one message of two. The
    /// second one is answered like a retry all the same.
    #[must_use]
    pub fn with_fingerprint(mut self, common: impl AsRef<[u8]>) -> Self {
        self.fingerprint = Some(Fingerprint::of(common.as_ref()));
        self
    }

    /// Sets that WeChat retries the message until it gets the answer that it wants, for up to `time`.
    ///
    /// Then the mark and the reply are kept for as long, and no sink for late replies gets the reply, see
    /// [the module docs](crate::dedup#pushes-that-are-retried-until-they-are-answered). For other messages the reply is of
    /// use for seconds.
    ///
    /// An answer of status 200 is the one that WeChat wants, unless it has an `ErrCode` other than 0. For the pushes that
    /// [`of`](Self::of) knows, only an `ErrCode` of 0 is.
    #[must_use]
    pub fn retried_for(mut self, time: Duration) -> Self {
        self.retried_for = Some(time);
        self
    }

    /// Returns the key.
    pub fn key(&self) -> Key {
        self.key
    }

    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// For how long WeChat retries the message until it gets the answer that it wants. `None` for most messages.
    pub(crate) fn is_retried_for(&self) -> Option<Duration> {
        self.retried_for
    }

    /// Likewise, and which answer that is.
    pub(crate) fn wants(&self) -> Option<Wanted> {
        self.retried_for.map(|_| self.wants)
    }
}

impl From<Key> for Keyed {
    fn from(key: Key) -> Self {
        Self {
            key,
            fingerprint: None,
            retried_for: None,
            wants: Wanted::Any,
        }
    }
}

/// Hashes many short parts at once.
struct Gathered {
    hash: Sha1,
    bytes: [u8; 128],
    /// How many of the bytes have been written, and not been hashed.
    len: usize,
}

impl Default for Gathered {
    fn default() -> Self {
        Self {
            hash: Sha1::new(),
            bytes: [0; 128],
            len: 0,
        }
    }
}

impl Gathered {
    /// `update` would call memcpy for the byte.
    fn push(&mut self, byte: u8) {
        if let Some(room) = self.bytes.get_mut(self.len) {
            *room = byte;
            self.len += 1;
        } else {
            self.update(&[byte]);
        }
    }

    fn update(&mut self, part: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.len..self.len + part.len()) {
            room.copy_from_slice(part);
            self.len += part.len();
        } else {
            self.flush();
            self.hash.update(part);
        }
    }

    fn flush(&mut self) {
        let (written, _) = self.bytes.split_at(self.len);
        self.hash.update(written);
        self.len = 0;
    }

    fn finalize(&mut self) -> [u8; 20] {
        self.flush();
        // `finalize` would move the hash: a stall, since its last bytes have just been written.
        self.hash.finalize_reset().into()
    }
}

/// A short hash of what all deliveries of a message have in common.
///
/// Finds two messages that share a key by mistake. It does not stop somebody who makes two bodies alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    fn of(bytes: &[u8]) -> Self {
        let (blocks, rest) = bytes.as_chunks::<32>();
        let mut last = [0; 32];
        for (byte, rest) in last.iter_mut().zip(rest) {
            *byte = *rest;
        }
        let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(ODD);
        // Four at a time, since each waits for the one before it.
        let mut lanes = [1, 2, 3, 4];
        for block in blocks.iter().chain([&last]) {
            let (words, _) = block.as_chunks::<8>();
            for (lane, word) in lanes.iter_mut().zip(words) {
                *lane = mix(*lane, u64::from_le_bytes(*word));
            }
        }
        let hash = lanes.into_iter().fold(bytes.len() as u64, mix);
        Self(hash ^ (hash >> 32))
    }

    /// Makes the fingerprint whose bytes these are, as [`to_bytes`](Self::to_bytes) has returned them.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes))
    }

    /// Returns the fingerprint's bytes, as a store may keep it.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

/// Whether these are of two messages, as far as is known.
pub(crate) fn differ(one: Option<Fingerprint>, other: Option<Fingerprint>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

/// The golden ratio's bits: an odd factor that spreads well.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// In hexadecimal.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.observed().fmt(f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// It is a digest, so eight bytes of it tell keys apart.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let first = self.0.first_chunk().copied().unwrap_or_default();
        state.write_u64(u64::from_ne_bytes(first));
    }
}

/// Hashes keys for a table. A random factor keeps those who choose messages from choosing the places of their keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuildKeyHasher {
    factor: u64,
}

impl Default for BuildKeyHasher {
    fn default() -> Self {
        // An odd factor loses no bit.
        let factor = RandomState::new().hash_one(0_u8) | 1;
        Self { factor }
    }
}

impl BuildHasher for BuildKeyHasher {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher {
            factor: self.factor,
            hash: 0,
        }
    }
}

/// The hasher of a [`BuildKeyHasher`].
pub(crate) struct KeyHasher {
    factor: u64,
    hash: u64,
}

impl Hasher for KeyHasher {
    fn write_u64(&mut self, bytes: u64) {
        let product = (self.hash ^ bytes).wrapping_mul(self.factor);
        // A table takes the lower bits and the upper ones. The product's lower bits depend on few.
        self.hash = product ^ (product >> 32);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, hash::BuildHasher as _};

    use proptest::{collection::vec, prelude::*, sample::select};

    use sha1::{Digest, Sha1};

    use super::{BuildKeyHasher, Fingerprint, Key};

    proptest! {
        /// Bytes that could be lengths, cut in two ways.
        #[test]
        fn other_parts_make_another_key(
            bytes in vec(select(&[0, 1, 2, 3, 0x7f, 0x80, 0x81, 0xff]), 0..400),
            cuts in [vec(0..400_usize, 0..4), vec(0..400_usize, 0..4)],
        ) {
            let [one, other] = cuts.map(|mut cuts| {
                cuts.sort_unstable();
                let mut rest: &[u8] = &bytes;
                let mut parts = Vec::new();
                for cut in cuts {
                    let (part, after) = rest.split_at(cut.min(rest.len()));
                    parts.push(part);
                    rest = after;
                }
                parts.push(rest);
                parts
            });
            prop_assert_eq!(Key::new(&one) == Key::new(&other), one == other);
        }

        /// However long the parts are, and together.
        #[test]
        fn a_key_is_the_hash_of_each_length_and_part(
            parts in vec(vec(any::<u8>(), 0..200), 0..6),
        ) {
            let mut bytes = Vec::new();
            for part in &parts {
                // In LEB128, in two bytes if not in one.
                match u8::try_from(part.len()) {
                    Ok(len @ ..0x80) => bytes.push(len),
                    _ => bytes.extend([part.len().to_le_bytes()[0] | 0x80, 1]),
                }
                bytes.extend(part);
            }
            let hash: [u8; 20] = Sha1::digest(&bytes).into();
            prop_assert_eq!(Key::new(&parts), Key::from_bytes(hash));
        }
    }

    /// Wherever it is, and at each length of the last block.
    #[test]
    fn a_changed_byte_changes_the_fingerprint() {
        for length in 0..100 {
            let bytes = vec![7; length];
            let whole = Fingerprint::of(&bytes);
            assert_eq!(Fingerprint::from_bytes(whole.to_bytes()), whole);
            assert_ne!(Fingerprint::of(&[&bytes[..], &[0]].concat()), whole);
            for at in 0..length {
                let mut changed = bytes.clone();
                if let Some(byte) = changed.get_mut(at) {
                    *byte ^= 1;
                }
                assert_ne!(Fingerprint::of(&changed), whole, "{at} of {length}");
            }
        }
    }

    /// The upper seven bits and the lower ones, by which a table finds a place, are spread evenly.
    #[test]
    fn keys_are_spread() {
        let build = BuildKeyHasher::default();
        let hashes: Vec<_> = (0..100_000_u32)
            .map(|n| build.hash_one(Key::new([n.to_be_bytes()])))
            .collect();
        for shift in [0, 8, 16, 32, 57] {
            let mut counts = HashMap::new();
            for hash in &hashes {
                *counts.entry((hash >> shift) & 127).or_insert(0) += 1;
            }
            // 781 are expected; ten standard deviations are 280.
            assert!(
                counts.values().all(|count| (500..1062).contains(count)),
                "{shift}"
            );
        }
    }
}
