//! Numbers that only grow. Those that become part of a name are written with 16 digits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The largest number that 16 decimal digits hold.
const MAX: u64 = 9_999_999_999_999_999;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        ///
        /// - It lies between 1 and 9,999,999,999,999,999.
        /// - Its text form has 16 decimal digits, so that names sort as numbers do.
        ///
        /// ```
        #[doc = concat!("use longshore_core::", stringify!($name), ";")]
        ///
        #[doc = concat!("let number = ", stringify!($name), "::new(42)?;")]
        /// assert_eq!(number.to_string(), "0000000000000042");
        #[doc = concat!("assert_eq!(number.next()?, ", stringify!($name), "::new(43)?);")]
        #[doc = concat!("assert!(", stringify!($name), "::new(0).is_err());")]
        /// # Ok::<(), longshore_core::Error>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name(u64);

        impl $name {
            /// The first number.
            pub const FIRST: Self = Self(1);

            /// The number of this value; `Invalid` outside its range.
            pub fn new(value: u64) -> Result<Self> {
                if (1..=MAX).contains(&value) {
                    Ok(Self(value))
                } else {
                    Err(Error::new(ErrorKind::Invalid, concat!($word, " is out of its range")).with_key(value))
                }
            }

            /// The value.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The number after this one; `Invalid` after the last.
            pub fn next(self) -> Result<Self> {
                Self::new(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                let invalid = || Error::new(ErrorKind::Invalid, concat!($word, " is not 16 digits")).with_key(text);
                if text.len() != 16 || !text.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(invalid());
                }
                Self::new(text.parse().map_err(|_| invalid())?)
            }
        }

        impl TryFrom<u64> for $name {
            type Error = Error;

            fn try_from(value: u64) -> Result<Self> {
                Self::new(value)
            }
        }

        impl From<$name> for u64 {
            fn from(number: $name) -> u64 {
                number.0
            }
        }
    };
}

number! {
    /// An entry's place in its log: 1, 2, 3 … without gaps.
    Sequence, "a sequence number"
}
number! {
    /// A lease record's number. A later grant always has a greater one.
    FencingToken, "a fencing token"
}
number! {
    /// The number a client gives to one try to commit.
    AttemptNumber, "an attempt number"
}
number! {
    /// A version of one named piece of metadata.
    MetadataVersion, "a metadata version"
}
number! {
    /// The local number of an outbox row. It is never used again.
    RowNumber, "a row number"
}
