//! Who is at the other end: the client's address, also behind proxies.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's address. `X-Forwarded-For` is read from its end for as long as trusted proxies wrote it: whatever a client
/// puts in front of that is not believed.
pub(super) fn address(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut address = peer.ip().to_canonical();
    let hops: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    for hop in hops.into_iter().rev() {
        if !is_trusted(&address) {
            break;
        }
        let Some(before) = parse(hop) else { break };
        address = before;
    }
    address
}

/// An address as proxies write it: alone, or with a port.
fn parse(hop: &str) -> Option<IpAddr> {
    let alone = hop.parse().ok();
    let with_port = || hop.parse::<SocketAddr>().ok().map(|a| a.ip());
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    alone.or_else(with_port).or_else(bracketed).map(|a: IpAddr| a.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        address(format!("{peer}:4000").parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_s_header_is_not_believed() {
        assert_eq!(seen("203.0.113.7", &["10.0.0.1"], &["10.0.0.0/8"]), "203.0.113.7");
        assert_eq!(seen("203.0.113.7", &["10.0.0.1"], &[]), "203.0.113.7");
    }

    #[test]
    fn trusted_proxies_are_walked_from_the_end() {
        let trusted = ["10.0.0.0/8", "127.0.0.1/32"];
        assert_eq!(seen("127.0.0.1", &["198.51.100.1"], &trusted), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", &["6.6.6.6, 198.51.100.1, 10.1.2.3"], &trusted), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", &["6.6.6.6", "198.51.100.1:5000, 10.1.2.3"], &trusted), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", &["10.1.2.3"], &trusted), "10.1.2.3");
    }

    #[test]
    fn nonsense_ends_the_walk() {
        assert_eq!(seen("127.0.0.1", &["198.51.100.1, unknown"], &["127.0.0.1/32"]), "127.0.0.1");
        assert_eq!(seen("127.0.0.1", &["[2001:db8::1]"], &["127.0.0.1/32"]), "2001:db8::1");
    }
}
