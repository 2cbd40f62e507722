//! Numbers in Java's notation.

/// Bytes of a big integer beyond which nobody wants to read it; the conversion is quadratic.
const MAGNITUDE_BYTES_MAX: usize = 4096;

/// Java: Double.toString.
pub(crate) fn double(value: f64) -> String {
    floating(value.is_nan(), value.is_infinite(), value.is_sign_negative(), &format!("{:e}", value.abs()))
}

/// Java: Float.toString.
pub(crate) fn float(value: f32) -> String {
    floating(value.is_nan(), value.is_infinite(), value.is_sign_negative(), &format!("{:e}", value.abs()))
}

/// `scientific`: the shortest digits that identify the absolute value, as `d.ddde±n`.
fn floating(nan: bool, infinite: bool, negative: bool, scientific: &str) -> String {
    if nan {
        return "NaN".to_owned();
    }
    let sign = if negative { "-" } else { "" };
    if infinite {
        return format!("{sign}Infinity");
    }
    let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    let (whole, fraction) = match exponent {
        // From 10^-3 up to 10^7 without an exponent.
        -3..=-1 => ("0".to_owned(), "0".repeat(exponent.unsigned_abs() as usize - 1) + &digits),
        0..=6 => {
            let padded = format!("{digits:0<width$}", width = exponent.unsigned_abs() as usize + 1);
            let (whole, fraction) = padded.split_at(exponent.unsigned_abs() as usize + 1);
            (whole.to_owned(), fraction.to_owned())
        }
        _ => (digits[..1].to_owned(), digits[1..].to_owned()),
    };
    let fraction = if fraction.is_empty() { "0" } else { &fraction };
    let power = if (-3..=6).contains(&exponent) || digits == "0" { String::new() } else { format!("E{exponent}") };
    format!("{sign}{whole}.{fraction}{power}")
}

/// Java: BigInteger.toString. `None` if it is too long to be shown.
pub(crate) fn integer(negative: bool, magnitude: &[u8]) -> Option<String> {
    const BASE: u64 = 1_000_000_000;
    if magnitude.len() > MAGNITUDE_BYTES_MAX {
        return None;
    }
    // Digits in base 10^9, the lowest first.
    let mut digits: Vec<u64> = vec![0];
    for byte in magnitude {
        let mut carry = u64::from(*byte);
        for digit in &mut digits {
            let value = (*digit << 8) + carry;
            (*digit, carry) = (value % BASE, value / BASE);
        }
        if carry > 0 {
            digits.push(carry);
        }
    }
    let mut text = digits.pop().unwrap_or(0).to_string();
    digits.iter().rev().for_each(|digit| text.push_str(&format!("{digit:09}")));
    Some(if negative { format!("-{text}") } else { text })
}

/// Java: BigDecimal.toString — an exponent for negative scales and for more than six zeros behind the point.
pub(crate) fn decimal(unscaled: &str, scale: i64) -> Option<String> {
    let (sign, digits) = unscaled.strip_prefix('-').map_or(("", unscaled), |digits| ("-", digits));
    let length = i64::try_from(digits.len()).ok()?;
    let adjusted = length.checked_sub(1)?.checked_sub(scale)?;
    if scale == 0 {
        return Some(format!("{sign}{digits}"));
    }
    if scale > 0 && adjusted >= -6 {
        let scale = usize::try_from(scale).ok()?;
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        return Some(format!("{sign}{whole}.{fraction}"));
    }
    let point = if length > 1 { format!(".{}", &digits[1..]) } else { String::new() };
    let power = if adjusted == 0 { String::new() } else { format!("E{adjusted:+}") };
    Some(format!("{sign}{}{point}{power}", &digits[..1]))
}

/// Java: UUID.toString.
pub(crate) fn uuid(most: u64, least: u64) -> String {
    let (most, least) = (format!("{most:016x}"), format!("{least:016x}"));
    format!("{}-{}-{}-{}-{}", &most[..8], &most[8..12], &most[12..], &least[..4], &least[4..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_as_java_writes_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (2.5, "2.5"),
            (-0.1, "-0.1"),
            (100.0, "100.0"),
            (1_234_567.0, "1234567.0"),
            (9_999_999.5, "9999999.5"),
            (1e7, "1.0E7"),
            (1.25e10, "1.25E10"),
            (0.001, "0.001"),
            (0.0123, "0.0123"),
            (0.000_12, "1.2E-4"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double(value), text);
        }
        assert_eq!(float(1.1), "1.1");
    }

    #[test]
    fn big_numbers() {
        assert_eq!(integer(false, &[]).as_deref(), Some("0"));
        assert_eq!(integer(true, &[1, 0, 0, 0, 0]).as_deref(), Some("-4294967296"));
        assert_eq!(integer(false, &[0xff; 16]).as_deref(), Some("340282366920938463463374607431768211455"));
        assert_eq!(integer(false, &[1; MAGNITUDE_BYTES_MAX + 1]), None);
        for (unscaled, scale, text) in [
            ("1250", 2, "12.50"),
            ("-5", 2, "-0.05"),
            ("0", 0, "0"),
            ("12", -3, "1.2E+4"),
            ("1", 7, "1E-7"),
            ("123", 10, "1.23E-8"),
            ("1", 6, "0.000001"),
        ] {
            assert_eq!(decimal(unscaled, scale).as_deref(), Some(text));
        }
    }
}
