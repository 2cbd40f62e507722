//! Settings of layers that are not there yet.

use super::attribute::{AttributeError, unknown};

macro_rules! placeholder {
    ($name:ident, $short:literal, $flag:literal, $what:literal) => {
        #[doc = $what]
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// Its option flag.
            pub option_flag: i32,
        }

        impl Default for $name {
            fn default() -> Self {
                $name { option_flag: $flag }
            }
        }

        impl $name {
            pub(super) const NAME: &'static str = $short;

            /// Set one of Tomcat's attributes.
            ///
            /// # Errors
            /// There is none yet.
            pub fn set(&mut self, attribute: &str, _value: &str) -> Result<(), AttributeError> {
                Err(unknown(Self::NAME, attribute, &[]))
            }
        }
    };
}

placeholder!(EncryptConfig, "encrypt", 0, "Encryption.");
