//! A TUN device: IP packets of a namespace, one a read and one a write.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};

/// `struct ifreq` of the kernel, with its flags: 16 bytes of name, then a union of 24.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// `TUNSETIFF`: names the device of an open file.
struct Attach(Request);

/// `_IOW('T', 202, int)`
const TUNSETIFF: Opcode = 0x4004_54ca;
/// Packets of IP, no Ethernet.
const IFF_TUN: u16 = 0x0001;
/// No header before each packet.
const IFF_NO_PI: u16 = 0x1000;

// SAFETY: `TUNSETIFF` reads and writes one `struct ifreq` behind its pointer, whose layout
// is that of `Request`: it is `repr(C)` and has the size of the kernel's, 40 bytes. The
// pointer is valid while the call runs, because it leads into `self`.
unsafe impl Ioctl for Attach {
    type Output = ();

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        TUNSETIFF
    }

    fn as_ptr(&mut self) -> *mut c_void {
        (&raw mut self.0).cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

/// Makes the device `name` in the namespace of the calling thread. It is gone with the file,
/// which does not block.
pub(crate) fn open(name: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits();
    let file = options.read(true).write(true).custom_flags(nonblocking.cast_signed());
    let file = file.open("/dev/net/tun")?;
    let mut request = Request { name: [0; 16], flags: IFF_TUN | IFF_NO_PI, rest: [0; 22] };
    // The last byte stays 0.
    request.name[..15].iter_mut().zip(name.bytes()).for_each(|(to, byte)| *to = byte);
    // SAFETY: `Attach` is right for this call, and the file is a TUN device without a name.
    unsafe { ioctl(&file, Attach(request)) }?;
    Ok(file)
}
