//! The addresses that deliveries may come from.

use std::{
    error, fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use http::request::Parts;

use super::rejection::RejectionKind;
use crate::{observe, user_fn};

/// The addresses that deliveries may come from, for
/// [`VerifySignatureLayer::with_allow_list`](super::VerifySignatureLayer::with_allow_list).
///
/// All clones share one list, so a task can refresh it while the server runs. **An empty list allows every address**: the
/// service works before the list is loaded for the first time. The log has a warning when the first request meets an empty
/// list, and again after each [`replace`](Self::replace).
///
/// WeChat's addresses come from `Api::callback_ips` (feature `api`). WeChat asks servers to fetch them once a day.
#[derive(Clone, Default)]
pub struct AllowList(Arc<Shared>);

#[derive(Default)]
struct Shared {
    nets: RwLock<Vec<IpNet>>,
    /// Whether the log says that the list is empty.
    is_reported: AtomicBool,
}

impl AllowList {
    /// Makes an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces all entries, for all requests from now on. Without entries, every address is allowed.
    pub fn replace(&self, nets: impl IntoIterator<Item = IpNet>) {
        let nets: Vec<_> = nets.into_iter().collect();
        self.0.is_reported.store(false, Ordering::Relaxed);
        // One assignment, so a poisoned lock guards a whole list.
        *self.0.nets.write().unwrap_or_else(PoisonError::into_inner) = nets;
    }

    /// Returns whether the list has no entry, and so allows every address.
    pub fn is_empty(&self) -> bool {
        self.nets().is_empty()
    }

    /// Returns whether a delivery may come from this address.
    pub fn allows(&self, address: IpAddr) -> bool {
        let nets = self.nets();
        nets.is_empty() || nets.iter().any(|net| net.contains(address))
    }

    fn nets(&self) -> impl std::ops::Deref<Target = Vec<IpNet>> {
        self.0.nets.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the list is empty, and logs that once.
    fn is_off(&self) -> bool {
        let is_empty = self.is_empty();
        if is_empty && !self.0.is_reported.swap(true, Ordering::Relaxed) {
            observe::allow_list_empty();
        }
        is_empty
    }
}

impl FromIterator<IpNet> for AllowList {
    fn from_iter<I: IntoIterator<Item = IpNet>>(nets: I) -> Self {
        let list = Self::new();
        list.replace(nets);
        list
    }
}

impl fmt::Debug for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AllowList").field(&*self.nets()).finish()
    }
}

type FindClient = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

/// A list, and how to find the address of a request.
pub(super) struct Allowed {
    pub(super) list: AllowList,
    pub(super) client: Box<FindClient>,
}

impl Allowed {
    /// Returns why a request is rejected.
    pub(super) fn check(&self, head: &Parts) -> Result<(), RejectionKind> {
        if self.list.is_off() {
            return Ok(());
        }
        match user_fn::call("with_allow_list", || (self.client)(head)).flatten() {
            Some(address) if self.list.allows(address) => Ok(()),
            Some(_) => Err(RejectionKind::Address),
            None => Err(RejectionKind::AddressUnknown),
        }
    }
}

/// An IP address, or a network of them: `203.0.113.7`, `203.0.113.0/25` or `2001:db8::/32`.
///
/// The bits behind the prefix do not count. An IPv4 address that is mapped into IPv6 (`::ffff:203.0.113.7`), as servers
/// with one socket for both see them, is the IPv4 address.
///
/// ```
/// use tower_wechat::verify::IpNet;
///
/// let net: IpNet = "203.0.113.0/25".parse()?;
/// assert!(net.contains("203.0.113.127".parse()?));
/// assert!(net.contains("::ffff:203.0.113.7".parse()?));
/// assert!(!net.contains("203.0.113.128".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpNet {
    /// The bits behind the prefix are zero.
    address: IpAddr,
    prefix: u8,
}

impl IpNet {
    /// Returns whether the network contains this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == self.address
    }
}

/// Returns the address with the bits behind the prefix set to zero.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix));
            Ipv4Addr::from_bits(address.to_bits() & mask.unwrap_or(0)).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix));
            Ipv6Addr::from_bits(address.to_bits() & mask.unwrap_or(0)).into()
        }
    }
}

/// A network of one address.
impl From<IpAddr> for IpNet {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let prefix = bits(address);
        Self { address, prefix }
    }
}

impl FromStr for IpNet {
    type Err = ParseIpNetError;

    fn from_str(text: &str) -> Result<Self, ParseIpNetError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ParseIpNetError(()))?;
        let Some(prefix) = prefix else {
            return Ok(address.into());
        };
        let is_number = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: Option<u8> = prefix.parse().ok().filter(|_| is_number);
        let prefix = prefix.filter(|prefix| *prefix <= bits(address));
        let canonical = address.to_canonical();
        let prefix = prefix.and_then(|prefix| {
            // A network of more than the mapped addresses has no IPv4 address.
            prefix.checked_sub(bits(address) - bits(canonical))
        });
        let prefix = prefix.ok_or(ParseIpNetError(()))?;
        Ok(Self {
            address: masked(canonical, prefix),
            prefix,
        })
    }
}

fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address, a slash and the length of the prefix; the address alone if it is the whole network.
impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, prefix } = self;
        if *prefix == bits(*address) {
            write!(f, "{address}")
        } else {
            write!(f, "{address}/{prefix}")
        }
    }
}

impl fmt::Debug for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is no [`IpNet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseIpNetError(());

impl fmt::Display for ParseIpNetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an IP address, or one with a slash and the length of its prefix")
    }
}

impl error::Error for ParseIpNetError {}
