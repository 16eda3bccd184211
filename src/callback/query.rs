//! The query string of a callback: its parameters, and the checks of its signature and timestamp.

use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime},
};

use memchr::memchr;
use percent_encoding::percent_decode;
use subtle::Choice;

use super::{
    error::{Error, ErrorKind},
    signature::Signature,
};
use crate::{account::Account, timestamp::Timestamp};

/// The parsed query string of a callback. Each parameter is in its only accepted form.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_wechat::{Account, callback::{self, Query}};
///
/// let account = Account::plain("rosebud7")?;
/// let query = "signature=29cea517f734406563d9fe7343bab4e6b608621d\
///     &timestamp=1735689600&nonce=90817&echostr=5577006791947779410";
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_735_689_602);
///
/// let query = Query::parse(query)?;
/// query.verify(&account, now, Duration::from_secs(300))?;
/// assert_eq!(callback::echostr(&account, &query)?, "5577006791947779410");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Query {
    signature: Option<Signature>,
    msg_signature: Option<Signature>,
    encrypt_type: Option<EncryptType>,
    timestamp: [u8; TIMESTAMP_LENGTH],
    seconds: u64,
    nonce: Nonce,
    echostr: Option<Box<str>>,
}

/// What the query says of the body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EncryptType {
    Raw,
    Aes,
}

impl Query {
    /// Parses the query string of a URL: the part after the `?`.
    ///
    /// Names and values are percent-decoded once; `+` stays `+`. Parameters other than those below, such as
    /// `openid`, are ignored. An empty `signature`, `msg_signature` or `encrypt_type` counts as absent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Parameters`] in each of these cases:
    ///
    /// - The query is longer than 4096 bytes.
    /// - `signature`, `timestamp`, `nonce`, `msg_signature`, `encrypt_type` or `echostr` is repeated.
    /// - `timestamp` is not ten ASCII digits, or `nonce` is not 1 to 32 ASCII letters or digits. Both are required.
    /// - `signature` or `msg_signature` is present and not 40 hex digits.
    /// - `encrypt_type` is present and neither `raw` nor `aes`.
    pub fn parse(query: &str) -> Result<Self, Error> {
        Self::read(query).ok_or(Error::unsigned(ErrorKind::Parameters))
    }

    fn read(query: &str) -> Option<Self> {
        if query.len() > MAX_LENGTH {
            return None;
        }
        let decoded = decoding(query);
        let raw = Raw::split(query, decoded)?;
        let signature = hex(raw.signature.map(decoded).as_deref())?;
        let msg_signature = hex(raw.msg_signature.map(decoded).as_deref())?;
        let encrypt_type = match raw.encrypt_type.map(decoded).as_deref() {
            None | Some(b"") => None,
            Some(b"raw") => Some(EncryptType::Raw),
            Some(b"aes") => Some(EncryptType::Aes),
            Some(_) => return None,
        };
        let timestamp: [u8; TIMESTAMP_LENGTH] = decoded(raw.timestamp?).as_ref().try_into().ok()?;
        let seconds = seconds(&timestamp)?;
        let nonce = Nonce::new(&decoded(raw.nonce?))?;
        // A malformed echostr counts as none: only a `GET` needs one, and is rejected without it.
        let echostr = raw
            .echostr
            .map(decoded)
            .filter(|echostr| (1..=MAX_ECHOSTR_LENGTH).contains(&echostr.len()))
            .filter(|echostr| echostr.iter().all(u8::is_ascii_graphic))
            .and_then(|echostr| String::from_utf8(echostr.into_owned()).ok())
            .map(String::into_boxed_str);
        Some(Self {
            signature,
            msg_signature,
            encrypt_type,
            timestamp,
            seconds,
            nonce,
            echostr,
        })
    }

    /// Checks that the query's signature is made with one of the account's tokens, and that its timestamp is at most
    /// `tolerance` before or after `now`.
    ///
    /// All tokens are tried, and each comparison takes constant time. The signature is checked first, so that only
    /// holders of a token learn anything about this server's clock.
    ///
    /// WeCom signs only ciphertexts, and a query to another encrypted account may have a `msg_signature` alone. Then this
    /// checks only the timestamp, and that the nonce is not that of a sealed reply. [`open`](super::open) checks the
    /// signature.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Parameters`]: there is no signature that counts for this account.
    /// - [`ErrorKind::Signature`]: none of the tokens makes this signature, or the nonce is that of a sealed reply.
    /// - [`ErrorKind::Timestamp`]: the timestamp is too far from `now`.
    pub fn verify(
        &self,
        account: &Account,
        now: SystemTime,
        tolerance: Duration,
    ) -> Result<(), Error> {
        self.verify_signature(account)?;
        self.verify_timestamp(account, now, tolerance)
    }

    /// Makes the check of [`verify`](Self::verify) that needs no clock.
    pub(crate) fn verify_signature(&self, account: &Account) -> Result<(), Error> {
        let Some(signature) = self.signature.filter(|_| self.is_signed(account)) else {
            return match self.msg_signature() {
                // Somebody sent one of our replies back to us.
                Ok(_) if account.encryption().is_some() && self.nonce.is_of_reply() => {
                    Err(Error::unsigned(ErrorKind::Signature))
                }
                Ok(_) if account.encryption().is_some() => Ok(()),
                _ => Err(Error::unsigned(ErrorKind::Parameters)),
            };
        };
        let is_genuine = account
            .tokens()
            .iter()
            .map(|token| signature.ct_eq(&Signature::sign(token, self.signed_parts())))
            .fold(Choice::from(0), |any, equal| any | equal);
        if !bool::from(is_genuine) {
            return Err(Error::unsigned(ErrorKind::Signature));
        }
        Ok(())
    }

    /// Makes the check of [`verify`](Self::verify) that follows.
    pub(crate) fn verify_timestamp(
        &self,
        account: &Account,
        now: SystemTime,
        tolerance: Duration,
    ) -> Result<(), Error> {
        let signed_at = SystemTime::from(self.timestamp());
        let distance = match now.duration_since(signed_at) {
            Ok(age) => age,
            Err(ahead) => ahead.duration(),
        };
        if distance > tolerance {
            return Err(self.error(ErrorKind::Timestamp, account));
        }
        Ok(())
    }

    /// Returns the time at which WeChat signed the query. Retries repeat it.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::from_secs(self.seconds)
    }

    pub(super) fn echostr(&self) -> Option<&str> {
        self.echostr.as_deref()
    }

    /// Returns the signature of the ciphertext, or the kind of error for an account that needs one.
    pub(crate) fn msg_signature(&self) -> Result<Signature, ErrorKind> {
        match (self.encrypt_type, self.msg_signature) {
            (None | Some(EncryptType::Aes), Some(signature)) => Ok(signature),
            (Some(EncryptType::Aes), None) => Err(ErrorKind::Parameters),
            (None | Some(EncryptType::Raw), _) => Err(ErrorKind::EncryptedAccount),
        }
    }

    /// Returns whether the query says that the body has a ciphertext.
    pub(super) fn is_encrypted(&self) -> bool {
        self.encrypt_type == Some(EncryptType::Aes) || self.msg_signature().is_ok()
    }

    /// Returns whether [`verify`](Self::verify) checks a signature. Otherwise [`open`](super::open) does.
    pub(crate) fn is_signed(&self, account: &Account) -> bool {
        self.signature.is_some() && !account.is_wecom()
    }

    /// Makes the error of a check that fails between this verified query and the signature of a ciphertext.
    pub(super) fn error(&self, kind: ErrorKind, account: &Account) -> Error {
        Error::new(kind, self.is_signed(account))
    }

    pub(super) fn nonce(&self) -> &str {
        // It is ASCII.
        str::from_utf8(self.nonce.as_bytes()).unwrap_or_default()
    }

    /// Returns the signed parameters: timestamp and nonce.
    pub(super) fn signed_parts(&self) -> [&[u8]; 2] {
        [&self.timestamp, self.nonce.as_bytes()]
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("timestamp", &self.seconds)
            .finish_non_exhaustive()
    }
}

/// A nonce: 1 to 32 ASCII letters or digits.
#[derive(Clone, Copy)]
struct Nonce {
    bytes: [u8; MAX_NONCE_LENGTH],
    length: usize,
}

impl Nonce {
    fn new(nonce: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_NONCE_LENGTH];
        bytes.get_mut(..nonce.len())?.copy_from_slice(nonce);
        let is_valid = !nonce.is_empty() && nonce.iter().all(u8::is_ascii_alphanumeric);
        is_valid.then_some(Self {
            bytes,
            length: nonce.len(),
        })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn is_of_reply(&self) -> bool {
        self.as_bytes().starts_with(REPLY_NONCE_PREFIX.as_bytes())
    }
}

/// Returns the number that the digits of a timestamp stand for.
fn seconds(timestamp: &[u8]) -> Option<u64> {
    timestamp.iter().try_fold(0, |seconds, digit| {
        digit
            .is_ascii_digit()
            .then(|| seconds * 10 + u64::from(digit - b'0'))
    })
}

/// The parameters that the checks read, as they came. None of them is repeated.
#[derive(Default)]
struct Raw<'q> {
    signature: Option<&'q [u8]>,
    timestamp: Option<&'q [u8]>,
    nonce: Option<&'q [u8]>,
    /// In compatible mode, plain accounts get it too. There too, a repeated one is a forgery.
    msg_signature: Option<&'q [u8]>,
    encrypt_type: Option<&'q [u8]>,
    echostr: Option<&'q [u8]>,
}

impl<'q> Raw<'q> {
    fn split(query: &'q str, decoded: impl Fn(&'q [u8]) -> Cow<'q, [u8]>) -> Option<Self> {
        let mut raw = Self::default();
        let mut rest = Some(query.as_bytes());
        while let Some(parameters) = rest {
            let (parameter, further) = split_around(memchr(b'&', parameters), parameters);
            rest = further;
            // A name is too short for `memchr`.
            let mark = parameter.iter().position(|byte| *byte == b'=');
            let (name, value) = split_around(mark, parameter);
            let slot = match &*decoded(name) {
                b"signature" => &mut raw.signature,
                b"timestamp" => &mut raw.timestamp,
                b"nonce" => &mut raw.nonce,
                b"msg_signature" => &mut raw.msg_signature,
                b"encrypt_type" => &mut raw.encrypt_type,
                b"echostr" => &mut raw.echostr,
                _ => continue,
            };
            if slot.replace(value.unwrap_or_default()).is_some() {
                return None;
            }
        }
        Some(raw)
    }
}

/// Returns what percent-decodes a part of the query: most queries have nothing to decode.
fn decoding<'q>(query: &'q str) -> impl Fn(&'q [u8]) -> Cow<'q, [u8]> + Copy {
    let is_encoded = memchr(b'%', query.as_bytes()).is_some();
    move |part| {
        if is_encoded {
            percent_decode(part).into()
        } else {
            part.into()
        }
    }
}

/// Returns the part before the position of a mark, and the one behind it.
fn split_around(mark: Option<usize>, text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match mark.and_then(|mark| text.split_at_checked(mark)) {
        Some((before, rest)) => (before, rest.get(1..)),
        None => (text, None),
    }
}

/// Parses a signature, if there is one that is not empty. The outer `None` means that it is malformed.
#[expect(
    clippy::option_option,
    reason = "an absent signature is not a malformed one"
)]
fn hex(signature: Option<&[u8]>) -> Option<Option<Signature>> {
    match signature {
        None | Some([]) => Some(None),
        Some(signature) => Signature::from_hex(signature).map(Some),
    }
}

/// In bytes. The longest query, WeCom's with an encrypted echostr, has less than a quarter of this length.
const MAX_LENGTH: usize = 4096;

/// In digits. Unix seconds have ten digits from 2001 to 2286. The fixed length leaves few ways to move characters
/// between timestamp and nonce, and each of them changes the time.
const TIMESTAMP_LENGTH: usize = 10;

const MAX_NONCE_LENGTH: usize = 32;

const MAX_ECHOSTR_LENGTH: usize = 256;

/// The prefix of the nonce in every envelope that this crate seals. WeChat's nonces are numbers without leading zeros.
///
/// A push needs no signature but that of its ciphertext, so an attacker could send a captured reply back as a push. The
/// prefix identifies the reply, and cannot be changed, since the nonce is signed.
pub(super) const REPLY_NONCE_PREFIX: &str = "0000";
