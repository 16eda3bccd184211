//! The list of addresses that deliveries may come from.

use std::net::IpAddr;

use http::Request;
use http_body_util::Full;
use proptest::prelude::*;
use tower_wechat::{
    VerifySignatureLayer,
    callback::ErrorKind,
    verify::{AllowList, IpNet, RejectionKind},
};

use super::{Bytes, block_on, check_accepted, check_rejected, get, layer, post, send, signed};

/// Where a test's server says that a request comes from.
#[derive(Clone)]
struct Peer(IpAddr);

fn list(nets: &[&str]) -> AllowList {
    nets.iter()
        .map(|net| net.parse::<IpNet>().unwrap())
        .collect()
}

fn limited(list: &AllowList) -> VerifySignatureLayer {
    layer().with_allow_list(list.clone(), |head| {
        head.extensions.get().map(|Peer(address)| *address)
    })
}

fn from(address: &str, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    let peer = Peer(address.parse().unwrap());
    request.extensions_mut().insert(peer);
    request
}

#[test]
fn deliveries_come_from_the_list_alone() {
    let list = list(&["203.0.113.7", "198.51.100.0/25", "2001:db8::/48"]);
    let layer = limited(&list);
    for address in [
        "203.0.113.7",
        "::ffff:203.0.113.7",
        "198.51.100.0",
        "198.51.100.127",
        "::ffff:198.51.100.127",
        "2001:db8::1",
        "2001:db8:0:ffff::1",
    ] {
        check_accepted(&layer, from(address, post(&signed())));
    }
    for address in [
        "203.0.113.8",
        "198.51.100.128",
        "::ffff:198.51.100.128",
        "2001:db8:1::1",
        // Not mapped: an IPv6 address with the same last bits.
        "::203.0.113.7",
        "::1",
    ] {
        let request = from(address, post(&signed()));
        check_rejected(&layer, request.clone(), RejectionKind::Address);
        assert_eq!(block_on(send(&layer, request)).response.status(), 403);
        // Before all other checks.
        let scan = from(address, post("wp-login"));
        check_rejected(&layer, scan, RejectionKind::Address);
    }
    // The signature is checked all the same.
    let forged = from("203.0.113.7", post(&signed().replace("nonce=9", "nonce=8")));
    check_rejected(
        &layer,
        forged,
        RejectionKind::Callback(ErrorKind::Signature),
    );
    // The verification of the URL too.
    let verification = || get(&format!("{}&echostr=1", signed()));
    let verified = block_on(send(&layer, from("203.0.113.7", verification())));
    assert_eq!(verified.body, "1");
    check_rejected(
        &layer,
        from("203.0.113.8", verification()),
        RejectionKind::Address,
    );
}

#[test]
fn the_list_is_refreshed_while_the_server_runs() {
    let list = AllowList::new();
    let layer = limited(&list);
    let deliver = |address| from(address, post(&signed()));
    // Not loaded yet.
    check_accepted(&layer, deliver("203.0.113.7"));
    check_accepted(&layer, post(&signed()));
    list.replace(["203.0.113.7".parse().unwrap()]);
    check_accepted(&layer, deliver("203.0.113.7"));
    check_rejected(&layer, deliver("203.0.113.8"), RejectionKind::Address);
    list.replace(["203.0.113.8".parse().unwrap()]);
    check_rejected(&layer, deliver("203.0.113.7"), RejectionKind::Address);
    check_accepted(&layer, deliver("203.0.113.8"));
    list.replace([]);
    check_accepted(&layer, deliver("203.0.113.7"));
}

#[test]
fn a_request_without_an_address_is_rejected() {
    let list = list(&["203.0.113.7"]);
    let unknown = RejectionKind::AddressUnknown;
    check_rejected(&limited(&list), post(&signed()), unknown);
    let status = block_on(send(&limited(&list), post(&signed())))
        .response
        .status();
    assert_eq!(status, 403);
    let panicking = layer().with_allow_list(list, |_| panic!("no address"));
    check_rejected(&panicking, post(&signed()), unknown);
}

/// The log tells WeChat's new addresses from strangers, and says once that a list is empty.
#[cfg(feature = "tracing")]
#[test]
fn nobody_is_locked_out_in_silence() {
    let list = list(&["203.0.113.7"]);
    let layer = limited(&list);
    let send = async |request| {
        send(&layer, request).await;
    };
    let log = block_on(crate::log::of(async || {
        send(from("192.0.2.1", post("wp-login"))).await;
        send(from(
            "192.0.2.1",
            post(&signed().replace("nonce=9", "nonce=8")),
        ))
        .await;
        send(post("wp-login")).await;
        send(from("192.0.2.1", post(&signed()))).await;
        send(post(&signed())).await;
        list.replace([]);
        send(post(&signed())).await;
        send(post(&signed())).await;
        list.replace([]);
        send(post(&signed())).await;
    }));
    let answered = |line: &&str| line.contains("answered a message");
    let log: Vec<_> = log.lines().filter(|line| !answered(line)).collect();
    let log = log.join("\n");
    let (address, unknown) = ("kind=\"address\"", "kind=\"address_unknown\"");
    crate::log::check(
        &log,
        [
            &["DEBUG", address],
            &["DEBUG", address],
            &["DEBUG", unknown],
            &["WARN", address, "account=\"post-office\""],
            &["ERROR", unknown, "with_allow_list"],
            &["WARN", "the allow-list is empty"],
            &["WARN", "the allow-list is empty"],
        ],
    );
    // Addresses are personal data.
    assert!(!log.contains("192.0.2.1"), "{log}");
}

#[test]
fn networks_have_one_form() {
    for (text, shown) in [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7/32", "203.0.113.7"),
        ("203.0.113.7/25", "203.0.113.0/25"),
        ("203.0.113.7/0", "0.0.0.0/0"),
        ("2001:DB8::1", "2001:db8::1"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("::/0", "::/0"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7/121", "203.0.113.0/25"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
    ] {
        let net: IpNet = text.parse().unwrap();
        assert_eq!(net.to_string(), shown, "{text}");
        assert_eq!(format!("{net:?}"), shown);
        assert_eq!(shown.parse(), Ok(net), "{text}");
    }
    for text in [
        "",
        "/",
        "/24",
        "203.0.113",
        "203.0.113.7/",
        "203.0.113.7/33",
        "203.0.113.7/+8",
        "203.0.113.7/-1",
        "203.0.113.7/8/8",
        " 203.0.113.7",
        "203.0.113.07",
        "2001:db8::1/129",
        "::ffff:203.0.113.7/95",
        "wechat.example",
    ] {
        let error = text.parse::<IpNet>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected an IP address, or one with a slash and the length of its prefix",
            "{text}"
        );
    }
}

#[test]
fn debug_shows_the_networks() {
    let list = list(&["203.0.113.7", "2001:db8::/32"]);
    assert_eq!(
        format!("{list:?}"),
        "AllowList([203.0.113.7, 2001:db8::/32])"
    );
}

proptest! {
    /// An address is in a network if, and only if, its first bits are the network's.
    #[test]
    fn a_network_is_its_first_bits(net: u32, address: u32, prefix in 0_u8..=32, flipped in 0_u32..32) {
        let text = format!("{}/{prefix}", IpAddr::from(net.to_be_bytes()));
        let parsed: IpNet = text.parse().unwrap();
        let near = net ^ 1 << flipped;
        for address in [address, net, near] {
            let expected = (0..u32::from(prefix)).all(|bit| (net ^ address) << bit < 1 << 31);
            let address = IpAddr::from(address.to_be_bytes());
            prop_assert_eq!(parsed.contains(address), expected, "{} {}", &text, address);
            let IpAddr::V4(four) = address else { unreachable!() };
            prop_assert_eq!(parsed.contains(four.to_ipv6_mapped().into()), expected);
        }
    }
}
