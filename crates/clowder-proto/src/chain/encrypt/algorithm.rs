//! Which algorithms there are, and what Tomcat calls them.

use std::fmt;
use std::str::FromStr;

/// Length of GCM's proof that nothing was changed.
pub(super) const TAG_LEN: usize = 16;
/// Length of the IV in front of a message with [`Algorithm::AesGcm`].
pub(super) const GCM_IV_LEN: usize = 12;
/// That of any algorithm is no longer than this.
pub(super) const IV_LEN_MAX: usize = 16;

/// An algorithm of Tomcat's `EncryptInterceptor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// `AES/GCM/NoPadding`: the only one that notices changed messages. Tomcat's default since 10.1.58.
    AesGcm,
    /// `AES/CBC/PKCS5Padding`: Tomcat's default before.
    AesCbc,
    /// `AES/CFB/PKCS5Padding`: feedback of whole blocks, padded although it need not be.
    AesCfb,
    /// `AES/OFB/PKCS5Padding`: feedback of whole blocks, padded although it need not be.
    AesOfb,
    /// `DESede/CBC/PKCS5Padding`: three rounds of DES. Blocks of 8 bytes, and slow.
    DesEdeCbc,
}

const ALL: [Algorithm; 5] =
    [Algorithm::AesGcm, Algorithm::AesCbc, Algorithm::AesCfb, Algorithm::AesOfb, Algorithm::DesEdeCbc];

impl Algorithm {
    /// As Tomcat writes it.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::AesGcm => "AES/GCM/NoPadding",
            Algorithm::AesCbc => "AES/CBC/PKCS5Padding",
            Algorithm::AesCfb => "AES/CFB/PKCS5Padding",
            Algorithm::AesOfb => "AES/OFB/PKCS5Padding",
            Algorithm::DesEdeCbc => "DESede/CBC/PKCS5Padding",
        }
    }

    /// A changed or forged message is noticed.
    pub fn is_authenticated(self) -> bool {
        self == Algorithm::AesGcm
    }

    /// Lengths of keys, in bytes.
    pub fn key_lengths(self) -> &'static [usize] {
        match self {
            Algorithm::DesEdeCbc => &[24],
            _ => &[16, 24, 32],
        }
    }

    /// Length of the IV in front of every message.
    pub fn iv_len(self) -> usize {
        match self {
            Algorithm::AesGcm => GCM_IV_LEN,
            Algorithm::DesEdeCbc => 8,
            _ => 16,
        }
    }

    /// Bytes of an encrypted body at least; what is shorter is not looked at.
    pub(super) fn sealed_len_min(self) -> usize {
        self.iv_len() + if self.is_authenticated() { TAG_LEN } else { 0 }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text names no algorithm. The configuration is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AlgorithmError {
    /// Tomcat's setter refuses it too.
    #[error("expected algorithm/mode/padding, such as AES/GCM/NoPadding")]
    Form,
    /// The mode protects nothing, or Tomcat cannot use it.
    #[error("mode {mode} cannot be used; AES/GCM/NoPadding protects best")]
    Mode {
        /// As configured.
        mode: String,
    },
    /// The mode exists with another padding only.
    #[error("mode {mode} needs {needed} instead of {padding}")]
    Padding {
        /// As configured.
        mode: String,
        /// As configured.
        padding: String,
        /// The one that works.
        needed: &'static str,
    },
    /// There may be Java providers that have it; none is here.
    #[error("there is no {name}; there is AES with GCM, CBC, CFB and OFB, and DESede/CBC/PKCS5Padding")]
    Unknown {
        /// As configured.
        name: String,
    },
}

impl FromStr for Algorithm {
    type Err = AlgorithmError;

    /// Upper and lower case are the same.
    ///
    /// Differs from Tomcat: what its Java provider knows besides (Blowfish, RC2, random padding) is refused.
    /// Test: every_name_of_an_algorithm_has_its_verdict.
    fn from_str(text: &str) -> Result<Algorithm, AlgorithmError> {
        if let Some(algorithm) = ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(text)) {
            return Ok(algorithm);
        }
        let parts: Vec<&str> = text.split('/').collect();
        let [algorithm, mode, padding] = parts[..] else { return Err(AlgorithmError::Form) };
        let mode_upper = mode.to_ascii_uppercase();
        let needed = match mode_upper.as_str() {
            "GCM" => "NoPadding",
            "CBC" | "CFB" | "OFB" => "PKCS5Padding",
            _ => return Err(AlgorithmError::Mode { mode: mode.to_owned() }),
        };
        if algorithm.eq_ignore_ascii_case("AES") && !padding.eq_ignore_ascii_case(needed) {
            return Err(AlgorithmError::Padding { mode: mode.to_owned(), padding: padding.to_owned(), needed });
        }
        Err(AlgorithmError::Unknown { name: text.to_owned() })
    }
}
