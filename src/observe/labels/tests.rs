//! Tests: at the bound, further accounts share one label.

use super::Labels;

#[test]
fn at_the_bound_further_accounts_share_a_label() {
    let labels = Labels::new(2);
    for (account, label) in [
        ("one", "one"),
        ("two", "two"),
        ("three", "other"),
        ("one", "one"),
        ("four", "other"),
        ("two", "two"),
    ] {
        assert_eq!(&*labels.label(account), label);
    }
}
