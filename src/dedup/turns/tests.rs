//! Which users are remembered.

use super::*;

#[test]
fn a_user_is_forgotten_with_the_last_turn() {
    let (turns, user) = (Arc::new(Turns::default()), Key::new(["user"]));
    let take = || turns.try_take(user).expect("room");
    let (first, second) = (take(), take());
    drop(first);
    assert_eq!(turns.users().len(), 1);
    drop(second);
    assert_eq!(turns.users().len(), 0);
}
