//! Who sent a request that came through proxies.

use std::net::{IpAddr, SocketAddr};

use crate::http::RequestHead;

/// The header field in which each proxy adds whom it got a request from.
pub const FORWARDED_FIELD: &str = "X-Forwarded-For";

/// The address that a request came from. Each proxy adds its peer on the right, so the
/// right-most address that is not a trusted proxy's own is the last one that somebody
/// trusted saw; all further left may be invented.
pub fn client_address(
    head: &RequestHead,
    peer: IpAddr,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let fields: Vec<&[u8]> = head.values(FORWARDED_FIELD).collect();
    let hops = fields.iter().rev().flat_map(|field| field.rsplit(|byte| *byte == b','));
    let mut client = peer;
    for hop in hops {
        if !is_trusted(client) {
            break;
        }
        let Some(address) = read_hop(hop) else { break };
        client = address;
    }
    client
}

/// An address, perhaps with a port: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80`.
fn read_hop(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port)
}
