//! Colours as CSS and spreadsheets write them, and which one is nearest.

use desk_protocol::Color;

/// What a file says of a colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Paint {
    /// This one.
    Of(Color),
    /// See-through, or nothing is said: the default.
    None,
    /// Words that nobody knows.
    Unknown,
}

/// A colour of CSS: hex of 3, 4, 6 or 8 digits (the `#` may lack), a name,
/// `rgb()` or `hsl()`. Opacity is dropped; nothing visible is [`Paint::None`].
pub(crate) fn css(text: &str) -> Paint {
    let text = text.trim().to_ascii_lowercase();
    if matches!(text.as_str(), "" | "transparent" | "none" | "inherit" | "initial" | "auto") {
        return Paint::None;
    }
    if let Some(paint) = hex(text.strip_prefix('#').unwrap_or(&text)) {
        return paint;
    }
    if let Some(color) = named(&text) {
        return Paint::Of(color);
    }
    function(&text).unwrap_or(Paint::Unknown)
}

fn hex(digits: &str) -> Option<Paint> {
    let value = u32::from_str_radix(digits, 16).ok()?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let widened = |rgb: u32| {
        let digit = |shift: u32| (rgb >> shift & 0xf) * 0x11;
        digit(8) << 16 | digit(4) << 8 | digit(0)
    };
    let (rgb, clear) = match digits.len() {
        3 => (widened(value), false),
        4 => (widened(value >> 4), value & 0xf == 0),
        6 => (value, false),
        8 => (value >> 8, value & 0xff == 0),
        _ => return None,
    };
    Some(if clear { Paint::None } else { Paint::Of(Color(rgb)) })
}

fn function(text: &str) -> Option<Paint> {
    let (name, arguments) = text.strip_suffix(')')?.split_once('(')?;
    let parts: Vec<&str> =
        arguments.split([',', ' ', '/']).map(str::trim).filter(|part| !part.is_empty()).collect();
    let [first, second, third, alpha @ ..] = parts.as_slice() else { return None };
    let share = |part: &str| -> Option<f64> {
        let number: f64 = part.strip_suffix('%')?.parse().ok()?;
        number.is_finite().then_some((number / 100.0).clamp(0.0, 1.0))
    };
    if let [alpha] = alpha
        && share(alpha).or_else(|| alpha.parse().ok()).is_some_and(|alpha| alpha == 0.0)
    {
        return Some(Paint::None);
    }
    let rgb = match name {
        "rgb" | "rgba" => {
            let channel = |part: &str| match share(part) {
                Some(share) => Some(share),
                None => part.parse::<f64>().ok().map(|number| (number / 255.0).clamp(0.0, 1.0)),
            };
            [channel(first)?, channel(second)?, channel(third)?]
        }
        "hsl" | "hsla" => {
            let degrees: f64 = first.strip_suffix("deg").unwrap_or(first).parse().ok()?;
            of_hsl(degrees, share(second)?, share(third)?)
        }
        _ => return None,
    };
    rgb.iter().all(|channel| channel.is_finite()).then(|| {
        let [red, green, blue] = rgb.map(|channel| (channel * 255.0).round() as u32);
        Paint::Of(Color(red << 16 | green << 8 | blue))
    })
}

/// CSS Color 4, section 7.1.
fn of_hsl(degrees: f64, saturation: f64, lightness: f64) -> [f64; 3] {
    [0.0, 8.0, 4.0].map(|n: f64| {
        let k = (n + degrees / 30.0).rem_euclid(12.0);
        let reach = saturation * lightness.min(1.0 - lightness);
        lightness - reach * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0)
    })
}

fn named(name: &str) -> Option<Color> {
    let at = NAMES.binary_search_by_key(&name, |(name, _)| name).ok()?;
    Some(Color(NAMES[at].1))
}

/// The one of `colors` that looks most like `color`: the least distance in Oklab
/// (B. Ottosson, 2020). Lightness counts half, since a note's hue is what people sort
/// by: a pale green is nearer to a strong green than to a pale yellow.
pub(crate) fn nearest<T: Copy>(color: Color, colors: &[(T, u32)]) -> Option<T> {
    let seen = |rgb: u32| {
        let [lightness, a, b] = oklab(rgb);
        [lightness / 2.0, a, b]
    };
    let wanted = seen(color.0);
    let distance =
        |rgb: u32| -> f64 { seen(rgb).iter().zip(wanted).map(|(a, b)| (a - b) * (a - b)).sum() };
    let least = colors.iter().min_by(|(_, a), (_, b)| distance(*a).total_cmp(&distance(*b)));
    least.map(|(what, _)| *what)
}

fn oklab(rgb: u32) -> [f64; 3] {
    let [_, red, green, blue] = rgb.to_be_bytes().map(|channel| {
        let channel = f64::from(channel) / 255.0;
        if channel <= 0.040_45 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    });
    let long = (0.412_221_470_8 * red + 0.536_332_536_3 * green + 0.051_445_992_9 * blue).cbrt();
    let middle = (0.211_903_498_2 * red + 0.680_699_545_1 * green + 0.107_396_956_6 * blue).cbrt();
    let short = (0.088_302_461_9 * red + 0.281_718_837_6 * green + 0.629_978_700_5 * blue).cbrt();
    [
        0.210_454_255_3 * long + 0.793_617_785_0 * middle - 0.004_072_046_8 * short,
        1.977_998_495_1 * long - 2.428_592_205_0 * middle + 0.450_593_709_9 * short,
        0.025_904_037_1 * long + 0.782_771_766_2 * middle - 0.808_675_766_0 * short,
    ]
}

/// The names of CSS Color 4, in order.
#[rustfmt::skip]
const NAMES: [(&str, u32); 148] = [
    ("aliceblue", 0xf0_f8_ff), ("antiquewhite", 0xfa_eb_d7), ("aqua", 0x00_ff_ff),
    ("aquamarine", 0x7f_ff_d4), ("azure", 0xf0_ff_ff), ("beige", 0xf5_f5_dc),
    ("bisque", 0xff_e4_c4), ("black", 0x00_00_00), ("blanchedalmond", 0xff_eb_cd),
    ("blue", 0x00_00_ff), ("blueviolet", 0x8a_2b_e2), ("brown", 0xa5_2a_2a),
    ("burlywood", 0xde_b8_87), ("cadetblue", 0x5f_9e_a0), ("chartreuse", 0x7f_ff_00),
    ("chocolate", 0xd2_69_1e), ("coral", 0xff_7f_50), ("cornflowerblue", 0x64_95_ed),
    ("cornsilk", 0xff_f8_dc), ("crimson", 0xdc_14_3c), ("cyan", 0x00_ff_ff),
    ("darkblue", 0x00_00_8b), ("darkcyan", 0x00_8b_8b), ("darkgoldenrod", 0xb8_86_0b),
    ("darkgray", 0xa9_a9_a9), ("darkgreen", 0x00_64_00), ("darkgrey", 0xa9_a9_a9),
    ("darkkhaki", 0xbd_b7_6b), ("darkmagenta", 0x8b_00_8b), ("darkolivegreen", 0x55_6b_2f),
    ("darkorange", 0xff_8c_00), ("darkorchid", 0x99_32_cc), ("darkred", 0x8b_00_00),
    ("darksalmon", 0xe9_96_7a), ("darkseagreen", 0x8f_bc_8f), ("darkslateblue", 0x48_3d_8b),
    ("darkslategray", 0x2f_4f_4f), ("darkslategrey", 0x2f_4f_4f), ("darkturquoise", 0x00_ce_d1),
    ("darkviolet", 0x94_00_d3), ("deeppink", 0xff_14_93), ("deepskyblue", 0x00_bf_ff),
    ("dimgray", 0x69_69_69), ("dimgrey", 0x69_69_69), ("dodgerblue", 0x1e_90_ff),
    ("firebrick", 0xb2_22_22), ("floralwhite", 0xff_fa_f0), ("forestgreen", 0x22_8b_22),
    ("fuchsia", 0xff_00_ff), ("gainsboro", 0xdc_dc_dc), ("ghostwhite", 0xf8_f8_ff),
    ("gold", 0xff_d7_00), ("goldenrod", 0xda_a5_20), ("gray", 0x80_80_80), ("green", 0x00_80_00),
    ("greenyellow", 0xad_ff_2f), ("grey", 0x80_80_80), ("honeydew", 0xf0_ff_f0),
    ("hotpink", 0xff_69_b4), ("indianred", 0xcd_5c_5c), ("indigo", 0x4b_00_82),
    ("ivory", 0xff_ff_f0), ("khaki", 0xf0_e6_8c), ("lavender", 0xe6_e6_fa),
    ("lavenderblush", 0xff_f0_f5), ("lawngreen", 0x7c_fc_00), ("lemonchiffon", 0xff_fa_cd),
    ("lightblue", 0xad_d8_e6), ("lightcoral", 0xf0_80_80), ("lightcyan", 0xe0_ff_ff),
    ("lightgoldenrodyellow", 0xfa_fa_d2), ("lightgray", 0xd3_d3_d3), ("lightgreen", 0x90_ee_90),
    ("lightgrey", 0xd3_d3_d3), ("lightpink", 0xff_b6_c1), ("lightsalmon", 0xff_a0_7a),
    ("lightseagreen", 0x20_b2_aa), ("lightskyblue", 0x87_ce_fa), ("lightslategray", 0x77_88_99),
    ("lightslategrey", 0x77_88_99), ("lightsteelblue", 0xb0_c4_de), ("lightyellow", 0xff_ff_e0),
    ("lime", 0x00_ff_00), ("limegreen", 0x32cd32), ("linen", 0xfa_f0_e6),
    ("magenta", 0xff_00_ff), ("maroon", 0x80_00_00), ("mediumaquamarine", 0x66_cd_aa),
    ("mediumblue", 0x00_00_cd), ("mediumorchid", 0xba_55_d3), ("mediumpurple", 0x93_70_db),
    ("mediumseagreen", 0x3c_b3_71), ("mediumslateblue", 0x7b_68_ee),
    ("mediumspringgreen", 0x00_fa_9a), ("mediumturquoise", 0x48_d1_cc),
    ("mediumvioletred", 0xc7_15_85), ("midnightblue", 0x19_19_70), ("mintcream", 0xf5_ff_fa),
    ("mistyrose", 0xff_e4_e1), ("moccasin", 0xff_e4_b5), ("navajowhite", 0xff_de_ad),
    ("navy", 0x00_00_80), ("oldlace", 0xfd_f5_e6), ("olive", 0x80_80_00),
    ("olivedrab", 0x6b_8e_23), ("orange", 0xff_a5_00), ("orangered", 0xff_45_00),
    ("orchid", 0xda_70_d6), ("palegoldenrod", 0xee_e8_aa), ("palegreen", 0x98_fb_98),
    ("paleturquoise", 0xaf_ee_ee), ("palevioletred", 0xdb_70_93), ("papayawhip", 0xff_ef_d5),
    ("peachpuff", 0xff_da_b9), ("peru", 0xcd_85_3f), ("pink", 0xff_c0_cb), ("plum", 0xdd_a0_dd),
    ("powderblue", 0xb0_e0_e6), ("purple", 0x80_00_80), ("rebeccapurple", 0x66_33_99),
    ("red", 0xff_00_00), ("rosybrown", 0xbc_8f_8f), ("royalblue", 0x41_69_e1),
    ("saddlebrown", 0x8b_45_13), ("salmon", 0xfa_80_72), ("sandybrown", 0xf4_a4_60),
    ("seagreen", 0x2e_8b_57), ("seashell", 0xff_f5_ee), ("sienna", 0xa0_52_2d),
    ("silver", 0xc0_c0_c0), ("skyblue", 0x87_ce_eb), ("slateblue", 0x6a_5a_cd),
    ("slategray", 0x70_80_90), ("slategrey", 0x70_80_90), ("snow", 0xff_fa_fa),
    ("springgreen", 0x00_ff_7f), ("steelblue", 0x46_82_b4), ("tan", 0xd2_b4_8c),
    ("teal", 0x00_80_80), ("thistle", 0xd8_bf_d8), ("tomato", 0xff_63_47),
    ("turquoise", 0x40_e0_d0), ("violet", 0xee_82_ee), ("wheat", 0xf5_de_b3),
    ("white", 0xff_ff_ff), ("whitesmoke", 0xf5_f5_f5), ("yellow", 0xff_ff_00),
    ("yellowgreen", 0x9acd32),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        match css(text) {
            Paint::Of(color) => color.to_string(),
            Paint::None => "none".to_owned(),
            Paint::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn colours_as_people_write_them() {
        for (text, color) in [
            ("#1E90FF", "#1e90ff"),
            ("FF0000", "#ff0000"),
            ("#f80", "#ff8800"),
            ("#f800", "none"),
            ("#11223380", "#112233"),
            (" Yellow ", "#ffff00"),
            ("rgb(255, 128, 0)", "#ff8000"),
            ("rgb(100% 0% 0% / 50%)", "#ff0000"),
            ("rgba(1,2,3,0)", "none"),
            ("hsl(120, 100%, 25%)", "#008000"),
            ("hsl(210deg 50% 50%)", "#4080bf"),
            ("transparent", "none"),
            ("", "none"),
            ("butter", "unknown"),
            ("#12345", "unknown"),
            ("+12345", "unknown"),
            ("rgb(1,2)", "unknown"),
            ("rgb(nan,2,3)", "unknown"),
        ] {
            assert_eq!(of(text), color, "{text}");
        }
    }

    #[test]
    fn names_are_in_order_and_the_nearest_is_the_nearest() {
        assert!(NAMES.is_sorted_by_key(|(name, _)| name));
        let near = [("warm", 0xfc_e1_9c), ("cold", 0x8a_a3_ff)];
        assert_eq!(nearest(Color::default(), &near), Some("warm"));
        assert_eq!(nearest(Color(0x1e_90_ff), &near), Some("cold"));
    }
}
