//! UDP sockets that share an address, one a shard, and the program that chooses
//! among them.
//!
//! The kernel runs a program of the classic BPF on each datagram. The program reads the
//! first byte of the QUIC destination connection id, and takes it modulo the number of
//! sockets. So a connection stays with its shard when its peer changes address.
#![expect(unsafe_code, reason = "one socket option that no safe wrapper has")]

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::net::{AddressFamily, SocketType, sockopt};

/// Binds `count` sockets to one address. The place of a socket in the list is its
/// place in the kernel's group.
///
/// # Errors
/// The address is taken, or cannot be had.
pub(crate) fn bind(address: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<OwnedFd>)> {
    // A socket that shares would join the group of another process.
    let bound = local_address(&bind_one(address, false)?)?;
    let sockets: Vec<_> = (0..count).map(|_| bind_one(bound, true)).collect::<io::Result<_>>()?;
    if let (Some(first), 2..) = (sockets.first(), count) {
        steer(first, count)?;
    }
    Ok((bound, sockets))
}

fn bind_one(address: SocketAddr, shared: bool) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket_with(
        family,
        SocketType::DGRAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?;
    if address.is_ipv6() {
        // Each family has a group of its own.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    if shared {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}

fn local_address(socket: &OwnedFd) -> io::Result<SocketAddr> {
    let name = rustix::net::getsockname(socket)?;
    SocketAddr::try_from(name).map_err(|_| ErrorKind::AddrNotAvailable.into())
}

/// One instruction of the classic BPF: operation, jumps, operand.
const fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

/// The byte of a datagram that names its shard, modulo the number of shards.
///
/// ```text
/// long header   1x…… version(4) length id[0] …   the id begins at byte 6
/// short header  0x…… id[0] …                     the id begins at byte 1
/// ```
fn program(shards: u32) -> [libc::sock_filter; 7] {
    use libc::{BPF_A, BPF_ABS, BPF_ALU, BPF_B, BPF_JA, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_MOD};
    let load_byte = BPF_LD | BPF_B | BPF_ABS;
    [
        instruction(load_byte, 0, 0, 0),
        // A short header goes on two instructions further.
        instruction(BPF_JMP | BPF_JSET | BPF_K, 0, 2, 0x80),
        instruction(load_byte, 0, 0, 6),
        instruction(BPF_JMP | BPF_JA, 0, 0, 1),
        instruction(load_byte, 0, 0, 1),
        instruction(BPF_ALU | BPF_MOD | BPF_K, 0, 0, shards),
        instruction(libc::BPF_RET | BPF_A, 0, 0, 0),
    ]
}

fn steer(member: &OwnedFd, count: usize) -> io::Result<()> {
    let mut program = program(count as u32);
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the descriptor is open while `member` lives. `filter` is of the type and the
    // length that this option takes, it points at `program.len()` instructions that live
    // until the call is over, and the kernel copies and checks them.
    let failed = unsafe {
        libc::setsockopt(
            member.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const filter).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::time::Duration;

    #[test]
    fn datagrams_go_to_the_shard_of_their_id() {
        let (address, sockets) = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let sockets: Vec<_> = sockets.into_iter().map(UdpSocket::from).collect();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut buffer = [0; 64];
        for first in [0, 1, 2, 3, 100, 254, 255_u8] {
            for datagram in [[0xc3, 0, 0, 0, 1, 8, first, 9], [0x43, first, 0, 0, 0, 0, 9, 9]] {
                peer.send_to(&datagram, address).unwrap();
                let shard = &sockets[usize::from(first) % 3];
                shard.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let (length, _) = shard.recv_from(&mut buffer).unwrap();
                assert_eq!(buffer[..length], datagram);
            }
        }
    }

    #[test]
    fn an_address_in_use_is_not_shared() {
        let (address, _sockets) = bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        assert_eq!(bind(address, 2).unwrap_err().kind(), ErrorKind::AddrInUse);
    }
}
