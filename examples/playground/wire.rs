//! What went over the wire, made readable.

use serde::{Serialize, Serializer};
use tower::BoxError;
use tower_wechat::{
    Account,
    callback::{self, Query},
    xml::{self, Value},
};

/// One body, as it was sent and as it is read.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payload {
    /// As sent, as far as it is a text.
    raw: String,
    /// Its first part alone.
    is_cut: bool,
    /// Whether it is an envelope, and what follows was in it.
    is_sealed: bool,
    /// The message or reply in XML.
    fields: Option<Fields>,
    /// Why it cannot be read.
    error: Option<String>,
}

/// An element's children, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields(pub(crate) Value);

impl Payload {
    /// The body of a delivery.
    pub(crate) fn delivered(account: Option<&Account>, query: &str, body: &[u8]) -> Self {
        let mut payload = Self::new(body, false);
        payload.read(body, account, |_| Ok(query.to_owned()));
        payload
    }

    /// The body of an answer.
    pub(crate) fn answered(account: Option<&Account>, body: &[u8], is_cut: bool) -> Self {
        let mut payload = Self::new(body, is_cut);
        if !payload.says_nothing() {
            payload.read(body, account, sealed_query);
        }
        payload
    }

    /// Whether it tells WeChat that there is nothing to show.
    pub(crate) fn says_nothing(&self) -> bool {
        self.raw.is_empty() || self.raw == "success"
    }

    fn new(body: &[u8], is_cut: bool) -> Self {
        Self {
            raw: String::from_utf8_lossy(body).into_owned(),
            is_cut,
            is_sealed: false,
            fields: None,
            error: None,
        }
    }

    /// `account` is there if it is an encrypted one.
    fn read(
        &mut self,
        body: &[u8],
        account: Option<&Account>,
        query: impl FnOnce(&Value) -> Result<String, BoxError>,
    ) {
        let read = || -> Result<(Value, bool), BoxError> {
            let outer: Value = xml::from_slice(body)?;
            let Some(account) = account.filter(|_| outer.element("Encrypt").is_some()) else {
                return Ok((outer, false));
            };
            let query = query(&outer)?;
            let query = Query::parse(&query)?;
            let opened = callback::open(account, &query, body.to_vec())?;
            Ok((xml::from_slice(opened.plaintext())?, true))
        };
        match read() {
            Ok((value, is_sealed)) => {
                self.fields = Some(Fields(value));
                self.is_sealed = is_sealed;
            }
            Err(error) => self.error = Some(error.to_string()),
        }
    }
}

/// What stands in the query of a delivery, a sealed reply has inside.
fn sealed_query(envelope: &Value) -> Result<String, BoxError> {
    let field = |name: &str| envelope[name].as_str().ok_or(format!("expected a {name}"));
    Ok(format!(
        "timestamp={}&nonce={}&msg_signature={}",
        field("TimeStamp")?,
        field("Nonce")?,
        field("MsgSignature")?
    ))
}

/// As pairs, since names repeat.
impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Node(&self.0).serialize(serializer)
    }
}

struct Node<'a>(&'a Value);

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Empty => serializer.serialize_none(),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Elements(elements) => {
                serializer.collect_seq(elements.iter().map(|(name, value)| (name, Node(value))))
            }
        }
    }
}
