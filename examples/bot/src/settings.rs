//! The settings, from the environment. `bot.env` lists them.

use std::{fmt, net::SocketAddr};

use http::{HeaderValue, Uri};
use http_body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{BoxError, service_fn, util::BoxCloneSyncService};
use tower_wechat::{
    Account, Api,
    account::{AppId, EncodingAesKey, Token},
    api::{HttpClient, Recording},
};

use crate::openai::{OpenAi, recognize};

#[derive(Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    pub account: Account,
    /// With the AppSecret.
    pub api: Option<Api>,
    pub recognizer: Option<Recognizer>,
    pub redis: Option<redis::Client>,
}

pub type Recognizer = BoxCloneSyncService<Recording, String, BoxError>;

impl Settings {
    /// Reads the environment through `variable`. `http` sends the requests to WeChat's API.
    ///
    /// # Errors
    ///
    /// A line for each variable that is missing or wrong.
    pub fn read(
        variable: impl Fn(&str) -> Option<String>,
        http: impl HttpClient,
    ) -> Result<Self, String> {
        let mut env = Reader {
            variable,
            problems: Vec::new(),
        };
        let listen = env.optional("LISTEN", |address| {
            let parsed = address.parse().ok();
            parsed.ok_or("expected an address and a port, such as 0.0.0.0:8080")
        });
        let account = env.account();
        let api = env.api(http);
        let recognizer = env.recognizer();
        let redis = env.optional("REDIS_URL", redis::Client::open);
        match account {
            Some(account) if env.problems.is_empty() => Ok(Self {
                listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
                account,
                api,
                recognizer,
                redis,
            }),
            _ => Err(env.problems.join("\n")),
        }
    }
}

/// Reads on after a problem, so that the user learns all of them at once.
struct Reader<F> {
    variable: F,
    problems: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn account(&mut self) -> Option<Account> {
        let token = self.required("WECHAT_TOKEN", Token::new);
        let app_id = self.required("WECHAT_APP_ID", AppId::new);
        let aes_key = self.required("WECHAT_AES_KEY", EncodingAesKey::new);
        let account = Account::encrypted(token?, app_id?, aes_key?);
        self.checked("WECHAT_APP_ID", account)
    }

    fn api(&mut self, http: impl HttpClient) -> Option<Api> {
        let app_id = AppId::new(self.value("WECHAT_APP_ID").unwrap_or_default());
        // Whatever the app id is, the secret is checked.
        let app_id = app_id.as_ref().map_or("unknown", AppId::as_str);
        let api = self.optional("WECHAT_APP_SECRET", |secret| Api::new(http, app_id, secret))?;
        let moved = |url| api.clone().with_base_url(url);
        Some(self.optional("WECHAT_API_URL", moved).unwrap_or(api))
    }

    fn recognizer(&mut self) -> Option<Recognizer> {
        let url = self.optional("RECOGNIZER_URL", |url| {
            let url = Uri::try_from(url).ok().filter(|url| url.scheme().is_some());
            url.ok_or("expected a URL, such as http://127.0.0.1:8000/v1/audio/transcriptions")
        });
        let bearer = |key| HeaderValue::try_from(format!("Bearer {key}"));
        let key = self.optional("RECOGNIZER_KEY", bearer);
        if url.is_some() && self.value("WECHAT_APP_SECRET").is_none() {
            let problem = "needs WECHAT_APP_SECRET, to fetch the recordings";
            self.problem("RECOGNIZER_URL", problem);
        }
        let mut server = OpenAi {
            client: https(),
            url: url?,
            authorization: key.unwrap_or(HeaderValue::from_static("")),
            model: self
                .value("RECOGNIZER_MODEL")
                .unwrap_or("whisper-1".to_owned()),
        };
        server.authorization.set_sensitive(true);
        let recognize = move |recording| recognize(server.clone(), recording);
        Some(BoxCloneSyncService::new(service_fn(recognize)))
    }

    /// Returns the variable's value. An empty one is none.
    fn value(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn required<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(String) -> Result<T, E>,
    ) -> Option<T> {
        if self.value(name).is_none() {
            self.problem(name, "not set");
        }
        self.optional(name, parse)
    }

    fn optional<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(String) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.value(name)?;
        self.checked(name, parse(value))
    }

    fn checked<T>(&mut self, name: &str, value: Result<T, impl fmt::Display>) -> Option<T> {
        value.map_err(|error| self.problem(name, error)).ok()
    }

    fn problem(&mut self, name: &str, problem: impl fmt::Display) {
        self.problems.push(format!("{name}: {problem}"));
    }
}

/// Sends requests over HTTPS, or over HTTP to a server of your own.
pub fn https<B: Body<Data: Send> + Send>() -> Client<HttpsConnector<HttpConnector>, B> {
    let connector = HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http();
    Client::builder(TokioExecutor::new()).build(connector.enable_http1().build())
}
