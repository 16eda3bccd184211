//! A callback URL's settings: parsed once, redacted in `Debug`, wiped when dropped.
//!
//! What the console calls 服务器配置 (server configuration) becomes an [`Account`]. A wrong setting
//! fails here, when the account is built, never per request.
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
//! What goes wrong while setting up shows in the log (feature `tracing`) and in the refusal's
//! [kind](crate::signature::RefusalKind):
//!
//! | kind | cause, as a rule |
//! |---|---|
//! | `Signature` | the Token differs from the console's |
//! | `Stale` | this machine's clock is off |
//! | `Parameters` | no callback at all, or an encrypted account whose console says plain mode |
//! | `Envelope(Padding)`, `Envelope(Length)` | the EncodingAESKey differs from the console's |
//! | `Envelope(ReceiveId)` | the app id is another account's |
//! | `Envelope(Document)` | the console's mode is plain, and the body is not encrypted |

mod aes_key;
mod error;
mod token;

use std::{fmt, sync::Arc};

pub use self::{
    aes_key::EncodingAesKey,
    error::{Error, ErrorKind},
    token::Token,
};

/// One callback URL's settings.
///
/// Cloning is cheap: all clones share the settings.
#[derive(Clone)]
pub struct Account {
    settings: Arc<Settings>,
}

#[derive(Clone)]
struct Settings {
    /// Empty if there is none.
    name: Arc<str>,
    /// The current token first, then the previous ones.
    tokens: Vec<Token>,
    encryption: Option<Encryption>,
}

/// What an account of encrypted callbacks has beside its tokens.
#[derive(Clone)]
pub(crate) struct Encryption {
    /// Whose ciphertexts they are: an app id, a corp or suite id; empty for some of WeCom's.
    pub(crate) receive_id: Arc<str>,
    /// The current key first, then the previous ones; never empty.
    pub(crate) keys: Vec<EncodingAesKey>,
    pub(crate) platform: Platform,
}

/// Which rules of its own a platform has.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Platform {
    OfficialAccount,
    /// The echostr is encrypted, too, and nothing is signed without a ciphertext.
    WeCom,
    /// Pushes about authorizations, which are to nobody.
    Component,
    /// Messages to the account with this original id.
    Authorizer(Arc<str>),
}

impl Account {
    /// An Official Account or mini program in safe mode (安全模式) or compatible mode (兼容模式).
    ///
    /// Nothing but what the holder of `aes_key` has encrypted for `app_id` is accepted: no plaintext, whatever
    /// stands beside the ciphertext or in the query. Replies are encrypted.
    ///
    /// ```
    /// use tower_wechat::Account;
    ///
    /// let account = Account::encrypted(
    ///     "rosebud7",
    ///     "wx0a1b2c3d4e5f6071",
    ///     "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb",
    /// )?;
    /// assert_eq!(account.name(), "wx0a1b2c3d4e5f6071");
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If `token` is not 3 to 32 ASCII letters or digits, `aes_key` not 43 of them, or `app_id` empty.
    pub fn encrypted(
        token: impl AsRef<str>,
        app_id: impl Into<Arc<str>>,
        aes_key: impl AsRef<str>,
    ) -> Result<Self, Error> {
        let app_id = not_empty(app_id.into())?;
        Self::new(token, app_id, aes_key, Platform::OfficialAccount)
    }

    /// A WeCom (企业微信) app or suite, whose callbacks are always encrypted.
    ///
    /// `receive_id` is the corp id for an app of the corporation's own, the suite id for a suite's pushes,
    /// and the empty string where WeCom has none (suites of personal entities, smart bots).
    ///
    /// # Errors
    ///
    /// If `token` is not 3 to 32 ASCII letters or digits, or `aes_key` not 43 of them.
    pub fn wecom(
        token: impl AsRef<str>,
        receive_id: impl Into<Arc<str>>,
        aes_key: impl AsRef<str>,
    ) -> Result<Self, Error> {
        Self::new(token, receive_id.into(), aes_key, Platform::WeCom)
    }

    /// A third-party platform (第三方平台) of the open platform: the URL that receives tickets and
    /// authorizations (授权事件接收URL).
    ///
    /// It accepts pushes that are to nobody; messages to the accounts that have authorized it are for
    /// [`authorizer`](Self::authorizer). The pushes have to be answered with the literal `success`, which
    /// [`Reply::success`](crate::Reply::success) is.
    ///
    /// # Errors
    ///
    /// If `token` is not 3 to 32 ASCII letters or digits, `aes_key` not 43 of them, or `app_id` empty.
    pub fn component(
        token: impl AsRef<str>,
        app_id: impl Into<Arc<str>>,
        aes_key: impl AsRef<str>,
    ) -> Result<Self, Error> {
        let app_id = not_empty(app_id.into())?;
        Self::new(token, app_id, aes_key, Platform::Component)
    }

    /// The account with the original id `original_id` (`gh_…`), which has authorized this
    /// [component](Self::component).
    ///
    /// All authorizers' messages come with the component's token and key, to URLs that differ in the
    /// path alone, and the path is not signed: what was captured on its way to one authorizer would verify
    /// on another's path. So the receiver of each message is compared with `original_id`, which the server
    /// looks up by the path. It is also the account's name, if the component has not been given another, so
    /// that dedup keeps the authorizers apart: a shared name shares what one of them may leave unanswered.
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// use tower_wechat::{Account, signature::VerifySignatureLayer};
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
    /// let layer = VerifySignatureLayer::with_accounts(move |head| accounts.get(head.uri.path()).cloned());
    /// # Ok::<(), tower_wechat::account::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If this is not a component's account.
    pub fn authorizer(&self, original_id: impl Into<Arc<str>>) -> Result<Self, Error> {
        let mut settings = (*self.settings).clone();
        let original_id = original_id.into();
        match &mut settings.encryption {
            Some(Encryption {
                platform: platform @ Platform::Component,
                receive_id,
                ..
            }) => {
                *platform = Platform::Authorizer(Arc::clone(&original_id));
                // Nobody has named it: WeChat counts each authorizer's failures, and so does dedup.
                if settings.name == *receive_id {
                    settings.name = original_id;
                }
            }
            _ => return Err(Error::new(ErrorKind::NoComponent, 0)),
        }
        Ok(Self {
            settings: Arc::new(settings),
        })
    }

    /// An account in plain mode (明文模式).
    ///
    /// Plain mode protects little: its signature covers the query's timestamp and nonce, **not the
    /// body**. Whoever has seen one signed query string can send any message under it until the
    /// timestamp is too old. Put TLS in front and prefer the console's safe mode.
    ///
    /// # Errors
    ///
    /// If `token` is not 3 to 32 ASCII letters or digits.
    pub fn plain(token: impl AsRef<str>) -> Result<Self, Error> {
        Ok(Self {
            settings: Arc::new(Settings {
                name: Arc::from(""),
                tokens: vec![Token::new(token)?],
                encryption: None,
            }),
        })
    }

    fn new(
        token: impl AsRef<str>,
        receive_id: Arc<str>,
        aes_key: impl AsRef<str>,
        platform: Platform,
    ) -> Result<Self, Error> {
        Ok(Self {
            settings: Arc::new(Settings {
                name: Arc::clone(&receive_id),
                tokens: vec![Token::new(token)?],
                encryption: Some(Encryption {
                    receive_id,
                    keys: vec![EncodingAesKey::new(aes_key)?],
                    platform,
                }),
            }),
        })
    }

    /// Also accepts what is signed with `token`, as during a change of the console's token.
    ///
    /// # Errors
    ///
    /// If `token` is not 3 to 32 ASCII letters or digits.
    pub fn with_previous_token(mut self, token: impl AsRef<str>) -> Result<Self, Error> {
        let token = Token::new(token)?;
        Arc::make_mut(&mut self.settings).tokens.push(token);
        Ok(self)
    }

    /// Also opens what is encrypted with `aes_key`, as during a change of the console's EncodingAESKey. A
    /// reply is encrypted with the key that its message was.
    ///
    /// # Errors
    ///
    /// If `aes_key` is not 43 ASCII letters or digits, or the account is a plain one.
    pub fn with_previous_aes_key(mut self, aes_key: impl AsRef<str>) -> Result<Self, Error> {
        let aes_key = EncodingAesKey::new(aes_key)?;
        match &mut Arc::make_mut(&mut self.settings).encryption {
            Some(encryption) => encryption.keys.push(aes_key),
            None => return Err(Error::new(ErrorKind::NotEncrypted, 0)),
        }
        Ok(self)
    }

    /// Names the account: dedup keeps the messages of differently named accounts apart.
    ///
    /// Name every plain account that shares a process or a store with another; an encrypted one is called
    /// by its app id if it has no other name. The name is not a secret and stands in logs.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        Arc::make_mut(&mut self.settings).name = name.into();
        self
    }

    /// The name given with [`with_name`](Self::with_name), else an authorizer's original id, the app id or
    /// receive id; empty for a plain account without a name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.settings.name)
    }

    /// The tokens to try, the current one first; never empty.
    pub(crate) fn tokens(&self) -> &[Token] {
        &self.settings.tokens
    }

    pub(crate) fn is_wecom(&self) -> bool {
        self.encryption()
            .is_some_and(|encryption| encryption.platform == Platform::WeCom)
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
            .finish_non_exhaustive()
    }
}

fn not_empty(app_id: Arc<str>) -> Result<Arc<str>, Error> {
    if app_id.is_empty() {
        return Err(Error::new(ErrorKind::AppIdEmpty, 0));
    }
    Ok(app_id)
}
