//! Tests: the size of a stored response counts all that is kept behind it.

use super::*;

/// A store in this process keeps all of it.
#[test]
fn the_size_counts_what_stands_behind_the_body() {
    let of = |behind| StoredResponse {
        behind,
        ..StoredResponse::new(StatusCode::OK, None, b"0123")
    };
    let whole = Whole {
        reply: Reply::text("01234567").then("0123"),
        rest: Some(Reply::text("01")),
    };
    let whole = of(Behind::Whole(Arc::new(whole)));
    assert_eq!(whole.size(), 4 + 12 + 2);
    assert_eq!(whole.without_reply().size(), 4);
}
