//! The settings of a callback URL: parsed once, redacted in `Debug`, wiped when dropped.
//!
//! An [`Account`] holds what the console calls 服务器配置 (server configuration). A wrong setting is an error
//! when the account is built, never per request.
//!
//! # Which mode do I have?
//!
//! | the console says | constructor |
//! |---|---|
//! | 安全模式 (safe mode), with Token, EncodingAESKey and AppID | [`Account::encrypted`] |
//! | 兼容模式 (compatible mode) | [`Account::encrypted`]: it reads the encrypted half alone |
//! | 明文模式 (plain mode), or no EncodingAESKey at all | [`Account::plain`] |
//! | WeCom (企业微信): Token and EncodingAESKey of an app or suite | [`Account::wecom`] |
//! | open platform (开放平台), third-party platform: 授权事件接收URL | [`Account::component`] |
//! | open platform: 消息与事件接收URL, with `$APPID$` in it | [`Account::authorizer`] of the component |
//!
//! A wrong setting that only a delivery can reveal shows in the rejection's
//! [kind](crate::callback::ErrorKind), and with the feature `tracing` in the log. Rejections before a signature
//! has been found right are logged at `DEBUG`, since scanners cause them every day; the others at `WARN`.
//!
//! | kind | likely cause | level |
//! |---|---|---|
//! | `Signature` | the Token differs from the console's | `DEBUG` |
//! | `Parameters` | not a callback | `DEBUG` |
//! | `Parameters` | the account is encrypted, and the console says plain mode | `WARN` |
//! | `Timestamp` | this machine's clock is off | `WARN`; WeCom: `DEBUG` |
//! | `Padding`, `Length` | the EncodingAESKey differs from the console's | `WARN` |
//! | `ReceiveId` | the app id is another account's | `WARN` |
//! | `Document` | the console's mode is plain, and the body is not encrypted | `WARN`; WeCom: `DEBUG` |

mod error;
mod settings;

use std::{fmt, sync::Arc};

use self::{error::Cause, settings::strange_character};
pub use self::{
    error::{Error, ErrorKind},
    settings::{AppId, EncodingAesKey, Token},
};

/// The settings of one callback URL.
///
/// Cloning is cheap: all clones share the settings.
#[derive(Clone)]
pub struct Account {
    settings: Arc<Settings>,
}

/// How an account's callbacks are signed and encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Plain mode (明文模式): the body is neither signed nor encrypted.
    Plain,
    /// Safe mode (安全模式) or compatible mode (兼容模式) of an Official Account or mini program.
    Encrypted,
    /// WeCom (企业微信): always encrypted.
    WeCom,
    /// A third-party platform's own pushes: tickets and authorizations. Encrypted.
    Component,
    /// Messages to an account that has authorized a component. Encrypted for the component.
    Authorizer,
}

#[derive(Clone)]
struct Settings {
    /// Empty if there is none.
    name: Arc<str>,
    /// The current token first, then the previous ones.
    tokens: Vec<Token>,
    encryption: Option<Encryption>,
}

/// What an encrypted account has beside its tokens.
#[derive(Clone)]
pub(crate) struct Encryption {
    /// The id that its callbacks are encrypted for; empty for some of WeCom's.
    pub(crate) receive_id: Arc<str>,
    /// The current key first, then the previous ones; never empty.
    pub(crate) keys: Vec<EncodingAesKey>,
    pub(crate) platform: Platform,
}

/// Platforms with rules of their own.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Platform {
    OfficialAccount,
    /// The echostr is encrypted, too, and nothing is signed without a ciphertext.
    WeCom,
    /// Pushes about authorizations, which have no receiver.
    Component,
    /// Messages to the account with this original id.
    Authorizer(Arc<str>),
}

impl Account {
    /// An Official Account or mini program in safe mode (安全模式) or compatible mode (兼容模式).
    ///
    /// The account accepts only what the holder of `aes_key` has encrypted for `app_id`. Plaintext in the body or
    /// the query is never read. Replies are encrypted.
    ///
    /// Each argument is text, or a value that has been parsed before.
    ///
    /// ```
    /// use tower_wechat::{Account, account::{AppId, EncodingAesKey, Token}};
    ///
    /// let account = Account::encrypted(
    ///     "rosebud7",
    ///     "wx0a1b2c3d4e5f6071",
    ///     "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb",
    /// )?;
    /// assert_eq!(account.name(), "wx0a1b2c3d4e5f6071");
    ///
    /// let token = Token::new("rosebud7")?;
    /// let app_id = AppId::new("wx0a1b2c3d4e5f6071")?;
    /// let aes_key = EncodingAesKey::new("q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb")?;
    /// let account = Account::encrypted(token, app_id, aes_key)?;
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If one of the values cannot be right: see [`Token::new`], [`AppId::new`] and [`EncodingAesKey::new`]. Also
    /// if token and app id seem to be swapped: the token begins with `wx`, as all app ids do, and the app id does not.
    pub fn encrypted(
        token: impl TryInto<Token, Error: Into<Error>>,
        app_id: impl TryInto<AppId, Error: Into<Error>>,
        aes_key: impl TryInto<EncodingAesKey, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        Self::of_app(token, app_id, aes_key, Platform::OfficialAccount)
    }

    /// A WeCom (企业微信) app or suite, whose callbacks are always encrypted.
    ///
    /// `receive_id` is the corp id for a corporation's own app, and the suite id for the pushes of a suite. It is the
    /// empty string where WeCom has none: suites of personal entities, and smart bots.
    ///
    /// # Errors
    ///
    /// If one of the values cannot be right: see [`Token::new`], [`AppId::new`] and [`EncodingAesKey::new`].
    pub fn wecom(
        token: impl TryInto<Token, Error: Into<Error>>,
        receive_id: impl TryInto<AppId, Error: Into<Error>>,
        aes_key: impl TryInto<EncodingAesKey, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        let receive_id = match parse::<AppId>(receive_id) {
            Ok(id) => id.into_shared(),
            Err(Error(Cause::AppIdEmpty)) => Arc::from(""),
            Err(error) => return Err(error),
        };
        let (token, aes_key) = (parse(token)?, parse(aes_key)?);
        Ok(Self::new(token, receive_id, aes_key, Platform::WeCom))
    }

    /// A third-party platform (第三方平台) of the open platform: the URL that receives tickets and
    /// authorizations (授权事件接收URL).
    ///
    /// It accepts pushes without a receiver. Messages to the accounts that have authorized it are for
    /// [`authorizer`](Self::authorizer). WeChat expects the literal `success` as the answer, which
    /// [`Reply::success`](crate::reply::Reply::success) is.
    ///
    /// # Errors
    ///
    /// The same as of [`encrypted`](Self::encrypted).
    pub fn component(
        token: impl TryInto<Token, Error: Into<Error>>,
        app_id: impl TryInto<AppId, Error: Into<Error>>,
        aes_key: impl TryInto<EncodingAesKey, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        Self::of_app(token, app_id, aes_key, Platform::Component)
    }

    /// The account with the original id `original_id` (`gh_…`), which has authorized this
    /// [component](Self::component).
    ///
    /// The messages of all authorizers are signed and encrypted with the component's token and key. Their URLs
    /// differ in the path alone, and the path is not signed: a message captured on the way to one authorizer would
    /// verify on another's path. So the receiver of each message is compared with `original_id`, which the server
    /// looks up by the path.
    ///
    /// The original id becomes the account's name, unless the component has been [named](Self::with_name). Dedup
    /// then keeps the authorizers apart, and one of them cannot use up the hang-ups of another. The name labels
    /// metrics only once a message to this account has been opened; before, the component's name does.
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// use tower_wechat::{Account, VerifySignatureLayer};
    ///
    /// let component = Account::component(
    ///     "rosebud7",
    ///     "wx9f8e7d6c5b4a3021",
    ///     "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb",
    /// )?;
    /// let news = component.authorizer("gh_5d1c0e94a7b3")?;
    /// let accounts = HashMap::from([
    ///     ("/wechat/events", component),
    ///     ("/wechat/wx0a1b2c3d4e5f6071/callback", news),
    /// ]);
    /// let layer = VerifySignatureLayer::from_fn(move |head| accounts.get(head.uri.path()).cloned());
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If this is not a component's account, or if `original_id` is empty or has a character other than ASCII
    /// letters, digits, `_` and `-`.
    pub fn authorizer(&self, original_id: impl AsRef<str>) -> Result<Self, Error> {
        let original_id = original_id.as_ref();
        if original_id.is_empty() {
            return Err(Error(Cause::OriginalIdEmpty));
        }
        if let Some(position) = strange_character(original_id) {
            return Err(Error(Cause::OriginalIdCharacter(position)));
        }
        let original_id: Arc<str> = Arc::from(original_id);
        let mut settings = (*self.settings).clone();
        match &mut settings.encryption {
            Some(Encryption {
                platform: platform @ Platform::Component,
                receive_id,
                ..
            }) => {
                *platform = Platform::Authorizer(Arc::clone(&original_id));
                // Not named by the user: WeChat counts failures by authorizer, and so does dedup.
                if settings.name == *receive_id {
                    settings.name = original_id;
                }
            }
            _ => return Err(Error(Cause::NotAComponent(self.mode()))),
        }
        Ok(Self {
            settings: Arc::new(settings),
        })
    }

    /// An account in plain mode (明文模式).
    ///
    /// Plain mode protects little: its signature covers the query's timestamp and nonce, **not the body**. Anyone
    /// who has seen one signed query string can send any message with it until the timestamp is too old. Put TLS
    /// in front, and prefer the console's safe mode.
    ///
    /// # Errors
    ///
    /// If `token` is not 3 to 32 ASCII letters or digits.
    pub fn plain(token: impl TryInto<Token, Error: Into<Error>>) -> Result<Self, Error> {
        Ok(Self {
            settings: Arc::new(Settings {
                name: Arc::from(""),
                tokens: vec![parse(token)?],
                encryption: None,
            }),
        })
    }

    fn of_app(
        token: impl TryInto<Token, Error: Into<Error>>,
        app_id: impl TryInto<AppId, Error: Into<Error>>,
        aes_key: impl TryInto<EncodingAesKey, Error: Into<Error>>,
        platform: Platform,
    ) -> Result<Self, Error> {
        let (token, app_id): (Token, AppId) = (parse(token)?, parse(app_id)?);
        if looks_like_app_id(token.as_str()) && !looks_like_app_id(app_id.as_str()) {
            return Err(Error(Cause::Swapped));
        }
        let aes_key = parse(aes_key)?;
        Ok(Self::new(token, app_id.into_shared(), aes_key, platform))
    }

    fn new(
        token: Token,
        receive_id: Arc<str>,
        aes_key: EncodingAesKey,
        platform: Platform,
    ) -> Self {
        Self {
            settings: Arc::new(Settings {
                name: Arc::clone(&receive_id),
                tokens: vec![token],
                encryption: Some(Encryption {
                    receive_id,
                    keys: vec![aes_key],
                    platform,
                }),
            }),
        }
    }

    /// Also accepts signatures made with `token`, for the time in which the console's token changes.
    ///
    /// # Errors
    ///
    /// If `token` is not 3 to 32 ASCII letters or digits.
    pub fn with_previous_token(
        mut self,
        token: impl TryInto<Token, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        let token = parse(token)?;
        Arc::make_mut(&mut self.settings).tokens.push(token);
        Ok(self)
    }

    /// Also opens bodies encrypted with `aes_key`, for the time in which the console's EncodingAESKey changes.
    /// A reply is encrypted with the key that opened its message.
    ///
    /// # Errors
    ///
    /// If `aes_key` is not 43 ASCII letters or digits, or the account is a plain one.
    pub fn with_previous_aes_key(
        mut self,
        aes_key: impl TryInto<EncodingAesKey, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        let aes_key = parse(aes_key)?;
        match &mut Arc::make_mut(&mut self.settings).encryption {
            Some(encryption) => encryption.keys.push(aes_key),
            None => return Err(Error(Cause::NotEncrypted)),
        }
        Ok(self)
    }

    /// Names the account: dedup keeps the messages of differently named accounts apart.
    ///
    /// Name every plain account that shares a process or a store with another. An encrypted account without a
    /// name is called by its app id.
    ///
    /// The name is not a secret: it labels metrics, and log lines and spans show it. Choose it from your own list
    /// of accounts. A name made from the request, such as its path, lets anyone who has one signed query create
    /// as many time series and dedup entries as they like, since WeChat signs neither path nor host.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        Arc::make_mut(&mut self.settings).name = name.into();
        self
    }

    /// The name given with [`with_name`](Self::with_name); otherwise an authorizer's original id, the app id or
    /// the receive id. Empty for a plain account without a name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// How this account's callbacks are signed and encrypted.
    ///
    /// ```
    /// use tower_wechat::{Account, account::Mode};
    ///
    /// assert_eq!(Account::plain("rosebud7")?.mode(), Mode::Plain);
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    pub fn mode(&self) -> Mode {
        match self.encryption().map(|encryption| &encryption.platform) {
            None => Mode::Plain,
            Some(Platform::OfficialAccount) => Mode::Encrypted,
            Some(Platform::WeCom) => Mode::WeCom,
            Some(Platform::Component) => Mode::Component,
            Some(Platform::Authorizer(_)) => Mode::Authorizer,
        }
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.settings.name)
    }

    /// The name as far as a signature tells accounts apart: all authorizers that are called by their original id
    /// have the component's, because they share its token.
    pub(crate) fn signed_name(&self) -> Arc<str> {
        match self.encryption() {
            Some(Encryption {
                platform: Platform::Authorizer(original_id),
                receive_id,
                ..
            }) if *original_id == self.settings.name => Arc::clone(receive_id),
            _ => self.shared_name(),
        }
    }

    /// The tokens to try, the current one first; never empty.
    pub(crate) fn tokens(&self) -> &[Token] {
        &self.settings.tokens
    }

    pub(crate) fn is_wecom(&self) -> bool {
        self.mode() == Mode::WeCom
    }

    /// `None` in plain mode.
    pub(crate) fn encryption(&self) -> Option<&Encryption> {
        self.settings.encryption.as_ref()
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.settings.name)
            .field("mode", &self.mode())
            .finish_non_exhaustive()
    }
}

fn parse<T>(setting: impl TryInto<T, Error: Into<Error>>) -> Result<T, Error> {
    setting.try_into().map_err(Into::into)
}

fn looks_like_app_id(text: &str) -> bool {
    text.starts_with("wx")
}
