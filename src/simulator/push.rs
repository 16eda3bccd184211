//! A message or an event to push, built field by field.

use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use http_body::Body;
use memchr::memmem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tower::Service;

use super::{
    BoxError, Fault, Simulator, Transcript,
    answer::Parties,
    body::RequestBody,
    deliver::{Attack, Mishaps, Part, Plan, Sent, deliver},
    sign::SignedQuery,
    smart_bot::{self, BotPush},
    unique::number,
};
use crate::{account::Mode, api::Recording, timestamp::Timestamp};

/// A message or event to deliver. The methods of [`Simulator`] make it.
///
/// Clones are the same message: they have the same CreateTime and MsgId.
#[derive(Debug, Clone)]
#[must_use = "nothing is sent until it is delivered"]
pub struct Push {
    simulator: Simulator,
    content: PushContent,
    mishaps: Mishaps,
    /// Whether the user has sent it: set by the first delivery, for all clones.
    is_sent: Arc<AtomicBool>,
}

#[derive(Debug, Clone)]
enum PushContent {
    PushFields(PushFields),
    Raw(Bytes),
}

/// A message's fields. Its type decides which optional fields it has.
#[derive(Debug, Clone)]
struct PushFields {
    to_user: String,
    msg_type: &'static str,
    from_user: String,
    create_time: Timestamp,
    /// `None` for events, unless it is set.
    msg_id: Option<String>,
    /// The group chat in which a smart bot is addressed.
    chat_id: Option<String>,
    /// The fields that only this type has, in WeChat's order.
    own: Vec<(Cow<'static, str>, String)>,
    /// The recording behind `MediaId`, and the one behind `MediaId16K`.
    sound: Option<Recording>,
    sound_16k: Option<Recording>,
}

impl Push {
    pub(super) fn message(
        simulator: Simulator,
        msg_type: &'static str,
        own: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        Self::new(simulator, msg_type, Some(number().to_string()), own)
    }

    pub(super) fn event(simulator: Simulator, event: String) -> Self {
        let is_bots = simulator.account().mode() == Mode::SmartBot;
        let msg_id = is_bots.then(|| number().to_string());
        Self::new(simulator, "event", msg_id, [("Event", event)])
    }

    pub(super) fn raw(simulator: Simulator, body: Bytes) -> Self {
        Self {
            simulator,
            content: PushContent::Raw(body),
            mishaps: Mishaps::default(),
            is_sent: Arc::default(),
        }
    }

    fn new(
        simulator: Simulator,
        msg_type: &'static str,
        msg_id: Option<String>,
        own: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let own = own.into_iter().map(|(name, value)| (name.into(), value));
        let fields = PushFields {
            to_user: simulator.original_id().to_owned(),
            msg_type,
            from_user: USER.to_owned(),
            create_time: match msg_id {
                Some(_) => simulator.now(),
                None => simulator.create_time_of_event(USER),
            },
            msg_id,
            chat_id: None,
            own: own.collect(),
            sound: None,
            sound_16k: None,
        };
        Self {
            simulator,
            content: PushContent::PushFields(fields),
            mishaps: Mishaps::default(),
            is_sent: Arc::default(),
        }
    }

    /// Sets the OpenID of the sender. Does not change a raw body.
    pub fn from_user(mut self, openid: impl Into<String>) -> Self {
        if let PushContent::PushFields(fields) = &mut self.content {
            fields.from_user = openid.into();
            if fields.msg_id.is_none() {
                fields.create_time = self.simulator.create_time_of_event(&fields.from_user);
            }
            self.is_sent = Arc::default();
        }
        self
    }

    /// Sets the MsgId, which need not be a number. Does not change a raw body.
    ///
    /// By default, each message has a MsgId that no other message of any simulator has, and an event has none.
    pub fn msg_id(mut self, id: impl fmt::Display) -> Self {
        if let PushContent::PushFields(fields) = &mut self.content {
            fields.msg_id = Some(id.to_string());
            self.is_sent = Arc::default();
        }
        self
    }

    /// Sends it from a group chat, to a smart bot. Does not change a raw body.
    pub fn in_chat(mut self, chat_id: impl Into<String>) -> Self {
        if let PushContent::PushFields(fields) = &mut self.content {
            fields.chat_id = Some(chat_id.into());
            self.is_sent = Arc::default();
        }
        self
    }

    /// Sets the words recognized in a voice message, which may be empty. Does not change a raw body.
    pub fn recognition(self, words: impl Into<String>) -> Self {
        self.field("Recognition", words.into())
    }

    /// Sets the recording of a voice message, which the [API](Simulator::api) then keeps for three days behind the
    /// MediaId. Does not change a raw body.
    ///
    /// The bytes are those of an AMR file, or of any file that the test needs. A later message with the same MediaId
    /// replaces the recording.
    pub fn sound(mut self, recording: impl Into<Bytes>) -> Self {
        if let PushContent::PushFields(fields) = &mut self.content {
            fields.sound = Some(Recording::new(recording));
        }
        self
    }

    /// Sets the recording of a voice message at 16 kHz, as [`sound`](Self::sound) does. If the message has no
    /// `MediaId16K`, adds one.
    pub fn sound_16k(mut self, recording: impl Into<Bytes>) -> Self {
        let PushContent::PushFields(fields) = &mut self.content else {
            return self;
        };
        fields.sound_16k = Some(Recording::new(recording));
        if fields.value_of(MEDIA_ID_16K).is_some() {
            return self;
        }
        self.field(MEDIA_ID_16K, format_args!("simulated-{}", number()))
    }

    /// Sets a field of the message's type, such as an event's `EventKey`. Does not change a raw body.
    ///
    /// If the type already has a field with this name, replaces it. Otherwise adds the field after the type's other
    /// fields. To send a field that contains elements, write the whole body with [`Simulator::xml`].
    pub fn field(mut self, name: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        if let PushContent::PushFields(fields) = &mut self.content {
            let (name, value) = (name.into(), value.to_string());
            match fields.own.iter_mut().find(|(own, _)| *own == name) {
                Some((_, own)) => *own = value,
                None => fields.own.push((name, value)),
            }
        }
        self
    }

    /// Loses the first `count` answers. The service answers, but the connection breaks before the answer arrives, and
    /// WeChat retries.
    pub fn lose_answers(mut self, count: usize) -> Self {
        self.mishaps.lost_answers = count;
        self
    }

    /// Sets the time that each request takes to the service, and each answer takes back; zero by default. WeChat's 5 s
    /// include both.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.mishaps.latency = latency;
        self
    }

    /// Sends each delivery twice at the same time. In the transcript, each copy follows its original. The user sees the
    /// result of the original.
    pub fn duplicate(mut self) -> Self {
        self.mishaps.is_duplicated = true;
        self
    }

    /// Delays the first delivery until WeChat has hung up on it, so that it reaches the service after the second.
    pub fn reorder(mut self) -> Self {
        self.mishaps.is_overtaken = true;
        self
    }

    /// Retries the message as virtual payment (虚拟支付) does, until it gets an answer with the `ErrCode` 0.
    ///
    /// There are up to 15 retries, after 2, 4, 8 … s, 18 hours in all. `RetryTimes` counts them, and an encrypted retry has
    /// another ciphertext. All repeat the first timestamp and nonce: some have been seen to do so.
    ///
    /// Time is tokio's, so pause its clock, and make the clocks of the simulator and of the layers follow it.
    pub fn retry_as_payment(mut self) -> Self {
        self.mishaps.is_payment = true;
        self
    }

    /// Attacks as somebody who does not know the token: sends the message once, with a wrong signature. To an account on
    /// cloud hosting, sends it without the platform's header.
    ///
    /// The user never sees the answer. This method, [`tamper`](Self::tamper) and [`downgrade`](Self::downgrade) replace
    /// each other: the last call counts.
    pub fn forge_signature(mut self) -> Self {
        self.mishaps.attack = Some(Attack::Forge);
        self
    }

    /// Attacks as somebody who has captured a delivery: sends it once, with this part changed.
    ///
    /// The user never sees the answer.
    pub fn tamper(mut self, part: Part) -> Self {
        self.mishaps.attack = Some(Attack::Tamper(part));
        self
    }

    /// Attacks as somebody who has captured the plain signature of an encrypted delivery: sends the message once as
    /// plain mode does, in plaintext and without the parameters of the encryption.
    ///
    /// The user never sees the answer. For an account in plain mode this is an ordinary delivery.
    pub fn downgrade(mut self) -> Self {
        self.mishaps.attack = Some(Attack::Downgrade);
        self
    }

    /// Delivers the message until WeChat gets an answer with status 200, at most three times.
    ///
    /// To keep the service, pass a clone or `&mut service`.
    pub async fn deliver<S, B>(self, service: S) -> Transcript
    where
        S: Service<Request<RequestBody>, Response = Response<B>>,
        S::Error: Into<BoxError>,
        B: Body,
        B::Error: Into<BoxError>,
    {
        self.deliver_as(RequestBody::new, service).await
    }

    /// Delivers the message like [`deliver`](Self::deliver), but each body arrives slowly, over the time `over`.
    ///
    /// A server that does not wait that long answers 408. This crate's layer does so after 2 s by default.
    pub async fn deliver_slowly<S, B>(self, over: Duration, service: S) -> Transcript
    where
        S: Service<Request<RequestBody>, Response = Response<B>>,
        S::Error: Into<BoxError>,
        B: Body,
        B::Error: Into<BoxError>,
    {
        self.deliver_as(|body| RequestBody::slow(body, over), service)
            .await
    }

    async fn deliver_as<S, R, B>(self, body: impl Fn(Bytes) -> R, service: S) -> Transcript
    where
        S: Service<Request<R>, Response = Response<B>>,
        S::Error: Into<BoxError>,
        B: Body,
        B::Error: Into<BoxError>,
    {
        let (plan, make) = self.plan();
        let user = plan.parties.user.clone();
        // The future has both requests and answers, and so some KiB.
        let transcript = Box::pin(deliver(plan, make, body, service)).await;
        let chats = &mut self.simulator.state().chats;
        chats.answer(&user, transcript.shown(), transcript.is_fetched());
        transcript
    }

    /// Lets the simulator know what the user has sent, unless it knows already, or somebody else has sent it.
    fn note(&self, parties: &Parties) {
        if self.mishaps.attack.is_some() || self.is_sent.swap(true, Ordering::Relaxed) {
            return;
        }
        let state = &mut *self.simulator.state();
        if !parties.user.is_empty() {
            state
                .chats
                .hear(&parties.user, parties.contact, &parties.said);
        }
        if let PushContent::PushFields(fields) = &self.content {
            if let Some(code) = &fields.msg_id {
                state.response_urls.give_out(code, &parties.user);
            }
            for (name, recording) in [
                ("MediaId", &fields.sound),
                (MEDIA_ID_16K, &fields.sound_16k),
                ("ThumbMediaId", &None),
            ] {
                match (fields.value_of(name), recording) {
                    (Some(id), Some(recording)) => state.media.keep_recording(id, recording),
                    (Some(id), None) => state.media.name(id),
                    (None, _) => {}
                }
            }
        }
    }

    /// Plans the deliveries, and makes the request of each.
    fn plan(&self) -> (Plan, impl Fn(u32) -> Sent + use<>) {
        let (plaintext, simulator) = (self.body(), self.simulator.clone());
        let parties = Parties::of(&plaintext);
        self.note(&parties);
        let (push, user, signed) = (self.clone(), parties.user.clone(), self.simulator.sign());
        let make = move |number| {
            let (query, body) = push.wrapped(signed.clone(), number, &user);
            let request = push.request_of(&query, body);
            Sent {
                request: request.map_err(|error| Fault::unsent(&error)),
                query,
            }
        };
        let plan = Plan {
            poll: Box::new(move |stream_id| {
                let poll = smart_bot::poll(&plaintext, number(), stream_id);
                let (signed, body) = simulator.wrap(simulator.sign(), poll, None);
                let query = signed.to_string();
                let request = simulator.request(Method::POST, &query, body);
                Sent {
                    request: request.map_err(|error| Fault::unsent(&error)),
                    query,
                }
            }),
            account: self.simulator.account().clone(),
            parties,
            mishaps: self.mishaps.clone(),
        };
        (plan, make)
    }

    /// Makes the request of one delivery, signed now, so that you can send it yourself.
    ///
    /// For the [API](Simulator::api), the user has then sent the message.
    ///
    /// # Errors
    ///
    /// If the OpenID makes the URI longer than [`http::Uri`] can be.
    pub fn request(&self) -> Result<Request<Bytes>, http::Error> {
        let parties = Parties::of(&self.body());
        self.note(&parties);
        let (query, body) = self.wrapped(self.simulator.sign(), 0, &parties.user);
        self.request_of(&query, body)
    }

    fn request_of(&self, query: &str, body: Bytes) -> Result<Request<Bytes>, http::Error> {
        let mut request = self.simulator.request(Method::POST, query, body)?;
        if self.simulator.account().is_cloud_hosted() && self.mishaps.attack != Some(Attack::Forge)
        {
            request.headers_mut().insert("x-wx-source", SOURCE);
        }
        Ok(request)
    }

    /// Makes the query and the body of the delivery with this number.
    fn wrapped(&self, signed: SignedQuery, number: u32, user: &str) -> (String, Bytes) {
        let mut plaintext = self.body();
        if self.mishaps.is_payment {
            plaintext = with_retry_times(&plaintext, number).into();
        }
        let attack = self.mishaps.attack;
        let (signed, body) = self.simulator.wrap(signed, plaintext, attack);
        let mut query = signed.to_string();
        if !user.is_empty() && !query.is_empty() {
            query.push_str("&openid=");
            query.extend(utf8_percent_encode(user, OPENID_ESCAPES));
        }
        (query, body)
    }

    fn body(&self) -> Bytes {
        match &self.content {
            PushContent::PushFields(fields)
                if self.simulator.account().mode() == Mode::SmartBot =>
            {
                fields.of_bot().to_json().to_string().into()
            }
            PushContent::PushFields(fields) => fields.to_string().into(),
            PushContent::Raw(body) => body.clone(),
        }
    }
}

impl PushFields {
    /// The same fields as a smart bot's push.
    fn of_bot(&self) -> BotPush<'_> {
        let msg_id = self.msg_id.as_deref().unwrap_or_default();
        BotPush {
            msg_id,
            user_id: &self.from_user,
            chat_id: self.chat_id.as_deref(),
            create_time: self.create_time.as_secs(),
            code: msg_id,
            msg_type: self.msg_type,
            own: &self.own,
        }
    }

    fn value_of(&self, name: &str) -> Option<&str> {
        let mut own = self.own.iter();
        let found = own.find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Writes a body as WeChat does: each field on its own line, WeChat's own numbers as they are, and all else in CDATA
/// sections. A `]]>` in a value is not escaped.
impl fmt::Display for PushFields {
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

/// Sets the number of retries in a body, in XML or JSON.
fn with_retry_times(body: &[u8], number: u32) -> Vec<u8> {
    const NAME: &str = "RetryTimes";
    let number = number.to_string();
    let (at, old, new) = match memmem::find(body, NAME.as_bytes()) {
        Some(name) => {
            let behind = body.get(name + NAME.len()..).unwrap_or_default();
            let is_digit = |byte: &u8| byte.is_ascii_digit();
            let start = behind.iter().position(is_digit).unwrap_or(behind.len());
            let digits = behind.iter().skip(start).take_while(|byte| is_digit(byte));
            (name + NAME.len() + start, digits.count(), number)
        }
        None if body.trim_ascii_start().starts_with(b"{") => {
            let at = memmem::find(body, b"{").map_or(0, |at| at + 1);
            (at, 0, format!(r#""{NAME}":{number},"#))
        }
        None => {
            let at = memmem::rfind(body, b"</xml>").unwrap_or(body.len());
            (at, 0, format!("<{NAME}>{number}</{NAME}>\n"))
        }
    };
    let (before, rest) = body.split_at(at.min(body.len()));
    [before, new.as_bytes(), rest.get(old..).unwrap_or_default()].concat()
}

/// An `OpenID` consists of letters, digits, `-` and `_`.
const OPENID_ESCAPES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The original id of the account in messages, unless the account is an authorizer.
pub(super) const ACCOUNT: &str = "gh_5130c4e1d2a7";

/// WeChat does not document the header's value for pushes.
const SOURCE: HeaderValue = HeaderValue::from_static("other");

const MEDIA_ID_16K: &str = "MediaId16K";

/// The OpenID of the sender, unless [`from_user`](Push::from_user) sets another.
pub const USER: &str = "oSim-8fKq2vR0yT5wXe7Zb1cU4n";
