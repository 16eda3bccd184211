//! The budget of hang-ups, and the memory it takes.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::HangUps;

#[test]
fn a_budget_is_spent_by_twenty_hang_ups_within_five_minutes() {
    let (hang_ups, account, start) = (HangUps::default(), Arc::from("account"), Instant::now());
    for second in 0..20 {
        assert!(!hang_ups.are_spent("account", start + Duration::from_secs(second)));
        hang_ups.count(&account, start + Duration::from_secs(second));
    }
    assert!(hang_ups.are_spent("account", start + Duration::from_secs(299)));
    assert!(!hang_ups.are_spent("account", start + Duration::from_mins(5)));
    assert!(!hang_ups.are_spent("other", start));
}

#[test]
fn idle_accounts_take_no_memory() {
    let (hang_ups, start) = (HangUps::default(), Instant::now());
    for number in 0..100_000_u32 {
        let account = Arc::from(format!("account {number}"));
        hang_ups.count(&account, start + Duration::from_secs(number.into()));
    }
    // One hang-up a second, of which 300 are recent.
    assert!(hang_ups.accounts().times.len() <= 2 * 300 + 1);
}
