//! Bodies on the wire, as they were sent and as they are read.

use serde::{Serialize, Serializer};
use tower::BoxError;
use tower_wechat::{
    Account,
    callback::{self, Query},
    xml::{self, Value},
};

/// One body on the wire.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payload {
    /// The body as sent. Bytes that are not UTF-8 are replaced.
    raw: String,
    /// Whether `raw` is only the first part of the body.
    is_cut: bool,
    /// Whether the body is an envelope. Then `fields` are the ones inside it.
    is_sealed: bool,
    /// The message or reply.
    fields: Option<Fields>,
    /// The reason why the body cannot be read.
    error: Option<String>,
}

/// The children of an element, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields(pub(crate) Value);

impl Payload {
    /// Reads the body of a delivery.
    pub(crate) fn delivered(account: Option<&Account>, query: &str, body: &[u8]) -> Self {
        let mut payload = Self::new(body, false);
        payload.read(body, account, |_| Ok(query.to_owned()));
        payload
    }

    /// Reads the body of an answer.
    pub(crate) fn answered(account: Option<&Account>, body: &[u8], is_cut: bool) -> Self {
        let mut payload = Self::new(body, is_cut);
        if !payload.says_nothing() {
            payload.read(body, account, sealed_query);
        }
        payload
    }

    /// Whether it tells WeChat to show nothing.
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

    /// Reads the fields. `account` is `Some` only for an encrypted account.
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

/// Makes the query of an encrypted reply. A delivery has these parameters in its query, a reply in its envelope.
fn sealed_query(envelope: &Value) -> Result<String, BoxError> {
    let field = |name: &str| envelope[name].as_str().ok_or(format!("expected a {name}"));
    Ok(format!(
        "timestamp={}&nonce={}&msg_signature={}",
        field("TimeStamp")?,
        field("Nonce")?,
        field("MsgSignature")?
    ))
}

/// Serializes as pairs, because names can repeat.
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
