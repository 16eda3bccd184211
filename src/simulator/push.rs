use std::{borrow::Cow, fmt, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tower::{BoxError, Service};

use super::{
    Simulator, Transcript,
    answer::Parties,
    body::RequestBody,
    deliver::{Attack, Mishaps, Part, Plan, deliver},
};
use crate::timestamp::Timestamp;

/// Something for WeChat to push, made by a [`Simulator`]'s methods.
///
/// It is one message: its clones have the same CreateTime and MsgId.
#[derive(Debug, Clone)]
#[must_use = "nothing is sent until it is delivered"]
pub struct Push {
    simulator: Simulator,
    content: Content,
    mishaps: Mishaps,
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
    create_time: Timestamp,
    /// Events have none.
    msg_id: Option<String>,
    /// What only this type has, in WeChat's order.
    own: Vec<(Cow<'static, str>, String)>,
}

impl Push {
    pub(super) fn message(
        simulator: Simulator,
        msg_type: &'static str,
        own: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let msg_id = simulator.msg_id();
        Self::new(simulator, msg_type, Some(msg_id), own)
    }

    pub(super) fn event(simulator: Simulator, event: String) -> Self {
        Self::new(simulator, "event", None, [("Event", event)])
    }

    pub(super) fn raw(simulator: Simulator, body: Bytes) -> Self {
        Self {
            simulator,
            content: Content::Raw(body),
            mishaps: Mishaps::default(),
        }
    }

    fn new(
        simulator: Simulator,
        msg_type: &'static str,
        msg_id: Option<String>,
        own: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let own = own.into_iter().map(|(name, value)| (name.into(), value));
        let fields = Fields {
            to_user: simulator.original_id().to_owned(),
            msg_type,
            from_user: USER.to_owned(),
            create_time: simulator.now(),
            msg_id,
            own: own.collect(),
        };
        Self {
            simulator,
            content: Content::Fields(fields),
            mishaps: Mishaps::default(),
        }
    }

    /// Sent by the user with this OpenID. A raw body keeps its own.
    pub fn from_user(mut self, openid: impl Into<String>) -> Self {
        if let Content::Fields(fields) = &mut self.content {
            fields.from_user = openid.into();
        }
        self
    }

    /// With this MsgId, which need not be a number; by default a message's is one that no other of the
    /// simulator has, and an event has none. A raw body keeps its own.
    pub fn msg_id(mut self, id: impl fmt::Display) -> Self {
        if let Content::Fields(fields) = &mut self.content {
            fields.msg_id = Some(id.to_string());
        }
        self
    }

    /// With what was recognised in a voice message, which may be empty. A raw body keeps its own.
    pub fn recognition(self, words: impl Into<String>) -> Self {
        self.field("Recognition", words.into())
    }

    /// With this field, such as an event's `EventKey`, in the place of one of its name that only this type has,
    /// or behind the rest. A raw body keeps its own.
    ///
    /// What has elements inside is written as a raw body, with [`Simulator::xml`].
    pub fn field(mut self, name: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        if let Content::Fields(fields) = &mut self.content {
            let (name, value) = (name.into(), value.to_string());
            match fields.own.iter_mut().find(|(own, _)| *own == name) {
                Some((_, own)) => *own = value,
                None => fields.own.push((name, value)),
            }
        }
        self
    }

    /// Loses the first `count` answers: the service gives them, the connection breaks off before they
    /// arrive, and WeChat sends the message again.
    pub fn lose_answers(mut self, count: usize) -> Self {
        self.mishaps.lost_answers = count;
        self
    }

    /// Lets each request take this long to the service, and each answer as long on its way back. WeChat's
    /// 5 s include both.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.mishaps.latency = latency;
        self
    }

    /// Sends each delivery twice at the same time. The copies are in the transcript, each behind its original;
    /// the user sees what comes of the original.
    pub fn duplicate(mut self) -> Self {
        self.mishaps.is_duplicated = true;
        self
    }

    /// Holds the first delivery up on its way until WeChat has hung up on it: the service meets it behind
    /// the second.
    pub fn reorder(mut self) -> Self {
        self.mishaps.is_overtaken = true;
        self
    }

    /// Sends it as somebody does who does not know the token: once, with a wrong signature.
    ///
    /// The answer reaches no user, whatever it is. Of this, [`tamper`](Self::tamper) and
    /// [`downgrade`](Self::downgrade), the last one called holds.
    pub fn forge_signature(mut self) -> Self {
        self.mishaps.attack = Some(Attack::Forge);
        self
    }

    /// Sends it as somebody does who has captured a delivery and changed this part of it: once.
    ///
    /// The answer reaches no user, whatever it is.
    pub fn tamper(mut self, part: Part) -> Self {
        self.mishaps.attack = Some(Attack::Tamper(part));
        self
    }

    /// Sends it as somebody does who has captured the plain signature of an encrypted delivery: once, as plain
    /// mode does, the message readable in the body and nothing of the encryption in the query.
    ///
    /// The answer reaches no user, whatever it is. To an account in plain mode it is an ordinary delivery.
    pub fn downgrade(mut self) -> Self {
        self.mishaps.attack = Some(Attack::Downgrade);
        self
    }

    /// Delivers it until WeChat has an answer, up to three times.
    ///
    /// To keep the service, pass a clone or `&mut service`.
    pub async fn deliver<S, B>(self, service: S) -> Transcript
    where
        S: Service<Request<RequestBody>, Response = Response<B>>,
        S::Error: Into<BoxError>,
        B: Body,
        B::Error: Into<BoxError>,
    {
        deliver(self.plan(), RequestBody::new, service).await
    }

    /// As [`deliver`](Self::deliver), but each body trickles in over this time.
    ///
    /// A server that waits for it in vain answers 408, here after 2 s.
    pub async fn deliver_slowly<S, B>(self, over: Duration, service: S) -> Transcript
    where
        S: Service<Request<RequestBody>, Response = Response<B>>,
        S::Error: Into<BoxError>,
        B: Body,
        B::Error: Into<BoxError>,
    {
        deliver(self.plan(), |body| RequestBody::slow(body, over), service).await
    }

    fn plan(&self) -> Plan {
        let plaintext = self.body();
        let parties = Parties::of(&plaintext);
        let (query, body) = self.wrapped(plaintext, &parties);
        Plan {
            request: self.simulator.request(Method::POST, &query, body),
            query,
            account: self.simulator.account().clone(),
            parties,
            mishaps: self.mishaps.clone(),
        }
    }

    /// One delivery's request, signed now, for those who send it in a way of their own.
    ///
    /// # Errors
    ///
    /// If the OpenID makes the URI longer than [`http::Uri`] can be.
    pub fn request(&self) -> Result<Request<Bytes>, http::Error> {
        self.plan().request
    }

    fn wrapped(&self, plaintext: Bytes, parties: &Parties) -> (String, Bytes) {
        let (signed, body) = self.simulator.wrap(plaintext, self.mishaps.attack);
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

/// As WeChat writes a body: a line a field, its own numbers bare, everything else in sections whose ends are
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
        if let Some(msg_id) = &self.msg_id {
            writeln!(f, "<MsgId>{msg_id}</MsgId>")?;
        }
        f.write_str("</xml>")
    }
}

fn section(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "<{name}><![CDATA[{value}]]></{name}>")
}

/// An `OpenID` consists of letters, digits, `-` and `_`.
const OPENID_ESCAPES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The account's original id in every message to one that has none of its own.
pub(super) const ACCOUNT: &str = "gh_5130c4e1d2a7";

/// The OpenID of messages that name no other.
const USER: &str = "oSim-8fKq2vR0yT5wXe7Zb1cU4n";
