//! The answers of the machine against a model that knows each question's history, and what happens at a bound.

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, TestCaseError, prop_oneof},
    prop_assert, prop_assert_eq,
    test_runner::Config,
};

use super::*;
use crate::late::mailbox::Conversation;

/// Each message is asked ten seconds after the one before.
fn key(message: usize) -> Key {
    Key::new([message.to_be_bytes()])
}

fn number(message: Key) -> usize {
    let number = (0..10_000).find(|number| key(*number) == message);
    number.expect("a message of the test")
}

fn owner(id: u8) -> Owner {
    Owner::new([id; 16])
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn parts(message: usize, count: usize) -> Vec<Bytes> {
    let parts = (0..count).map(|number| format!("{message}.{number}").into());
    parts.collect()
}

/// The slots of a conversation, and the time.
struct World {
    slots: Slots,
    limits: Limits,
    begin: Instant,
    now: Instant,
}

impl World {
    fn new(limits: Limits) -> Self {
        let begin = Instant::now();
        Self {
            slots: Slots::default(),
            limits: limits.checked(),
            begin,
            now: begin + seconds(100),
        }
    }

    fn pass(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    /// Since a message was asked. Those of the first hundred seconds have been.
    fn age(&self, message: usize) -> Duration {
        let asked = self.begin + seconds(10 * message as u64);
        self.now.duration_since(asked)
    }

    fn question(&self, message: usize) -> Question {
        let conversation = Conversation::new("account", "user");
        Question::new(conversation, key(message), self.age(message))
    }

    fn fetch(&self, by: usize, owner: Owner) -> Fetch {
        let conversation = Conversation::new("account", "user");
        Fetch::new(conversation, key(by), self.age(by), owner)
    }

    fn step<T>(&mut self, operation: impl FnOnce(&mut Slots, &Limits, Instant) -> T) -> T {
        let (limits, now) = (self.limits, self.now);
        self.slots
            .step(&limits, now, |slots| operation(slots, &limits, now))
    }

    fn expect(&mut self, message: usize, owner: Owner) -> Expected {
        let question = self.question(message);
        self.step(|slots, limits, now| slots.expect(question, owner, limits, now))
    }

    fn renew(&mut self, message: usize, owner: Owner) -> bool {
        let question = self.question(message);
        self.step(|slots, limits, now| slots.renew(question, owner, limits, now))
    }

    fn put(&mut self, message: usize, parts: &[Bytes]) -> Put {
        let question = self.question(message);
        self.step(|slots, limits, now| slots.put(question, parts, limits, now))
    }

    fn close(&mut self, message: usize, owner: Owner) {
        let question = self.question(message);
        self.step(|slots, _, _| slots.close(question, owner));
    }

    fn take(&mut self, by: usize, owner: Owner, opens_slot: bool) -> Fetched {
        let mut fetch = self.fetch(by, owner);
        fetch.opens_slot = opens_slot;
        self.step(|slots, limits, now| slots.take(fetch, limits, now))
    }

    fn settle(&mut self, by: usize, (question, number): (usize, u32)) -> bool {
        self.step(|slots, limits, now| slots.settle(key(by), key(question), number, limits, now))
    }

    fn give_back(&mut self, by: usize, owner: Owner) {
        self.step(|slots, _, _| slots.give_back(key(by), owner));
    }

    fn clear(&mut self, age: Duration) -> u32 {
        self.step(|slots, limits, now| slots.clear(age, limits, now))
    }

    /// Takes a part by a message of its own and settles it.
    #[track_caller]
    fn shown(&mut self, by: usize) -> String {
        let Fetched::Part(part) = self.take(by, owner(9), false) else {
            panic!("message {by} gets no part");
        };
        assert!(self.settle(by, (number(part.question), part.number)));
        String::from_utf8(part.bytes.into()).expect("text")
    }

    #[track_caller]
    fn check_take(&mut self, by: usize, expected: &str) {
        let fetched = match self.take(by, owner(9), false) {
            Fetched::Part(part) => String::from_utf8_lossy(&part.bytes).into_owned(),
            Fetched::Lapsed(lapsed) => format!("lapsed {}", number(lapsed.message)),
            other => format!("{other:?}"),
        };
        assert_eq!(fetched, expected);
    }
}

const KEPT: Put = Put::Kept { dropped: 0 };

const YOURS: Expected = Expected::Yours { dropped: 0 };

#[test]
fn an_answer_is_shown_to_the_next_messages_part_by_part() {
    let mut world = World::new(Limits::default());
    assert_eq!(world.expect(1, owner(1)), YOURS);
    world.check_take(2, "Wait");
    assert_eq!(world.put(1, &parts(1, 2)), KEPT);
    world.check_take(2, "1.0");
    world.check_take(2, "1.0");
    world.check_take(3, "Wait");
    assert!(world.settle(2, (1, 0)));
    world.check_take(3, "1.1");
    assert!(world.settle(3, (1, 1)));
    world.check_take(4, "Nothing");
    assert!(!world.slots.peek(world.now));
}

#[test]
fn only_earlier_questions_are_fetched_in_their_order() {
    let mut world = World::new(Limits::default());
    assert_eq!(world.put(2, &parts(2, 1)), KEPT);
    assert_eq!(world.put(1, &parts(1, 1)), KEPT);
    world.check_take(1, "Nothing");
    world.check_take(2, "1.0");
    assert!(world.settle(2, (1, 0)));
    // Its own answer is not before it.
    world.check_take(2, "Nothing");
    world.check_take(3, "2.0");
}

#[test]
fn questions_asked_at_the_same_time_are_in_the_order_of_their_keys() {
    let mut world = World::new(Limits::default());
    let asked = |message| {
        let conversation = Conversation::new("account", "user");
        Question::new(conversation, key(message), seconds(5))
    };
    for message in 1..=2 {
        let put = world
            .step(|slots, limits, now| slots.put(asked(message), &parts(message, 1), limits, now));
        assert_eq!(put, KEPT);
    }
    let mut keys = [1, 2].map(|message| (*key(message).as_bytes(), message));
    keys.sort_unstable();
    for (by, (_, message)) in keys.into_iter().enumerate() {
        assert_eq!(world.shown(900 + by), format!("{message}.0"));
    }
}

/// By owner and lease, in the end of a node for example.
#[test]
fn an_awaited_slot_whose_lease_is_over_is_the_fetchs_owners() {
    let mut world = World::new(Limits::default());
    world.expect(1, owner(1));
    world.pass(seconds(4));
    assert!(world.renew(1, owner(1)));
    assert!(!world.renew(1, owner(2)));
    assert_eq!(world.expect(1, owner(2)), Expected::Awaited);
    world.pass(seconds(4)).check_take(2, "Wait");
    world.pass(seconds(1)).check_take(2, "lapsed 1");
    // Its answer may have been lost.
    world.check_take(2, "lapsed 1");
    assert_eq!(world.take(3, owner(3), false), Fetched::Wait);
    assert!(!world.renew(1, owner(1)));
    assert!(world.renew(1, owner(9)));
    // Any node may put the answer.
    assert_eq!(world.put(1, &parts(1, 1)), KEPT);
    world.check_take(3, "1.0");
    world.pass(seconds(5));
    world.expect(2, owner(1));
    world.pass(seconds(5));
    assert_eq!(world.expect(2, owner(2)), YOURS);
}

#[test]
fn an_own_reply_closes_the_owners_awaited_slot_alone() {
    let mut world = World::new(Limits::default());
    world.expect(1, owner(1));
    world.close(1, owner(2));
    world.check_take(2, "Wait");
    world.close(1, owner(1));
    world.check_take(2, "Nothing");
    world.put(1, &parts(1, 1));
    world.close(1, owner(1));
    world.close(1, NOBODY);
    world.check_take(2, "1.0");
}

#[test]
fn a_fetching_messages_own_answer_queues_behind() {
    let mut world = World::new(Limits::default());
    assert_eq!(world.take(2, owner(2), true), Fetched::Nothing);
    assert!(world.slots.is_empty(), "nothing to queue behind");
    world.expect(1, owner(1));
    assert_eq!(world.take(2, owner(2), true), Fetched::Wait);
    world.put(1, &parts(1, 1));
    world.check_take(2, "1.0");
    assert!(world.settle(2, (1, 0)));
    world.check_take(3, "Wait");
    assert!(world.renew(2, owner(2)));
    world.put(2, &parts(2, 1));
    world.check_take(3, "2.0");
}

/// It has gone, and its answer has been shown.
#[test]
fn a_late_fetch_opens_no_slot_again() {
    let mut world = World::new(Limits::default());
    for message in [1, 2] {
        world.put(message, &parts(message, 1));
    }
    assert_eq!(world.shown(3), "1.0");
    assert_eq!(world.shown(4), "2.0");
    world.expect(1, owner(1));
    world.put(0, &parts(0, 1));
    assert!(matches!(world.take(2, owner(1), true), Fetched::Part(_)));
    assert!(world.settle(2, (0, 0)));
    assert!(!world.slots.peek(world.now));
}

#[test]
fn another_message_gets_a_part_when_the_first_ones_lease_is_over() {
    let mut world = World::new(Limits::default());
    world.put(1, &parts(1, 2));
    world.check_take(2, "1.0");
    world.pass(seconds(29)).check_take(2, "1.0");
    world.pass(seconds(29)).check_take(3, "Wait");
    world.pass(seconds(1)).check_take(3, "1.0");
    // The first one is late.
    assert!(!world.settle(2, (1, 0)));
    assert!(world.settle(3, (1, 0)));
    assert!(world.settle(2, (1, 0)));
    world.check_take(2, "1.1");
}

/// Neither does a repeated one.
#[test]
fn a_late_settle_drops_no_part_that_was_not_shown() {
    let mut world = World::new(Limits::default());
    world.put(1, &parts(1, 2));
    world.check_take(2, "1.0");
    assert!(world.settle(2, (1, 0)));
    // A late one. The message has got its part, and shows no other.
    world.check_take(2, "1.1");
    assert!(world.settle(2, (1, 0)));
    world.pass(seconds(30)).check_take(3, "1.1");
    assert!(world.settle(3, (1, 1)));
    // Nor one of an answer that has gone, or has never been.
    assert!(world.settle(3, (1, 1)));
    assert!(world.settle(3, (5, 0)));
    world.expect(5, owner(1));
    assert!(world.settle(3, (5, 0)));
}

#[test]
fn what_is_given_back_is_in_front_again() {
    let mut world = World::new(Limits::default());
    world.put(1, &parts(1, 1));
    world.put(2, &parts(2, 1));
    world.check_take(3, "1.0");
    // Another node has a delivery of the same message.
    world.take(3, owner(4), false);
    world.give_back(3, owner(9));
    world.check_take(4, "Wait");
    world.give_back(3, owner(4));
    assert!(!world.settle(3, (1, 0)));
    world.check_take(4, "1.0");
}

#[test]
fn a_repeated_answer_is_the_first_one() {
    let mut world = World::new(Limits::default());
    for by in 5..7 {
        assert_eq!(world.put(1, &parts(1, 2)), KEPT);
        assert_eq!(world.put(1, &parts(8, 3)), KEPT);
        assert_eq!(world.expect(1, owner(1)), Expected::Answered);
        world.shown(by);
    }
    world.pass(seconds(599));
    assert_eq!(world.put(1, &parts(1, 2)), KEPT);
    assert_eq!(world.expect(1, owner(1)), Expected::Answered);
    assert!(!world.slots.peek(world.now));
    world.pass(seconds(1));
    assert_eq!(world.expect(1, owner(1)), YOURS);
}

#[test]
fn an_answer_without_parts_is_gone() {
    let mut world = World::new(Limits::default());
    world.expect(1, owner(1));
    assert_eq!(world.put(1, &[]), KEPT);
    world.check_take(2, "Nothing");
    assert_eq!(world.put(1, &parts(1, 1)), KEPT);
    world.check_take(2, "Nothing");
}

#[test]
fn an_answer_is_kept_for_its_time_and_while_it_is_taken() {
    let mut world = World::new(Limits::default());
    world.put(1, &parts(1, 1));
    world.pass(seconds(1799)).check_take(2, "1.0");
    world.pass(seconds(29)).check_take(2, "1.0");
    world.pass(seconds(30)).check_take(2, "Nothing");
    assert_eq!(world.slots, Slots::default());
    world.put(1, &parts(1, 1));
    world.pass(seconds(1800)).check_take(2, "Nothing");
    assert_eq!(world.slots, Slots::default());
}

/// A user who comes in that time learns that there is none.
#[test]
fn an_answer_is_awaited_as_long_as_it_would_be_kept() {
    let mut world = World::new(Limits::default());
    world.expect(1, owner(1));
    world.pass(seconds(4));
    world.renew(1, owner(1));
    assert!(world.slots.peek(world.now + seconds(1799)));
    assert!(!world.slots.peek(world.now + seconds(1800)));
    world.pass(seconds(1799)).check_take(2, "lapsed 1");
    world.pass(seconds(1800)).check_take(2, "Nothing");
}

#[test]
fn a_user_who_unsubscribes_gets_nothing_of_before() {
    let mut world = World::new(Limits::default());
    world.put(1, &parts(1, 2));
    world.put(2, &parts(2, 1));
    world.expect(3, owner(1));
    world.put(9, &parts(9, 1));
    // After the eighth message, and carried out late.
    let age = world.age(8);
    for dropped in [3, 0] {
        assert_eq!(world.clear(age), dropped);
        for message in [1, 3, 5, 8] {
            assert_eq!(world.put(message, &parts(message, 1)), Put::Closed);
            assert_eq!(world.expect(message, owner(1)), Expected::Closed);
            assert!(!world.renew(message, owner(1)));
        }
        assert_eq!(world.clear(world.age(4)), 0, "an earlier one opens nothing");
    }
    world.check_take(10, "9.0");
    assert!(world.settle(10, (9, 0)));
    world.pass(seconds(599));
    assert_eq!(world.put(3, &parts(3, 1)), Put::Closed);
    world.pass(seconds(1));
    assert_eq!(world.put(3, &parts(3, 1)), KEPT);
}

fn small() -> Limits {
    Limits {
        answers: 2,
        bytes: 1000,
        ..Limits::default()
    }
}

#[test]
fn at_the_bound_the_answer_of_the_earliest_question_goes() {
    let mut world = World::new(small());
    world.put(2, &parts(2, 3));
    world.put(3, &parts(3, 1));
    // Not the new one, although its question is the earliest.
    assert_eq!(world.put(1, &parts(1, 1)), Put::Kept { dropped: 3 });
    assert_eq!(world.put(2, &parts(2, 3)), KEPT, "it was kept");
    world.check_take(8, "1.0");
    // Not one that is taken.
    assert_eq!(world.put(4, &parts(4, 1)), Put::Kept { dropped: 1 });
    world.check_take(8, "1.0");
    assert!(world.settle(8, (1, 0)));
    world.check_take(8, "4.0");
}

#[test]
fn an_answer_that_is_too_large_is_refused_and_drops_nothing() {
    let mut world = World::new(small());
    let large = |size| [Bytes::from(vec![0; size])];
    world.put(1, &large(400 - PART_SIZE));
    world.expect(2, owner(1));
    assert_eq!(world.put(2, &large(1001 - PART_SIZE)), Put::NoRoom);
    assert_eq!(world.put(3, &vec![Bytes::new(); 16]), Put::NoRoom);
    assert!(world.renew(2, owner(1)), "nothing has changed");
    assert_eq!(world.slots.len(), 1);
    assert_eq!(world.put(4, &large(600 - PART_SIZE)), KEPT);
    assert!(matches!(world.take(9, owner(1), false), Fetched::Part(_)));
    assert_eq!(world.put(5, &large(601 - PART_SIZE)), Put::NoRoom);
    let put = world.put(5, &large(600 - PART_SIZE));
    assert_eq!(put, Put::Kept { dropped: 1 });
    assert_eq!(
        world.put(2, &large(600 - PART_SIZE)),
        Put::Kept { dropped: 1 }
    );
    // As many as fit may be taken; then there is room for nothing.
    world.put(6, &parts(6, 1));
    world.pass(seconds(1));
    let put = world.put(7, &large(1000 - PART_SIZE));
    assert_eq!(put, Put::NoRoom);
}

#[test]
fn at_the_bound_the_earliest_awaited_slot_is_given_up() {
    let mut world = World::new(small());
    world.put(1, &parts(1, 1));
    for message in 2..=4 {
        assert_eq!(world.expect(message, owner(1)), YOURS);
    }
    assert_eq!(world.expect(5, owner(1)), YOURS);
    assert_eq!(world.slots.open.len(), 4);
    assert!(!world.renew(2, owner(1)));
    assert_eq!(world.put(2, &parts(2, 1)), Put::GivenUp);
    assert_eq!(world.expect(2, owner(1)), Expected::Answered);
    // A fetch gives up no slot that it gets.
    assert_eq!(world.take(6, owner(1), true), {
        Fetched::Part(Part {
            question: key(1),
            number: 0,
            bytes: "1.0".into(),
        })
    });
    assert_eq!(world.put(3, &parts(3, 1)), Put::GivenUp);
    assert_eq!(world.put(4, &parts(4, 1)), KEPT);
    assert_eq!(world.slots.len(), 2);
}

#[test]
fn at_the_bound_the_mark_that_is_oldest_is_forgotten() {
    let mut world = World::new(small());
    for message in [5, 1, 2, 3, 4] {
        world.put(message, &[]);
    }
    assert_eq!(world.slots.gone.len(), 4);
    assert_eq!(world.expect(1, owner(1)), Expected::Answered);
    assert_eq!(world.expect(5, owner(1)), YOURS);
}

#[derive(Debug, Clone)]
enum Move {
    Expect(usize, u8),
    Renew(usize, u8),
    Put(usize),
    Close(usize, u8),
    Take(usize, u8, bool),
    /// A part that a message has got, by its number among all that it got.
    Settle(usize, usize),
    GiveBack(usize, u8),
    Clear,
    Pass(u64),
    /// An earlier move once more.
    Again(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let (message, by, owner) = (0..QUESTIONS, 1..FETCHING, 1..4_u8);
    let one = prop_oneof![
        3 => (message.clone(), owner.clone()).prop_map(|(message, owner)| Move::Expect(message, owner)),
        1 => (message.clone(), owner.clone()).prop_map(|(message, owner)| Move::Renew(message, owner)),
        3 => message.clone().prop_map(Move::Put),
        1 => (message, owner.clone()).prop_map(|(message, owner)| Move::Close(message, owner)),
        6 => (by.clone(), owner.clone(), proptest::bool::ANY)
            .prop_map(|(by, owner, opens)| Move::Take(by, owner, opens)),
        4 => (by.clone(), 0..3_usize).prop_map(|(by, which)| Move::Settle(by, which)),
        1 => (by, owner).prop_map(|(by, owner)| Move::GiveBack(by, owner)),
        1 => prop_oneof![1 => Just(Move::Clear), 4 => Just(Move::Pass(1))],
        3 => prop_oneof![Just(1), Just(6), Just(31)].prop_map(Move::Pass),
        3 => (0..8_usize).prop_map(Move::Again),
    ];
    vec(one, 1..60)
}

/// The messages with answers: two questions, and one that fetches as well.
const QUESTIONS: usize = 3;

/// The last is bare.
const FETCHING: usize = 5;

/// What is known of one message from the answers alone.
#[derive(Debug, Clone, Default)]
struct History {
    awaited: Option<(u8, Instant)>,
    /// How many parts its answer had.
    put: Option<u32>,
    shown: u32,
    taken: Option<(usize, u8, Instant)>,
    is_closed: bool,
}

impl History {
    fn is_kept(&self) -> bool {
        self.put.is_some_and(|put| self.shown < put) && !self.is_closed
    }

    fn is_open(&self) -> bool {
        self.awaited.is_some() || self.is_kept()
    }
}

/// The model has no list, no order and no bound: only each message's history.
struct Model {
    world: World,
    messages: Vec<History>,
    /// The parts that each message has got.
    got: Vec<Vec<(usize, u32)>>,
}

impl Model {
    fn new() -> Self {
        let limits = Limits {
            keep: Duration::from_hours(40),
            mark: Duration::from_hours(40),
            ..Limits::default()
        };
        Self {
            world: World::new(limits),
            messages: vec![History::default(); FETCHING],
            got: vec![Vec::new(); FETCHING],
        }
    }

    fn play(&mut self, moves: &[Move]) -> Result<(), TestCaseError> {
        for (at, one) in moves.iter().enumerate() {
            let one = match one {
                Move::Again(back) => at.checked_sub(*back).and_then(|at| moves.get(at)),
                one => Some(one),
            };
            if let Some(one) = one {
                self.play_one(one)?;
            }
            let kept = self.messages.iter().filter(|history| history.is_kept());
            let left: u32 = kept
                .map(|history| history.put.unwrap_or(0) - history.shown)
                .sum();
            prop_assert_eq!(self.world.slots.len(), left, "a part has vanished or come");
            let is_open = self.messages.iter().any(History::is_open);
            prop_assert_eq!(self.world.slots.peek(self.world.now), is_open);
        }
        Ok(())
    }

    fn play_one(&mut self, one: &Move) -> Result<(), TestCaseError> {
        let now = self.world.now;
        match *one {
            Move::Expect(message, by) => {
                let expected = self.world.expect(message, owner(by));
                let history = &mut self.messages[message];
                let model = match history.awaited {
                    _ if history.is_closed => Expected::Closed,
                    _ if history.put.is_some() => Expected::Answered,
                    Some((its, lease)) if its != by && now < lease => Expected::Awaited,
                    _ => YOURS,
                };
                prop_assert_eq!(expected, model);
                if expected == YOURS {
                    history.awaited = Some((by, now + seconds(5)));
                }
            }
            Move::Renew(message, by) => {
                let history = &mut self.messages[message];
                let is_own = history.awaited.is_some_and(|(its, _)| its == by);
                if is_own {
                    history.awaited = Some((by, now + seconds(5)));
                }
                prop_assert_eq!(self.world.renew(message, owner(by)), is_own);
            }
            Move::Put(message) => {
                let count = 1 + message % 2;
                let put = self.world.put(message, &parts(message, count));
                let history = &mut self.messages[message];
                let model = if history.is_closed { Put::Closed } else { KEPT };
                prop_assert_eq!(put, model);
                if put == KEPT {
                    history.awaited = None;
                    history.put.get_or_insert(u32::try_from(count).unwrap_or(0));
                }
            }
            Move::Close(message, by) => {
                self.world.close(message, owner(by));
                let awaited = &mut self.messages[message].awaited;
                awaited.take_if(|(its, _)| *its == by);
            }
            Move::Take(by, id, opens_slot) => self.take(by, id, opens_slot)?,
            Move::Settle(by, which) => {
                let Some((question, number)) = self.got[by].get(which).copied() else {
                    return Ok(());
                };
                let is_settled = self.world.settle(by, (question, number));
                let history = &mut self.messages[question];
                let is_taken = history.taken.is_some_and(|(its, ..)| its == by);
                if history.is_kept() && is_taken && number == history.shown {
                    history.shown += 1;
                    history.taken = None;
                }
                let is_kept = history.is_kept() && history.shown <= number;
                prop_assert_eq!(is_settled, !is_kept);
            }
            Move::GiveBack(by, id) => {
                self.world.give_back(by, owner(id));
                for history in &mut self.messages {
                    history
                        .taken
                        .take_if(|(its, its_id, _)| (*its, *its_id) == (by, id));
                }
            }
            Move::Clear => {
                let kept: u32 = self.world.slots.len();
                prop_assert_eq!(self.world.clear(Duration::ZERO), kept);
                for history in &mut self.messages {
                    // An answer that has been shown stays answered.
                    history.is_closed |= history.put != Some(history.shown);
                    history.awaited = None;
                }
            }
            Move::Pass(time) => {
                self.world.pass(seconds(time));
            }
            Move::Again(_) => {}
        }
        Ok(())
    }

    fn take(&mut self, by: usize, id: u8, opens_slot: bool) -> Result<(), TestCaseError> {
        let now = self.world.now;
        // A bare message has no answer.
        let opens_slot = opens_slot && by < QUESTIONS;
        let fetched = self.world.take(by, owner(id), opens_slot);
        let is_held = |history: &History| {
            history.is_kept() && history.taken.is_some_and(|(its, ..)| its == by)
        };
        let earliest = || self.messages[..by].iter().position(History::is_open);
        let at = self.messages.iter().position(is_held).or_else(earliest);
        let Some(question) = at else {
            prop_assert_eq!(fetched, Fetched::Nothing);
            return Ok(());
        };
        let history = &mut self.messages[question];
        let model = match (history.awaited, history.taken) {
            (Some((its, lease)), _) if its != id && now < lease => Fetched::Wait,
            (Some(_), _) => {
                history.awaited = Some((id, now + seconds(5)));
                Fetched::Lapsed(self.world.question(question))
            }
            (None, Some((its, _, lease))) if its != by && now < lease => Fetched::Wait,
            (None, _) => {
                history.taken = Some((by, id, now + seconds(30)));
                self.got[by].push((question, history.shown));
                Fetched::Part(Part {
                    question: key(question),
                    number: history.shown,
                    bytes: format!("{question}.{}", history.shown).into(),
                })
            }
        };
        prop_assert_eq!(fetched, model);
        let own = &mut self.messages[by];
        if opens_slot && own.put.is_none() && own.awaited.is_none() && !own.is_closed {
            own.awaited = Some((id, now + seconds(5)));
        }
        Ok(())
    }

    /// Faultless messages fetch what is left. Each part comes once, in the order of questions and parts.
    fn drain(&mut self) -> Result<(), TestCaseError> {
        let mut left = Vec::new();
        for (message, history) in self.messages.iter().enumerate() {
            if history.is_kept() {
                let numbers = history.shown..history.put.unwrap_or(0);
                left.extend(numbers.map(|number| format!("{message}.{number}")));
            }
        }
        for message in 0..QUESTIONS {
            // The runs that were awaited have failed.
            if self.messages[message].awaited.take().is_some() {
                prop_assert_eq!(self.world.put(message, &[]), KEPT);
            }
        }
        self.world.pass(seconds(1000));
        for (by, expected) in (50..).zip(left) {
            prop_assert_eq!(self.world.shown(by), expected);
        }
        prop_assert_eq!(self.world.take(99, owner(1), true), Fetched::Nothing);
        prop_assert!(!self.world.slots.peek(self.world.now));
        Ok(())
    }
}

/// Whatever is done at the same time, again, late or not at all: a part is settled at most once, and by the message that
/// got it. No two messages have a part at once. Questions and parts keep their order. Nothing vanishes, and nothing of
/// before a user unsubscribed comes back.
#[test]
fn every_part_is_shown_once_and_in_order() {
    let config = Config {
        cases: Config::default().cases.max(1000),
        ..Config::default()
    };
    proptest::proptest!(config, |(moves in moves())| {
        let mut model = Model::new();
        model.play(&moves)?;
        model.drain()?;
    });
}

/// The bounds of a mailbox count with these.
#[test]
fn a_slot_and_a_part_take_no_more_than_they_are_counted_for() {
    // What an allocator adds.
    let allocation = 16;
    // The parts of a slot are a list of their own.
    assert!(size_of::<Slot>() + allocation <= SLOT_SIZE);
    assert!(size_of::<Gone>() <= GONE_SIZE);
    // The bytes are behind a counter once they are shared.
    assert!(size_of::<Bytes>() + size_of::<[usize; 3]>() + allocation / 2 <= PART_SIZE);
}
