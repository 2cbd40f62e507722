//! Two things that a certificate says and that rustls does not tell: whose it is, and until when it is valid.
//!
//! It reads a certificate's fields as far as the subject and checks nothing: that is done before.

use std::fmt::Write;

/// Characters of a subject that are shown.
const SUBJECT_MAX: usize = 256;

const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;

/// What stands in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    /// Like `O=Example, CN=node1`.
    pub(crate) subject: String,
    /// The last second in which it is valid, since 1970.
    pub(crate) not_after: i64,
}

impl About {
    /// `None`: these bytes are no certificate.
    pub(crate) fn read(der: &[u8]) -> Option<About> {
        let mut certificate = Der(Der(der).content(SEQUENCE)?);
        let mut fields = Der(certificate.content(SEQUENCE)?);
        if fields.tag() == Some(VERSION) {
            fields.element()?;
        }
        fields.content(INTEGER)?;
        let (_algorithm, _issuer) = (fields.content(SEQUENCE)?, fields.content(SEQUENCE)?);
        let mut validity = Der(fields.content(SEQUENCE)?);
        validity.element()?;
        let not_after = validity.element()?;
        let subject = subject(fields.content(SEQUENCE)?)?;
        Some(About { subject, not_after: time(not_after)? })
    }
}

/// What is left of a sequence of elements.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element: its tag and content.
    fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk::<2>()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let digits = usize::from(first & 0x7f);
            if !(1..=4).contains(&digits) {
                return None;
            }
            let (bytes, behind) = rest.split_at_checked(digits)?;
            length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            rest = behind;
        }
        let (content, behind) = rest.split_at_checked(length)?;
        self.0 = behind;
        Some((tag, content))
    }

    fn content(&mut self, expected: u8) -> Option<&'a [u8]> {
        self.element().filter(|(tag, _)| *tag == expected).map(|(_, content)| content)
    }
}

/// A distinguished name, in its order. What a terminal would act on is escaped.
fn subject(name: &[u8]) -> Option<String> {
    let mut out = String::new();
    let mut parts = Der(name);
    while !parts.0.is_empty() {
        let mut pair = Der(Der(parts.content(SET)?).content(SEQUENCE)?);
        let kind = pair.content(OID)?;
        let (_, value) = pair.element()?;
        let kind = match kind {
            [0x55, 0x04, 0x03] => "CN",
            [0x55, 0x04, 0x06] => "C",
            [0x55, 0x04, 0x07] => "L",
            [0x55, 0x04, 0x08] => "ST",
            [0x55, 0x04, 0x0a] => "O",
            [0x55, 0x04, 0x0b] => "OU",
            _ => "?",
        };
        let separator = if out.is_empty() { "" } else { ", " };
        let _ = write!(out, "{separator}{kind}={}", String::from_utf8_lossy(value).escape_debug()); // to a string
    }
    Some(out.chars().take(SUBJECT_MAX).collect())
}

/// Seconds since 1970 of `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, the only forms that certificates may have.
fn time((tag, text): (u8, &[u8])) -> Option<i64> {
    let digits = text.strip_suffix(b"Z")?;
    let number = |at: usize, length: usize| -> Option<i64> {
        std::str::from_utf8(digits.get(at..at + length)?).ok()?.parse().ok()
    };
    let (year, at) = match tag {
        UTC_TIME => (number(0, 2).map(|year| if year < 50 { 2000 + year } else { 1900 + year })?, 2),
        GENERALIZED_TIME => (number(0, 4)?, 4),
        _ => return None,
    };
    let day = days(year, number(at, 2)?, number(at + 2, 2)?);
    Some(day * 86_400 + number(at + 4, 2)? * 3600 + number(at + 6, 2)? * 60 + number(at + 8, 2)?)
}

/// Days from 1970-01-01: years are counted from March, so that the leap day is the last one of a year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let from_march = (month + 9) % 12;
    365 * year + leaps + (153 * from_march + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn made(year: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["node1".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Example\u{7}");
        params.distinguished_name.push(DnType::CommonName, "node1");
        params.not_after = date_time_ymd(year, 2, 28);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn subject_and_end_of_a_certificate_are_read() {
        for (year, seconds) in [(2027, 1_803_772_800), (2060, 2_845_152_000)] {
            let about = About::read(&made(year)).unwrap();
            assert_eq!(about, About { subject: "O=Example\\u{7}, CN=node1".to_owned(), not_after: seconds });
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let seconds = |text: &[u8]| time((GENERALIZED_TIME, text));
        assert_eq!(seconds(b"19700101000000Z"), Some(0));
        assert_eq!(seconds(b"20000229235959Z"), Some(951_868_799));
        assert_eq!(seconds(b"21000301000000Z"), Some(4_107_542_400));
        assert_eq!(time((UTC_TIME, b"491231235959Z")), seconds(b"20491231235959Z"));
        assert_eq!(time((UTC_TIME, b"500101000000Z")), seconds(b"19500101000000Z"));
        assert_eq!(seconds(b"2000022923595"), None);
        assert_eq!(seconds(b"2000Z"), None);
    }

    #[test]
    fn what_is_cut_off_is_no_certificate() {
        let der = made(2027);
        for length in 0..der.len() {
            assert_eq!(About::read(&der[..length]), None, "{length}");
        }
    }
}
