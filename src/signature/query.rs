use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime},
};

use percent_encoding::percent_decode_str;
use subtle::Choice;

use crate::{
    account::Account,
    envelope,
    signature::{Refusal, RefusalKind, Signature},
};

/// A callback's query string, its parameters in the only forms that are admitted.
///
/// This is what [`VerifySignature`](super::VerifySignature) decides by, as pure functions for servers
/// that are not built on Tower.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_wechat::{Account, signature::Query};
///
/// let account = Account::plain("rosebud7")?;
/// let query = "signature=29cea517f734406563d9fe7343bab4e6b608621d\
///     &timestamp=1735689600&nonce=90817&echostr=5577006791947779410";
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_735_689_602);
///
/// let query = Query::parse(query)?;
/// query.verify(&account, now, Duration::from_secs(300))?;
/// assert_eq!(query.echostr()?, "5577006791947779410");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Query<'q> {
    signature: Option<Signature>,
    msg_signature: Option<Signature>,
    /// Whether it says that the body is not encrypted.
    is_raw: bool,
    timestamp: Cow<'q, str>,
    seconds: u64,
    nonce: Cow<'q, str>,
    echostr: Option<Cow<'q, str>>,
}

impl<'q> Query<'q> {
    /// Reads the part of a URL behind the `?`.
    ///
    /// Names and values are percent-decoded once; `+` stays `+`. Parameters that WeChat does not sign,
    /// such as `openid`, are ignored.
    ///
    /// # Errors
    ///
    /// [`RefusalKind::Parameters`], if the query is longer than 4096 bytes; if `signature`,
    /// `timestamp`, `nonce`, `msg_signature`, `encrypt_type` or `echostr` is given twice; if
    /// `timestamp` is not ten ASCII digits, or `nonce` not 1 to 32 ASCII letters or digits; if a
    /// `signature` or `msg_signature` is not 40 hex digits, or an `encrypt_type` neither `raw` nor `aes`.
    pub fn parse(query: &'q str) -> Result<Self, Refusal> {
        Self::read(query).ok_or(Refusal::new(RefusalKind::Parameters))
    }

    fn read(query: &'q str) -> Option<Self> {
        let raw = Raw::split(query)?;
        let signature = hex(raw.signature)?;
        let msg_signature = hex(raw.msg_signature)?;
        let is_raw = match raw.encrypt_type.as_deref() {
            None | Some(b"aes") => false,
            Some(b"raw") => true,
            Some(_) => return None,
        };
        let timestamp = raw
            .timestamp
            .filter(|timestamp| timestamp.len() == TIMESTAMP_LENGTH)
            .and_then(|timestamp| ascii(timestamp, u8::is_ascii_digit))?;
        let seconds = timestamp.parse().ok()?;
        let nonce = raw
            .nonce
            .filter(|nonce| (1..=MAX_NONCE_LENGTH).contains(&nonce.len()))
            .and_then(|nonce| ascii(nonce, u8::is_ascii_alphanumeric))?;
        // Nothing depends on a malformed echostr but the answer to a GET, which is refused without one.
        let echostr = raw
            .echostr
            .filter(|echostr| (1..=MAX_ECHOSTR_LENGTH).contains(&echostr.len()))
            .and_then(|echostr| ascii(echostr, u8::is_ascii_graphic));
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
    /// at most `freshness` before or after `now`.
    ///
    /// WeCom signs nothing without a ciphertext; of its queries the timestamp alone is checked here, and that
    /// they are not a sealed reply's; [`envelope::open`](crate::envelope::open) checks the signature.
    ///
    /// Every token is tried, each compared in constant time. The signature comes first: only who
    /// knows a token learns something about this server's clock.
    ///
    /// # Errors
    ///
    /// [`RefusalKind::Parameters`] if there is no signature, [`RefusalKind::Signature`] or
    /// [`RefusalKind::Stale`].
    pub fn verify(
        &self,
        account: &Account,
        now: SystemTime,
        freshness: Duration,
    ) -> Result<(), Refusal> {
        if !account.is_wecom() {
            self.verify_signature(account)?;
        } else if self.nonce.starts_with(envelope::MARK) {
            // A reply of ours, sent back to us.
            return Err(Refusal::new(RefusalKind::Signature));
        }
        let distance = match now.duration_since(self.timestamp()) {
            Ok(age) => age,
            Err(ahead) => ahead.duration(),
        };
        if distance > freshness {
            return Err(Refusal::new(RefusalKind::Stale));
        }
        Ok(())
    }

    fn verify_signature(&self, account: &Account) -> Result<(), Refusal> {
        let signature = self
            .signature
            .ok_or(Refusal::new(RefusalKind::Parameters))?;
        let parts = [&*self.timestamp, &*self.nonce];
        let genuine = account
            .tokens()
            .iter()
            .map(|token| signature.ct_eq(&Signature::new(token, &parts)))
            .fold(Choice::from(0), |any, equal| any | equal);
        if !bool::from(genuine) {
            return Err(Refusal::new(RefusalKind::Signature));
        }
        Ok(())
    }

    /// When WeChat signed it, in whole seconds.
    pub fn timestamp(&self) -> SystemTime {
        // Ten digits of seconds end in the year 2286, which every platform's clock can say.
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds)
    }

    /// What a GET is to be answered with, as `text/plain` and nothing around it.
    ///
    /// # Errors
    ///
    /// [`RefusalKind::Echostr`] if there is none of 1 to 256 visible ASCII characters (`!` to `~`).
    /// WeChat's are digits; what else comes is kept from being a document of its own.
    pub fn echostr(&self) -> Result<&str, Refusal> {
        self.echostr
            .as_deref()
            .ok_or(Refusal::new(RefusalKind::Echostr))
    }

    /// What is signed with the ciphertext, unless the query says that there is none.
    pub(crate) fn msg_signature(&self) -> Option<Signature> {
        self.msg_signature.filter(|_| !self.is_raw)
    }

    pub(crate) fn timestamp_text(&self) -> &str {
        &self.timestamp
    }

    pub(crate) fn nonce(&self) -> &str {
        &self.nonce
    }

    pub(super) fn seconds(&self) -> u64 {
        self.seconds
    }

    pub(super) fn into_owned(self) -> Query<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Query {
            signature: self.signature,
            msg_signature: self.msg_signature,
            is_raw: self.is_raw,
            timestamp: owned(self.timestamp),
            seconds: self.seconds,
            nonce: owned(self.nonce),
            echostr: self.echostr.map(owned),
        }
    }
}

impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("timestamp", &self.seconds)
            .finish_non_exhaustive()
    }
}

/// The parameters that mean something, decoded, each given at most once.
#[derive(Default)]
struct Raw<'q> {
    signature: Option<Cow<'q, [u8]>>,
    timestamp: Option<Cow<'q, [u8]>>,
    nonce: Option<Cow<'q, [u8]>>,
    /// Compatible mode sends it to accounts in plain mode, too; a second one is still a forgery.
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

/// The outer `None` is for one that is no signature.
#[expect(
    clippy::option_option,
    reason = "absent is another thing than malformed"
)]
fn hex(signature: Option<Cow<'_, [u8]>>) -> Option<Option<Signature>> {
    match signature {
        Some(signature) => Signature::from_hex(&signature).map(Some),
        None => Some(None),
    }
}

/// `text` as a string, if every byte is one of the ASCII characters that `admitted` says.
fn ascii(text: Cow<'_, [u8]>, admitted: fn(&u8) -> bool) -> Option<Cow<'_, str>> {
    if !text.iter().all(admitted) {
        return None;
    }
    match text {
        Cow::Borrowed(text) => std::str::from_utf8(text).ok().map(Cow::Borrowed),
        Cow::Owned(text) => String::from_utf8(text).ok().map(Cow::Owned),
    }
}

/// The longest query, WeCom's with an encrypted echostr, stays below a quarter of it.
const MAX_LENGTH: usize = 4096;

/// Unix seconds have had ten digits since 2001 and will until 2286. With a fixed length only few ways
/// are left to move characters between timestamp and nonce, and all of them change the time.
const TIMESTAMP_LENGTH: usize = 10;

const MAX_NONCE_LENGTH: usize = 32;

const MAX_ECHOSTR_LENGTH: usize = 256;
