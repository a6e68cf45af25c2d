//! tldraw's colours, which are names: the light theme's shades.

use desk_protocol::Color;

use crate::color;

struct Shades {
    name: &'static str,
    note: u32,
    /// Of the fill that is called solid.
    semi: u32,
    pattern: u32,
    /// Of the fill that is called fill.
    solid: u32,
}

const fn shades(name: &'static str, [note, semi, pattern, solid]: [u32; 4]) -> Shades {
    Shades { name, note, semi, pattern, solid }
}

const THEME: [Shades; 13] = [
    shades("black", [0xfc_e1_9c, 0xe8_e8_e8, 0x49_49_49, 0x1d_1d_1d]),
    shades("grey", [0xc0_ca_d3, 0xec_ee_f0, 0xbc_c3_c9, 0x9f_a8_b2]),
    shades("light-violet", [0xdf_b0_f9, 0xf5_ea_fa, 0xe9_ac_f8, 0xe0_85_f4]),
    shades("violet", [0xdb_91_fd, 0xec_dc_f2, 0xbd_63_d3, 0xae_3e_c9]),
    shades("blue", [0x8a_a3_ff, 0xdc_e1_f8, 0x66_81_ee, 0x44_65_e9]),
    shades("light-blue", [0x9b_c4_fd, 0xdd_ed_fa, 0x6f_bb_f8, 0x4b_a1_f1]),
    shades("yellow", [0xfe_d4_9a, 0xf9_f0_e6, 0xfe_cb_92, 0xf1_ac_4b]),
    shades("orange", [0xfa_a4_75, 0xf8_e2_d4, 0xf7_84_38, 0xe1_69_19]),
    shades("green", [0x6f_c8_96, 0xd3_e9_e3, 0x39_a7_85, 0x09_92_68]),
    shades("light-green", [0x98_d0_8a, 0xdb_f0_e0, 0x65_cb_78, 0x4c_b0_5e]),
    shades("light-red", [0xf7_a5_a1, 0xf4_da_db, 0xfe_9e_9e, 0xf8_77_77]),
    shades("red", [0xfc_82_82, 0xf4_da_db, 0xe5_59_59, 0xe0_31_31]),
    shades("white", [0xff_ff_ff, 0xf5_f5_f5, 0xf9_f9_f9, 0xff_ff_ff]),
];

/// The paper that a fill called semi shows.
const PAPER: u32 = 0xfc_ff_fe;

fn of(name: &str) -> Option<&'static Shades> {
    THEME.iter().find(|shades| shades.name == name)
}

/// The name of the note's colour that looks most like this one.
pub(super) fn nearest(color: Color) -> &'static str {
    let fills = THEME.each_ref().map(|shades| (shades.name, shades.note));
    color::nearest(color, &fills).expect("the theme has colours")
}

/// The same for a box, of which black is grey.
pub(super) fn nearest_of_box(color: Color) -> &'static str {
    let fills = THEME.each_ref().map(|shades| (shades.name, shades.note));
    let fills: Vec<_> = fills.into_iter().filter(|(name, _)| *name != "black").collect();
    color::nearest(color, &fills).expect("the theme has colours")
}

/// A note's colour; none if the name is not known.
pub(super) fn note(name: &str) -> Option<Color> {
    of(name).map(|shades| Color(shades.note))
}

/// A box's colour by its fill; one without a fill has the desk's default.
pub(super) fn geo(name: &str, fill: &str) -> Option<Color> {
    let shades = of(name)?;
    Some(match fill {
        "semi" => Color(PAPER),
        "solid" | "lined-fill" => Color(shades.semi),
        "pattern" => Color(shades.pattern),
        "fill" => Color(shades.solid),
        _ => Color::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_palette_keeps_its_hues() {
        let hues = [
            (0xff_e0_66, "black"),
            (0xb2_f2_bb, "light-green"),
            (0xa5_d8_ff, "light-blue"),
            (0xff_c9_c9, "light-red"),
            (0xee_be_fa, "light-violet"),
            (0xff_d8_a8, "yellow"),
            (0xff_ff_ff, "white"),
            (0xfa_52_52, "red"),
        ];
        for (color, name) in hues {
            assert_eq!(nearest(Color(color)), name, "{color:06x}");
        }
        assert_eq!(nearest_of_box(Color::default()), "yellow");
    }
}
