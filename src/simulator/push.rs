use std::fmt;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tower::{BoxError, Service};

use super::{
    Simulator, Transcript,
    answer::Parties,
    deliver::{Plan, deliver},
};

/// Something for WeChat to push, made by a [`Simulator`]'s methods.
///
/// It is one message: its clones have the same CreateTime and MsgId.
#[derive(Debug, Clone)]
#[must_use = "nothing is sent until it is delivered"]
pub struct Push {
    simulator: Simulator,
    content: Content,
    lost_answers: usize,
    forged: bool,
}

#[derive(Debug, Clone)]
enum Content {
    Fields(Fields),
    Raw(Bytes),
}

/// A message's fields; which of the optional ones there are, the type decides.
#[derive(Debug, Clone)]
struct Fields {
    to_user: String,
    msg_type: &'static str,
    from_user: String,
    create_time: u64,
    msg_id: String,
    /// What only this type has, in WeChat's order.
    own: Vec<(&'static str, String)>,
}

impl Push {
    pub(super) fn new(
        simulator: Simulator,
        msg_type: &'static str,
        own: Vec<(&'static str, String)>,
    ) -> Self {
        let fields = Fields {
            to_user: simulator.original_id().to_owned(),
            msg_type,
            from_user: USER.to_owned(),
            create_time: simulator.now(),
            msg_id: simulator.msg_id(),
            own,
        };
        Self::of(simulator, Content::Fields(fields))
    }

    pub(super) fn raw(simulator: Simulator, body: Bytes) -> Self {
        Self::of(simulator, Content::Raw(body))
    }

    fn of(simulator: Simulator, content: Content) -> Self {
        Self {
            simulator,
            content,
            lost_answers: 0,
            forged: false,
        }
    }

    /// Sent by the user with this OpenID. A raw body keeps its own.
    pub fn from_user(mut self, openid: impl Into<String>) -> Self {
        if let Content::Fields(fields) = &mut self.content {
            fields.from_user = openid.into();
        }
        self
    }

    /// With this MsgId, which need not be a number; by default it is one that no other message of the
    /// simulator has. A raw body keeps its own.
    pub fn msg_id(mut self, id: impl fmt::Display) -> Self {
        if let Content::Fields(fields) = &mut self.content {
            fields.msg_id = id.to_string();
        }
        self
    }

    /// With what was recognised in a voice message, which may be empty. A raw body keeps its own.
    pub fn recognition(mut self, words: impl Into<String>) -> Self {
        if let Content::Fields(fields) = &mut self.content {
            fields.own.retain(|(name, _)| *name != RECOGNITION);
            fields.own.push((RECOGNITION, words.into()));
        }
        self
    }

    /// Loses the first `count` answers: the service gives them, the connection breaks off before they
    /// arrive, and WeChat sends the message again.
    pub fn lose_answers(mut self, count: usize) -> Self {
        self.lost_answers = count;
        self
    }

    /// Sends it as somebody does who does not know the token: once, with a wrong signature.
    ///
    /// The answer reaches no user, whatever it is.
    pub fn forge_signature(mut self) -> Self {
        self.forged = true;
        self
    }

    /// Delivers it until WeChat has an answer, up to three times.
    ///
    /// To keep the service, pass a clone or `&mut service`.
    pub async fn deliver<S, B>(self, service: S) -> Transcript
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>>,
        S::Error: Into<BoxError>,
        B: Body,
        B::Error: Into<BoxError>,
    {
        let plaintext = self.body();
        let parties = Parties::of(&plaintext);
        let (query, body) = self.wrapped(plaintext, &parties);
        let plan = Plan {
            request: self.simulator.request(Method::POST, &query, body),
            query,
            account: self.simulator.account().clone(),
            parties,
            lost_answers: self.lost_answers,
            forged: self.forged,
        };
        deliver(plan, service).await
    }

    /// One delivery's request, signed now, for those who send it in a way of their own.
    ///
    /// # Errors
    ///
    /// If the OpenID makes the URI longer than [`http::Uri`] can be.
    pub fn request(&self) -> Result<Request<Bytes>, http::Error> {
        let plaintext = self.body();
        let parties = Parties::of(&plaintext);
        let (query, body) = self.wrapped(plaintext, &parties);
        self.simulator.request(Method::POST, &query, body)
    }

    fn wrapped(&self, plaintext: Bytes, parties: &Parties) -> (String, Bytes) {
        let (mut signed, body) = self.simulator.wrap(plaintext);
        if self.forged {
            signed.forge();
        }
        let mut query = signed.to_string();
        if !parties.user.is_empty() {
            query.push_str("&openid=");
            query.extend(utf8_percent_encode(&parties.user, OPENID_ESCAPES));
        }
        (query, body)
    }

    fn body(&self) -> Bytes {
        match &self.content {
            Content::Fields(fields) => fields.to_string().into(),
            Content::Raw(body) => body.clone(),
        }
    }
}

/// As WeChat writes a body: a line a field, numbers bare, everything else in sections whose ends are
/// not escaped.
impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<xml>\n")?;
        section(f, "ToUserName", &self.to_user)?;
        section(f, "FromUserName", &self.from_user)?;
        writeln!(f, "<CreateTime>{}</CreateTime>", self.create_time)?;
        section(f, "MsgType", self.msg_type)?;
        for (name, value) in &self.own {
            section(f, name, value)?;
        }
        writeln!(f, "<MsgId>{}</MsgId>", self.msg_id)?;
        f.write_str("</xml>")
    }
}

fn section(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "<{name}><![CDATA[{value}]]></{name}>")
}

/// An `OpenID` consists of letters, digits, `-` and `_`.
const OPENID_ESCAPES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

const RECOGNITION: &str = "Recognition";

/// The account's original id in every message to one that has none of its own.
pub(super) const ACCOUNT: &str = "gh_5130c4e1d2a7";

/// The OpenID of messages that name no other.
const USER: &str = "oSim-8fKq2vR0yT5wXe7Zb1cU4n";
