//! A bounded difference of two texts.

use super::delta::{Delta, Part};
use crate::limits::DIFF_DISTANCE_MAX;

/// A delta that makes `after` out of `before`; its insertions continue nothing.
///
/// Common ends are trimmed; the middle is compared by Myers' greedy algorithm
/// (E. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986) up to
/// an edit distance of [`DIFF_DISTANCE_MAX`]; beyond it the middle is replaced
/// as a whole. Time is bounded by the texts' lengths times that distance.
pub fn diff(before: &str, after: &str) -> Delta {
    let before: Vec<char> = before.chars().collect();
    let after: Vec<char> = after.chars().collect();
    let head = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let tail = before[head..]
        .iter()
        .rev()
        .zip(after[head..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let old = &before[head..before.len() - tail];
    let new = &after[head..after.len() - tail];

    let mut parts = vec![Part::Retain(chars(head))];
    match shortest_script(old, new) {
        Some(script) => parts.extend(script),
        None => {
            parts.push(Part::insert(new.iter().collect::<String>()));
            parts.push(Part::Delete(chars(old.len())));
        }
    }
    Delta::from_parts(parts).expect("a text is shorter than u32::MAX characters")
}

fn chars(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The shortest edit script, or `None` beyond [`DIFF_DISTANCE_MAX`].
fn shortest_script(old: &[char], new: &[char]) -> Option<Vec<Part>> {
    if old.is_empty() || new.is_empty() {
        return Some(vec![
            Part::insert(new.iter().collect::<String>()),
            Part::Delete(chars(old.len())),
        ]);
    }
    let trace = furthest_reaching(old, new)?;
    let mut steps = Vec::new();
    let (mut x, mut y) = (old.len(), new.len());
    for (distance, row) in trace.iter().enumerate().rev() {
        let k = x as isize - y as isize;
        let (from_x, from_y) = if distance == 0 {
            (0, 0)
        } else {
            let previous = if goes_down(row, distance, k) { k + 1 } else { k - 1 };
            let px = row[index(distance, previous)];
            (px, (px as isize - previous) as usize)
        };
        // The diagonal at the end of this step, then the step itself.
        let (step_x, step_y) = match distance {
            0 => (0, 0),
            _ if goes_down(row, distance, k) => (from_x, from_y + 1),
            _ => (from_x + 1, from_y),
        };
        if x > step_x {
            steps.push(Part::Retain(chars(x - step_x)));
        }
        if step_y > from_y {
            steps.push(Part::insert(new[from_y].to_string()));
        } else if step_x > from_x {
            steps.push(Part::Delete(1));
        }
        (x, y) = (from_x, from_y);
    }
    steps.reverse();
    Some(steps)
}

/// Slot of diagonal `k` in the row that leads to `distance`.
fn index(distance: usize, k: isize) -> usize {
    (k + distance as isize) as usize
}

/// Whether the best way to diagonal `k` is an insertion from diagonal `k + 1`.
fn goes_down(row: &[usize], distance: usize, k: isize) -> bool {
    let edge = distance as isize;
    k == -edge || (k != edge && row[index(distance, k - 1)] < row[index(distance, k + 1)])
}

/// For each distance, the furthest `x` on each diagonal *before* that distance's
/// step, until the end is reached.
fn furthest_reaching(old: &[char], new: &[char]) -> Option<Vec<Vec<usize>>> {
    let mut trace = Vec::new();
    let mut row: Vec<usize> = vec![0];
    for distance in 0..=DIFF_DISTANCE_MAX {
        // Rows grow by one diagonal on either side, so that k±1 always exist.
        let mut before = Vec::with_capacity(row.len() + 2);
        before.push(0);
        before.extend_from_slice(&row);
        before.push(0);
        let before = if distance == 0 { row.clone() } else { before };
        let mut next = vec![0; 2 * distance + 1];
        let edge = distance as isize;
        let mut k = -edge;
        while k <= edge {
            let mut x = if distance == 0 {
                0
            } else if goes_down(&before, distance, k) {
                before[index(distance, k + 1)]
            } else {
                before[index(distance, k - 1)] + 1
            };
            let mut y = (x as isize - k) as usize;
            while x < old.len() && y < new.len() && old[x] == new[y] {
                x += 1;
                y += 1;
            }
            next[index(distance, k)] = x;
            if x >= old.len() && y >= new.len() {
                trace.push(before);
                return Some(trace);
            }
            k += 2;
        }
        trace.push(before);
        row = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_short_scripts() {
        for (before, after, expected) in [
            ("", "", ""),
            ("abc", "abc", ""),
            ("abc", "abxc", "=2 +\"x\""),
            ("abc", "ac", "=1 -1"),
            ("kitten", "sitting", "+\"s\" -1 =3 +\"i\" -1 =1 +\"g\""),
            ("", "héllo", "+\"héllo\""),
        ] {
            let delta = diff(before, after);
            assert_eq!(delta.apply(before).as_deref(), Ok(after));
            assert_eq!(delta.to_string(), expected, "{before} -> {after}");
        }
    }

    #[test]
    fn replaces_the_middle_beyond_the_bound() {
        let before: String = "a".repeat(2_000);
        let after: String = "b".repeat(2_000);
        let delta = diff(&format!("<{before}>"), &format!("<{after}>"));
        assert_eq!(delta.parts().len(), 3);
        assert_eq!(delta.apply(&format!("<{before}>")).as_deref(), Ok(&*format!("<{after}>")));
    }
}
