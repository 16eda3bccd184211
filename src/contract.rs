//! Random tests of a store or a mailbox that two nodes share, against a model, step by step.

use std::{error, fmt, time::Duration};

use futures_util::future::join;
use tokio::time::Instant;

/// Operations, and what answers they have to get.
pub(crate) trait Contract {
    type Operation: Clone + fmt::Debug;
    type Answer: fmt::Debug;
    /// What the answers are compared with.
    type Model: Clone + PartialEq;
    /// The nodes of a sequence, and what the operations are about.
    type Cast;

    /// The unit of all times, far longer than any sequence takes.
    const UNIT: Duration;

    fn operation(&self, random: &mut Random) -> Self::Operation;

    /// Makes an operation meet another one.
    fn join(&self, other: &mut Self::Operation, one: &Self::Operation);

    fn begin(&self) -> (Self::Cast, Self::Model);

    /// The node that is asked when nothing else happens.
    fn node(&self, operation: &Self::Operation) -> usize;

    fn ask(
        &self,
        cast: &Self::Cast,
        node: usize,
        operation: &Self::Operation,
    ) -> impl Future<Output = Result<Self::Answer, String>>;

    fn expect(
        &self,
        cast: &Self::Cast,
        model: &mut Self::Model,
        operation: &Self::Operation,
        now: Instant,
    ) -> Self::Answer;

    fn agrees(&self, expected: &Self::Answer, answer: &Self::Answer) -> bool;

    fn pass(&self, cast: &Self::Cast, time: Duration) -> impl Future<Output = ()>;
}

/// A sequence in which an answer differs from the contract's.
///
/// [`Display`](fmt::Display) and [`Debug`] show the shortest one found, step by step.
#[derive(Clone)]
pub struct Violation {
    seed: u64,
    steps: Vec<String>,
    difference: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{number}: {step}")?;
        }
        write!(f, "{} (seed {})", self.difference, self.seed)
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for Violation {}

/// Runs `sequences` random sequences of up to 32 steps. The same `seed` draws the same sequences.
pub(crate) async fn check<C: Contract>(
    contract: &C,
    sequences: u32,
    seed: u64,
) -> Result<(), Violation> {
    for number in 0..sequences {
        let seed = seed.wrapping_add(number.into());
        let mut random = Random::new(seed);
        let count = 1 + random.below(31);
        let steps: Vec<_> = (0..count)
            .map(|_| Step::random(contract, &mut random))
            .collect();
        if let Err(difference) = sequence(contract, &steps).await {
            return Err(shorten(contract, seed, steps, difference).await);
        }
    }
    Ok(())
}

/// Leaves out steps as long as the sequence still fails.
async fn shorten<C: Contract>(
    contract: &C,
    seed: u64,
    mut steps: Vec<Step<C::Operation>>,
    mut difference: String,
) -> Violation {
    let mut at = steps.len();
    while let Some(before) = at.checked_sub(1) {
        at = before;
        let mut fewer = steps.clone();
        fewer.remove(at);
        if let Err(found) = sequence(contract, &fewer).await {
            (steps, difference) = (fewer, found);
            at = steps.len();
        }
    }
    Violation {
        seed,
        steps: steps.iter().map(|step| format!("{step:?}")).collect(),
        difference,
    }
}

#[derive(Debug, Clone)]
enum Step<O> {
    One(O),
    /// Both at the same time, on two nodes.
    Both(O, O),
    /// So much time passes, in units.
    Pass(u32),
}

impl<O> Step<O> {
    fn random<C: Contract<Operation = O>>(contract: &C, random: &mut Random) -> Self {
        match random.below(10) {
            0..6 => Self::One(contract.operation(random)),
            6..8 => {
                let (one, mut other) = (contract.operation(random), contract.operation(random));
                contract.join(&mut other, &one);
                Self::Both(one, other)
            }
            _ => Self::Pass(1 + random.below(3)),
        }
    }
}

/// Runs `steps` on the nodes and on the model.
///
/// Two operations at the same time may take effect in either order. Where both orders fit, both are followed.
async fn sequence<C: Contract>(contract: &C, steps: &[Step<C::Operation>]) -> Result<(), String> {
    let (cast, model) = contract.begin();
    let mut now = Instant::now();
    let mut orders = vec![model];
    for (at, step) in steps.iter().enumerate() {
        let fits = |model: &mut _, operation, answer: &_| {
            let expected = contract.expect(&cast, model, operation, now);
            contract.agrees(&expected, answer)
        };
        let answers;
        match step {
            Step::Pass(units) => {
                let time = C::UNIT * *units;
                contract.pass(&cast, time).await;
                now += time;
                continue;
            }
            Step::One(one) => {
                let answer = contract.ask(&cast, contract.node(one), one).await?;
                orders.retain_mut(|model| fits(model, one, &answer));
                answers = vec![answer];
            }
            Step::Both(one, other) => {
                let both = join(contract.ask(&cast, 0, one), contract.ask(&cast, 1, other));
                let (first, second) = both.await;
                let (first, second) = (first?, second?);
                let mut fitting = Vec::new();
                for before in orders {
                    let there = [(one, &first), (other, &second)];
                    let back = [(other, &second), (one, &first)];
                    for order in [there, back] {
                        let mut after = before.clone();
                        let mut order = order.iter();
                        let is_fitting =
                            order.all(|(operation, answer)| fits(&mut after, operation, answer));
                        if is_fitting && !fitting.contains(&after) {
                            fitting.push(after);
                        }
                    }
                }
                orders = fitting;
                answers = vec![first, second];
            }
        }
        if orders.is_empty() {
            return Err(format!("at step {at} the answer is {answers:?}"));
        }
    }
    Ok(())
}

/// `SplitMix64`: small, and good enough for drawing steps.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let drawn = (mixed ^ (mixed >> 31)) % u64::from(bound.max(1));
        u32::try_from(drawn).unwrap_or_default()
    }
}
