use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime},
};

use percent_encoding::percent_decode_str;
use subtle::Choice;

use super::{
    error::{Error, ErrorKind},
    signature::Signature,
};
use crate::{account::Account, timestamp::Timestamp};

/// A callback's query string. Every parameter is in the one form that is accepted.
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
    /// Whether it says that the body is not encrypted.
    is_raw: bool,
    timestamp: [u8; TIMESTAMP_LENGTH],
    seconds: u64,
    nonce: Nonce,
    echostr: Option<Box<str>>,
}

impl Query {
    /// Reads the part of a URL behind the `?`.
    ///
    /// Names and values are percent-decoded once; `+` stays `+`. Parameters that WeChat does not sign,
    /// such as `openid`, are ignored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Parameters`], if the query is longer than 4096 bytes; if `signature`,
    /// `timestamp`, `nonce`, `msg_signature`, `encrypt_type` or `echostr` is given twice; if
    /// `timestamp` is not ten ASCII digits, or `nonce` not 1 to 32 ASCII letters or digits; if a
    /// `signature` or `msg_signature` is not 40 hex digits, or an `encrypt_type` neither `raw` nor `aes`.
    pub fn parse(query: &str) -> Result<Self, Error> {
        Self::read(query).ok_or(Error::new(ErrorKind::Parameters))
    }

    fn read(query: &str) -> Option<Self> {
        let raw = Raw::split(query)?;
        let signature = hex(raw.signature)?;
        let msg_signature = hex(raw.msg_signature)?;
        let is_raw = match raw.encrypt_type.as_deref() {
            None | Some(b"aes") => false,
            Some(b"raw") => true,
            Some(_) => return None,
        };
        let timestamp: [u8; TIMESTAMP_LENGTH] = raw.timestamp?.as_ref().try_into().ok()?;
        let seconds = seconds(&timestamp)?;
        let nonce = Nonce::new(&raw.nonce?)?;
        // Only the answer to a `GET` depends on the echostr, and without one a `GET` is rejected.
        let echostr = raw
            .echostr
            .filter(|echostr| (1..=MAX_ECHOSTR_LENGTH).contains(&echostr.len()))
            .filter(|echostr| echostr.iter().all(u8::is_ascii_graphic))
            .and_then(|echostr| String::from_utf8(echostr.into_owned()).ok())
            .map(String::into_boxed_str);
        Some(Self {
            signature,
            msg_signature,
            is_raw,
            timestamp,
            seconds,
            nonce,
            echostr,
        })
    }

    /// Checks that one of the account's tokens makes the query's signature, and that its timestamp is
    /// at most `tolerance` before or after `now`.
    ///
    /// WeCom signs nothing but ciphertexts. For its queries this checks the timestamp alone, and that they are not
    /// those of a sealed reply; [`open`](super::open) checks the signature.
    ///
    /// Every token is tried, each compared in constant time. The signature is checked first, so that only
    /// holders of a token learn anything about this server's clock.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Parameters`] if there is no signature, [`ErrorKind::Signature`] or [`ErrorKind::Timestamp`].
    pub fn verify(
        &self,
        account: &Account,
        now: SystemTime,
        tolerance: Duration,
    ) -> Result<(), Error> {
        if !account.is_wecom() {
            self.verify_signature(account)?;
        } else if self
            .nonce
            .as_bytes()
            .starts_with(REPLY_NONCE_PREFIX.as_bytes())
        {
            // A reply of ours, sent back to us.
            return Err(Error::new(ErrorKind::Signature));
        }
        let signed_at = SystemTime::from(self.timestamp());
        let distance = match now.duration_since(signed_at) {
            Ok(age) => age,
            Err(ahead) => ahead.duration(),
        };
        if distance > tolerance {
            return Err(Error::new(ErrorKind::Timestamp));
        }
        Ok(())
    }

    fn verify_signature(&self, account: &Account) -> Result<(), Error> {
        let signature = self.signature.ok_or(Error::new(ErrorKind::Parameters))?;
        let is_genuine = account
            .tokens()
            .iter()
            .map(|token| signature.ct_eq(&Signature::sign(token, self.signed_parts())))
            .fold(Choice::from(0), |any, equal| any | equal);
        if !bool::from(is_genuine) {
            return Err(Error::new(ErrorKind::Signature));
        }
        Ok(())
    }

    /// Returns the time at which WeChat signed the query. Retries repeat it.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::from_secs(self.seconds)
    }

    pub(crate) fn echostr(&self) -> Result<&str, Error> {
        self.echostr
            .as_deref()
            .ok_or(Error::new(ErrorKind::Echostr))
    }

    /// The signature of a ciphertext, unless the query says that there is none.
    pub(crate) fn msg_signature(&self) -> Option<Signature> {
        self.msg_signature.filter(|_| !self.is_raw)
    }

    /// The signed parameters, timestamp and nonce.
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

/// 1 to 32 ASCII letters or digits.
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
}

/// The number that the digits of a timestamp write.
fn seconds(timestamp: &[u8]) -> Option<u64> {
    timestamp.iter().try_fold(0, |seconds, digit| {
        digit
            .is_ascii_digit()
            .then(|| seconds * 10 + u64::from(digit - b'0'))
    })
}

/// The parameters that decide something, percent-decoded, each given at most once.
#[derive(Default)]
struct Raw<'q> {
    signature: Option<Cow<'q, [u8]>>,
    timestamp: Option<Cow<'q, [u8]>>,
    nonce: Option<Cow<'q, [u8]>>,
    /// Compatible mode sends it to plain accounts as well. A second one is a forgery there, too.
    msg_signature: Option<Cow<'q, [u8]>>,
    encrypt_type: Option<Cow<'q, [u8]>>,
    echostr: Option<Cow<'q, [u8]>>,
}

impl<'q> Raw<'q> {
    fn split(query: &'q str) -> Option<Self> {
        if query.len() > MAX_LENGTH {
            return None;
        }
        let mut raw = Self::default();
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let name = Cow::from(percent_decode_str(name));
            let slot = match &*name {
                b"signature" => &mut raw.signature,
                b"timestamp" => &mut raw.timestamp,
                b"nonce" => &mut raw.nonce,
                b"msg_signature" => &mut raw.msg_signature,
                b"encrypt_type" => &mut raw.encrypt_type,
                b"echostr" => &mut raw.echostr,
                _ => continue,
            };
            if slot.replace(percent_decode_str(value).into()).is_some() {
                return None;
            }
        }
        Some(raw)
    }
}

/// Reads a signature if there is one. The outer `None` says that it is malformed.
#[expect(
    clippy::option_option,
    reason = "an absent signature is not a malformed one"
)]
fn hex(signature: Option<Cow<'_, [u8]>>) -> Option<Option<Signature>> {
    match signature {
        Some(signature) => Signature::from_hex(&signature).map(Some),
        None => Some(None),
    }
}

/// In bytes. The longest query, WeCom's with an encrypted echostr, has less than a quarter of it.
const MAX_LENGTH: usize = 4096;

/// Unix seconds have ten digits from 2001 to 2286. The fixed length leaves few ways to move characters between
/// timestamp and nonce, and all of them change the time.
const TIMESTAMP_LENGTH: usize = 10;

const MAX_NONCE_LENGTH: usize = 32;

const MAX_ECHOSTR_LENGTH: usize = 256;

/// The prefix of the nonces of all that is sealed here. WeChat's nonces are numbers, which begin with no zero.
///
/// WeCom signs nothing but ciphertexts, so a captured reply could be sent back as a push. The prefix marks it as a
/// reply, and the nonce is signed.
pub(super) const REPLY_NONCE_PREFIX: &str = "0000";
