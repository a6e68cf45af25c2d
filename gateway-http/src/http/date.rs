//! Dates as HTTP writes them.

use std::fmt;

use desk_files::date::Civil;
pub use desk_files::date::Rfc3339;

use crate::Time;

/// A moment as the `Date` field writes it (RFC 9110, section 5.6.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpDate(pub Time);

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, weekday, hour, minute, second } = Civil::new(self.0);
        let (weekday, month) = (DAYS[weekday], MONTHS[month - 1]);
        write!(f, "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: u64, http: &str) {
        let time = Time(seconds * 1_000_000 + 999_999);
        assert_eq!(HttpDate(time).to_string(), http);
    }

    #[test]
    fn dates_are_civil() {
        check(0, "Thu, 01 Jan 1970 00:00:00 GMT");
        check(784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT");
        check(951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT");
        check(951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT");
        check(4_102_444_799, "Thu, 31 Dec 2099 23:59:59 GMT");
    }
}
