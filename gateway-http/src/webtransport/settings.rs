//! What a control stream begins with.

use super::varint;

/// The type of a control stream.
const CONTROL: u64 = 0x00;

/// The type of a frame of settings.
const SETTINGS: u64 = 0x04;

/// Settings by their number. Those of several drafts stand side by side: each client
/// reads its own, and ignores the others.
const VALUES: [(u64, u64); 11] = [
    // No dynamic table of header fields, so no stream of them has to be followed.
    (0x1, 0),
    // Bytes of a request's header fields.
    (0x6, crate::limits::CONNECT_BYTES_MAX as u64),
    (0x7, 0),
    // Extended CONNECT, and datagrams by their number of the standard and of a draft.
    (0x8, 1),
    (0x33, 1),
    (0xff_d277, 1),
    // WebTransport of draft 02: the only one that Chromium 156 reads.
    (0x2b60_3742, 1),
    (0x2b60_3743, 1),
    (0xc671_706a, 1),
    // Drafts 13 and 14, and 15.
    (0x14e9_cd29, 1),
    (0x2c7c_f000, 1),
];

/// The bytes of a control stream: its type and the settings.
pub fn control_stream() -> Vec<u8> {
    let mut values = Vec::new();
    for (setting, value) in VALUES {
        varint::append(setting, &mut values);
        varint::append(value, &mut values);
    }
    let mut out = Vec::new();
    varint::append(CONTROL, &mut out);
    varint::append(SETTINGS, &mut out);
    varint::append(values.len() as u64, &mut out);
    out.extend_from_slice(&values);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_those_that_browsers_were_tried_with() {
        let bytes = control_stream();
        let expected = "00042f01000680004000070008013301\
                        80ffd27701ab60374201ab60374301c0000000c671706a0194e9cd2901ac7cf00001";
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }
}
