//! The settings of a callback URL: parsed once, redacted in `Debug`, wiped when dropped.
//!
//! An [`Account`] holds the settings that the console calls 服务器配置 (server configuration). A malformed setting is an
//! error when the account is built, never per request.
//!
//! # Which mode do I have?
//!
//! | the console says | constructor |
//! |---|---|
//! | 安全模式 (safe mode), with Token, EncodingAESKey and AppID | [`Account::encrypted`] |
//! | 兼容模式 (compatible mode) | [`Account::encrypted`]: it reads the ciphertext and nothing beside it |
//! | 明文模式 (plain mode), or no EncodingAESKey at all | [`Account::plain`] |
//! | WeCom (企业微信): Token and EncodingAESKey of an app or suite | [`Account::wecom`] |
//! | 微信云托管 (cloud hosting): no settings but a path | [`Account::insecure_cloud_hosting`], if nobody but the platform reaches the port |
//! | WeCom: Token and EncodingAESKey of a smart bot (智能机器人) in API mode | [`Account::smart_bot`] |
//! | open platform (开放平台), third-party platform: 授权事件接收URL | [`Account::component`] |
//! | open platform: 消息与事件接收URL, with `$APPID$` in it | [`Account::authorizer`] of the component |
//!
//! # Finding a wrong setting
//!
//! Some wrong settings show only when a delivery comes. The delivery is rejected, and the
//! [kind](crate::callback::ErrorKind) of the rejection hints at the setting. The rejection's message begins with the
//! cause. With the feature `tracing`, the log has it too: at `WARN` or `ERROR` after a valid signature, otherwise at
//! `DEBUG`, since scanners cause such rejections every day.
//!
//! Saving the URL in the console verifies the Token alone. Only the first message shows whether the EncodingAESKey, the
//! AppID and the mode are right, except for WeCom, which encrypts its verification too.
//!
//! | kind | likely cause | level |
//! |---|---|---|
//! | `PlainAccount` | the push is encrypted and the account is plain: build it with [`Account::encrypted`], or set 消息加解密方式 in the console to 明文模式 (plain mode) | `ERROR` |
//! | `EncryptedAccount` | the push is in plaintext and the account is encrypted: set 消息加解密方式 in the console to 安全模式 (safe mode), or build it with [`Account::plain`] | `ERROR` |
//! | `Signature` | the Token differs from the console's | `DEBUG` |
//! | `Signature` of the ciphertext, after a right one of the query | a proxy has changed the body | `WARN` |
//! | `Parameters` | the request is not a callback | `DEBUG` |
//! | `Timestamp` | this machine's clock is off | `WARN`; WeCom: `DEBUG` |
//! | `Padding`, `Length` | the EncodingAESKey differs from the console's | `ERROR` |
//! | `ReceiveId` | the app id is another account's | `ERROR` |
//! | `Echostr` | a redirect has made a `GET` of a `POST`: let the proxy serve the URL as the console has it | `WARN` |
//! | [`Source`](crate::verify::RejectionKind::Source) | a request to an account on cloud hosting does not come from the platform: is 公网访问 on? | `DEBUG` |
//! | `Document` | the body has no ciphertext: a proxy may have changed it | `WARN`; WeCom: `DEBUG` |

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
    settings: Arc<AccountSettings>,
}

/// How an account's callbacks are signed and encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Plain mode (明文模式). The body is neither signed nor encrypted.
    Plain,
    /// Safe mode (安全模式) or compatible mode (兼容模式) of an Official Account or mini program.
    Encrypted,
    /// WeCom (企业微信). Always encrypted.
    WeCom,
    /// A smart bot of WeCom (智能机器人). Always encrypted, in JSON.
    SmartBot,
    /// A third-party platform's own pushes: tickets and authorizations. Encrypted.
    Component,
    /// Cloud hosting (微信云托管). Neither signed nor encrypted.
    CloudHosting,
    /// Messages to an account that has authorized a component. Encrypted for that component.
    Authorizer,
}

#[derive(Clone)]
struct AccountSettings {
    /// Empty if the account has no name.
    name: Arc<str>,
    /// The current token first, then the previous ones. Cloud hosting has none.
    tokens: Vec<Token>,
    encryption: Option<Encryption>,
}

/// The settings that only an encrypted account has.
#[derive(Clone)]
pub(crate) struct Encryption {
    /// The id that its callbacks are encrypted for; empty for some WeCom apps.
    pub(crate) receive_id: Arc<str>,
    /// The current key first, then the previous ones; never empty.
    pub(crate) keys: Vec<EncodingAesKey>,
    pub(crate) platform: Platform,
}

/// The platforms, which differ in their rules for callbacks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Platform {
    OfficialAccount,
    /// Encrypts the echostr too, and signs only ciphertexts.
    WeCom,
    /// Likewise. Its envelopes are in JSON, with names in lower case.
    SmartBot,
    /// Pushes about authorizations. They name no receiver.
    Component,
    /// Messages to the account with this original id.
    Authorizer(Arc<str>),
}

impl Account {
    /// Makes the account of an Official Account or mini program in safe mode (安全模式) or compatible mode (兼容模式).
    ///
    /// The account accepts only messages that a holder of `aes_key` has encrypted for `app_id`. It never reads
    /// plaintext in the body or the query. Its replies are encrypted.
    ///
    /// Each argument is text, or a value that has already been parsed.
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
    /// If a value is malformed: see [`Token::new`], [`AppId::new`] and [`EncodingAesKey::new`]. Also if token and app
    /// id seem to be swapped: the token begins with `wx`, as all app ids do, and the app id does not. Also if the app id
    /// is the account's original id, which begins with `gh_`.
    pub fn encrypted(
        token: impl TryInto<Token, Error: Into<Error>>,
        app_id: impl TryInto<AppId, Error: Into<Error>>,
        aes_key: impl TryInto<EncodingAesKey, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        Self::of_app(token, app_id, aes_key, Platform::OfficialAccount)
    }

    /// Makes the account of a WeCom (企业微信) app or suite. Its callbacks are always encrypted.
    ///
    /// An app's messages and events are [`Message`](crate::Message)s, and the pushes to a suite
    /// [`SuiteMessage`](crate::message::wecom::SuiteMessage)s: see [`wecom`](crate::message::wecom).
    ///
    /// `receive_id` is the corp id for a corporation's own app, and the suite id for the pushes of a suite. Pass the
    /// empty string where WeCom has no such id: for suites of personal entities. A smart bot has an account of its own:
    /// [`smart_bot`](Self::smart_bot).
    ///
    /// # Errors
    ///
    /// If a value is malformed: see [`Token::new`], [`AppId::new`] and [`EncodingAesKey::new`]. Also if token and
    /// receive id seem to be swapped: the token begins with `ww`, `wx`, `dk` or `tj`, as WeCom's ids do, and the
    /// receive id does not.
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
        let token: Token = parse(token)?;
        // An app without an id has nothing to swap.
        let is_id = |text| looks_like_id(text, &WECOM_PREFIXES);
        if !receive_id.is_empty() && is_id(token.as_str()) && !is_id(&receive_id) {
            return Err(Error(Cause::Swapped));
        }
        let aes_key = parse(aes_key)?;
        Ok(Self::new(token, receive_id, aes_key, Platform::WeCom))
    }

    /// Makes the account of a smart bot (智能机器人) of WeCom, in API mode with a callback URL. Its callbacks are always
    /// encrypted, for no id.
    ///
    /// Its messages and events are [`BotMessage`](crate::message::smart_bot::BotMessage)s, in JSON: reading them needs the
    /// feature `json`. The account accepts only pushes that are a smart bot's.
    ///
    /// All such accounts have the empty name. Give each a [name](Self::with_name) if one stack serves several bots.
    ///
    /// ```
    /// use tower_wechat::Account;
    ///
    /// let account = Account::smart_bot("rosebud7", "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb")?
    ///     .with_name("bot");
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a value is malformed: see [`Token::new`] and [`EncodingAesKey::new`].
    pub fn smart_bot(
        token: impl TryInto<Token, Error: Into<Error>>,
        aes_key: impl TryInto<EncodingAesKey, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        let (token, aes_key) = (parse(token)?, parse(aes_key)?);
        Ok(Self::new(token, Arc::from(""), aes_key, Platform::SmartBot))
    }

    /// Makes the account of a third-party platform (第三方平台) of the open platform, for the URL that receives its tickets
    /// and authorizations (授权事件接收URL).
    ///
    /// The account accepts only pushes that name no receiver. For messages to the accounts that have authorized the
    /// platform, use [`authorizer`](Self::authorizer). WeChat expects the word `success` as the answer:
    /// [`Reply::success`](crate::reply::Reply::success).
    ///
    /// The pushes are [`PlatformMessage`](crate::message::platform::PlatformMessage)s. Every ten minutes one of them brings the
    /// ticket for the platform's access token. Keep the newest one, where it survives a restart:
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    ///
    /// use tower::ServiceBuilder;
    /// use tower_wechat::{
    ///     Account, DedupLayer, VerifySignatureLayer,
    ///     message::platform::{PlatformEvent, PlatformMessage},
    ///     message_fn,
    /// };
    ///
    /// let account = Account::component(
    ///     "rosebud7",
    ///     "wx9f8e7d6c5b4a3021",
    ///     "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb",
    /// )?;
    /// // A database, or a file.
    /// let newest = Arc::new(Mutex::new(None));
    /// let kept = Arc::clone(&newest);
    /// let service = ServiceBuilder::new()
    ///     .layer(VerifySignatureLayer::new(account))
    ///     .layer(DedupLayer::in_memory())
    ///     .service(message_fn(move |push: PlatformMessage| {
    ///         if let PlatformEvent::ComponentVerifyTicket(ticket) = push.event {
    ///             *kept.lock().unwrap() = Some(ticket.component_verify_ticket);
    ///         }
    ///         // `()` is answered with `success`.
    ///         async {}
    ///     }));
    /// # let _ = (service, newest);
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The same as for [`encrypted`](Self::encrypted).
    pub fn component(
        token: impl TryInto<Token, Error: Into<Error>>,
        app_id: impl TryInto<AppId, Error: Into<Error>>,
        aes_key: impl TryInto<EncodingAesKey, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        Self::of_app(token, app_id, aes_key, Platform::Component)
    }

    /// Makes the account of an authorizer: an account with the original id `original_id` (`gh_…`) that has authorized
    /// this [component](Self::component).
    ///
    /// Messages to all authorizers are signed and encrypted with the component's token and key. Their URLs differ only
    /// in the path, which is not signed. So a message captured on its way to one authorizer has a valid signature on
    /// another's path too. For that reason the receiver of each message is compared with `original_id`. Look that id up
    /// by the path.
    ///
    /// The original id becomes the account's name, unless the component has been [named](Self::with_name). Then dedup
    /// keeps the authorizers apart, and one of them cannot use up another's hang-ups. Metrics use this name only after
    /// a message to the account has been opened. Before that, they use the component's name.
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
                // The user gave no name. WeChat counts failures per authorizer, and dedup counts per name.
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

    /// Makes an account in plain mode (明文模式).
    ///
    /// Plain mode protects little: its signature covers the query's timestamp and nonce, **not the body**. Anyone who
    /// has seen one signed query string can send any message with it until its timestamp is too old. Serve the URL over
    /// TLS, and prefer safe mode.
    ///
    /// # Errors
    ///
    /// If `token` is not 3 to 32 ASCII letters or digits.
    pub fn plain(token: impl TryInto<Token, Error: Into<Error>>) -> Result<Self, Error> {
        Ok(Self {
            settings: Arc::new(AccountSettings {
                name: Arc::from(""),
                tokens: vec![parse(token)?],
                encryption: None,
            }),
        })
    }

    /// Makes the account of a service on WeChat's cloud hosting (微信云托管) that pushes are configured for. The platform
    /// neither signs nor encrypts them.
    ///
    /// The account accepts all requests that have the platform's header `X-WX-SOURCE` (`X-WX-SOURCES` on another page of
    /// WeChat's), and answers the console's probe of the path. **Anyone who reaches the port can send that header.** By
    /// calling this function, you say that only the platform reaches it:
    ///
    /// - 公网访问 (public access) of the service is off, for its default domain and for your own.
    /// - No other service in the network forwards requests from outside to the path.
    /// - No user of the accounts on this environment knows the path. `wx.cloud.callContainer` reaches each path of a
    ///   service, and the platform adds the header to these requests too. So a user with a modified client can send any
    ///   message as anybody. Give the pushes a path that cannot be guessed, keep it secret, and let no message alone move
    ///   money: ask WeChat's API.
    ///
    /// There is no timestamp either. Dedup treats a copy of a delivery as a retry while it remembers the message. Later the
    /// copy runs the message again.
    ///
    /// ```
    /// use tower_wechat::{Account, account::Mode};
    ///
    /// let account = Account::insecure_cloud_hosting("wx0a1b2c3d4e5f6071")?;
    /// assert_eq!(account.mode(), Mode::CloudHosting);
    /// assert_eq!(account.name(), "wx0a1b2c3d4e5f6071");
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the app id is malformed, see [`AppId::new`], or is the account's original id, which begins with `gh_`.
    pub fn insecure_cloud_hosting(
        app_id: impl TryInto<AppId, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        let app_id: AppId = parse(app_id)?;
        if app_id.as_str().starts_with("gh_") {
            return Err(Error(Cause::OriginalIdAsAppId));
        }
        Ok(Self {
            settings: Arc::new(AccountSettings {
                name: app_id.into_shared(),
                tokens: Vec::new(),
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
        if app_id.as_str().starts_with("gh_") {
            return Err(Error(Cause::OriginalIdAsAppId));
        }
        let is_id = |text| looks_like_id(text, &[APP_PREFIX]);
        if is_id(token.as_str()) && !is_id(app_id.as_str()) {
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
            settings: Arc::new(AccountSettings {
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

    /// Adds a token whose signatures are accepted too, for the time in which the console changes the token.
    ///
    /// # Errors
    ///
    /// If `token` is not 3 to 32 ASCII letters or digits, or the account is on cloud hosting and has no token.
    pub fn with_previous_token(
        mut self,
        token: impl TryInto<Token, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        let token = parse(token)?;
        if self.is_cloud_hosted() {
            return Err(Error(Cause::NoToken));
        }
        Arc::make_mut(&mut self.settings).tokens.push(token);
        Ok(self)
    }

    /// Adds a key that opens bodies too, for the time in which the console changes the EncodingAESKey.
    ///
    /// A reply is encrypted with the key that opened its message.
    ///
    /// # Errors
    ///
    /// If `aes_key` is not 43 ASCII letters or digits, or the account is in plain mode.
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

    /// Sets the account's name. Dedup keeps the messages of accounts with different names apart.
    ///
    /// By default, an encrypted account and one on cloud hosting are named by their app id, a WeCom account by its receive
    /// id, and an authorizer by its original id. A plain account, a smart bot, and a WeCom account without a receive id
    /// have the empty name. Name each of these that shares a process or a store with another account.
    ///
    /// The name is not a secret: metrics, log lines and spans show it. Choose it from a list of your own. Do not make
    /// it from the request, such as from its path. WeChat signs neither path nor host, so anyone with one signed query
    /// could then create any number of time series and dedup entries.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        Arc::make_mut(&mut self.settings).name = name.into();
        self
    }

    /// Returns the account's name: the one set by [`with_name`](Self::with_name), otherwise an authorizer's original
    /// id, the app id or the receive id. It is empty if none of these exists, as for a plain account or a smart bot.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Returns how this account's callbacks are signed and encrypted.
    ///
    /// ```
    /// use tower_wechat::{Account, account::Mode};
    ///
    /// assert_eq!(Account::plain("rosebud7")?.mode(), Mode::Plain);
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    pub fn mode(&self) -> Mode {
        match self.encryption().map(|encryption| &encryption.platform) {
            None if self.is_cloud_hosted() => Mode::CloudHosting,
            None => Mode::Plain,
            Some(Platform::OfficialAccount) => Mode::Encrypted,
            Some(Platform::WeCom) => Mode::WeCom,
            Some(Platform::SmartBot) => Mode::SmartBot,
            Some(Platform::Component) => Mode::Component,
            Some(Platform::Authorizer(_)) => Mode::Authorizer,
        }
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.settings.name)
    }

    /// Returns the name that a valid signature proves. For an authorizer named by its original id, this is the
    /// component's name: all authorizers share the component's token.
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

    /// Returns the tokens to try, the current one first. Only cloud hosting has none: no signature is valid there.
    pub(crate) fn tokens(&self) -> &[Token] {
        &self.settings.tokens
    }

    pub(crate) fn is_cloud_hosted(&self) -> bool {
        self.settings.tokens.is_empty()
    }

    /// Returns whether WeCom encrypts the echostr too, and signs only ciphertexts.
    pub(crate) fn is_wecom(&self) -> bool {
        matches!(self.mode(), Mode::WeCom | Mode::SmartBot)
    }

    /// Returns the settings for encryption; `None` in plain mode.
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

fn looks_like_id(text: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| text.starts_with(prefix))
}

/// The prefix of all app ids.
const APP_PREFIX: &str = "wx";

/// The prefixes of corp ids and suite ids; `dk` is for suites that develop on behalf of a corporation (代开发).
const WECOM_PREFIXES: [&str; 4] = ["ww", APP_PREFIX, "dk", "tj"];
