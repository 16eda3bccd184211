//! Reads and writes a `Vec` as a wrapper element with `<item>`s, for `#[serde(with = "xml::items")]`.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tower_wechat::xml;
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Basket {
//!     #[serde(rename = "Fruits", with = "xml::items", default)]
//!     fruits: Vec<String>,
//! }
//!
//! let basket: Basket = xml::from_str("<xml><Fruits><item>fig</item><item>lime</item></Fruits></xml>")?;
//! assert_eq!(basket.fruits, ["fig", "lime"]);
//! assert_eq!(xml::from_str::<Basket>(&xml::to_string(&basket)?)?, basket);
//! # Ok::<(), xml::Error>(())
//! ```

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
struct Wrapper<T> {
    #[serde(default = "Vec::new")]
    item: Vec<T>,
}

/// Reads the `<item>`s of a wrapper element. An empty wrapper is an empty list.
///
/// # Errors
///
/// If the wrapper holds text, or an item cannot be read.
pub fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Wrapper::deserialize(deserializer).map(|wrapper| wrapper.item)
}

/// Writes a wrapper element with an `<item>` for each member.
///
/// # Errors
///
/// If a member cannot be written.
pub fn serialize<S: Serializer, T: Serialize>(
    items: impl AsRef<[T]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let item = items.as_ref().iter().collect();
    Wrapper::<&T> { item }.serialize(serializer)
}
