//! `java.util.Date` and `java.time.Instant` in text, both directions, in UTC.

use java_object_stream::Object;

/// The class that a `java.time.Ser` stands for, by its first byte.
pub(crate) fn kind(object: Object<'_>) -> Option<&'static str> {
    let kinds =
        ["Duration", "Instant", "LocalDate", "LocalTime", "LocalDateTime", "ZonedDateTime", "ZoneRegion", "ZoneOffset"];
    let kind = object.contents()?.read_u8().ok()?;
    kinds.get(usize::from(kind.checked_sub(1)?)).copied()
}

/// Java: Instant.toString. `None` for the other classes that are written as `java.time.Ser`.
pub(crate) fn instant(object: Object<'_>) -> Option<String> {
    let mut data = object.contents()?;
    if data.read_u8().ok()? != 2 {
        return None;
    }
    let (seconds, nanos) = (data.read_i64().ok()?, data.read_i32().ok()?);
    let (year, month, day) = civil(seconds.div_euclid(86_400))?;
    let second = seconds.rem_euclid(86_400);
    // Java: the fraction has no, three, six or nine digits; a year beyond 9999 has a sign.
    let fraction = match nanos {
        0 => String::new(),
        _ if nanos % 1_000_000 == 0 => format!(".{:03}", nanos / 1_000_000),
        _ if nanos % 1000 == 0 => format!(".{:06}", nanos / 1000),
        _ => format!(".{nanos:09}"),
    };
    let year = match year {
        10_000.. => format!("+{year}"),
        0..10_000 => format!("{year:04}"),
        _ => format!("-{:04}", -year),
    };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z"))
}

/// Java: Date.toString in the time zone UTC.
pub(crate) fn date(ms: i64) -> Option<String> {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = ms.div_euclid(1000);
    let days = seconds.div_euclid(86_400);
    let (year, month, day) = civil(days)?;
    let second = seconds.rem_euclid(86_400);
    let weekday = DAYS[usize::try_from(days.rem_euclid(7)).ok()?];
    let month = MONTHS[usize::try_from(month - 1).ok()?];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!("{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}"))
}

/// `2023-11-14T22:13:20.5Z` as seconds and nanoseconds since 1970.
pub(crate) fn parse_instant(text: &str) -> Option<(i64, i32)> {
    let (date, time) = text.strip_suffix(['Z', 'z'])?.split_once(['T', 't'])?;
    let mut date = date.splitn(3, '-').map(|part| fixed(part, 4));
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut time = time.splitn(3, ':').map(|part| fixed(part, 2));
    let (hour, minute) = (time.next()??, time.next()??);
    let second = time.next().unwrap_or(Some(0))?;
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos: i32 = format!("{fraction:0<9}").parse().ok()?;
    let days = days(year, month, day)?;
    let valid = civil(days) == Some((year, month, day)) && hour < 24 && minute < 60 && second < 60;
    valid.then_some((days * 86_400 + hour * 3600 + minute * 60 + second, nanos))
}

fn fixed(text: &str, digits_max: usize) -> Option<i64> {
    let digits = (1..=digits_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Days since 1970-01-01 in the Gregorian calendar, years counted from March so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Year, month and day; `None` beyond what a calendar is asked for.
fn civil(days: i64) -> Option<(i64, i64, i64)> {
    let days = days.checked_add(719_468)?;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    Some((year_of_era + era * 400 + i64::from(month <= 2), month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(1_700_000_000_000).as_deref(), Some("Tue Nov 14 22:13:20 UTC 2023"));
        assert_eq!(date(0).as_deref(), Some("Thu Jan 01 00:00:00 UTC 1970"));
        assert_eq!(date(-1).as_deref(), Some("Wed Dec 31 23:59:59 UTC 1969"));
        assert!(date(i64::MIN).is_some() && date(i64::MAX).is_some());
    }

    #[test]
    fn instants_are_read_as_java_does() {
        assert_eq!(parse_instant("2023-11-14T22:13:20Z"), Some((1_700_000_000, 0)));
        assert_eq!(parse_instant("1969-12-31T23:59:59.5Z"), Some((-1, 500_000_000)));
        assert_eq!(parse_instant("2024-02-29T00:00:00.000000001Z"), Some((1_709_164_800, 1)));
        for bad in
            ["", "2023-02-29T00:00:00Z", "2023-11-14 22:13:20Z", "2023-11-14T24:00:00Z", "2023-11-14T22:13:20", "x"]
        {
            assert_eq!(parse_instant(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_is_converted_back() {
        for day in -100_000..60_000 {
            let (year, month, date) = civil(day).unwrap();
            assert_eq!(days(year, month, date), Some(day));
        }
    }
}
