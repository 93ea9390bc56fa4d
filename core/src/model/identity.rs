//! Random identities and hashes, written as lower-case hexadecimal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; $len]);

        impl $name {
            /// The identity of these bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                let invalid = || Error::new(ErrorKind::Invalid, "not lower-case hexadecimal of the right length");
                let digits = text.as_bytes();
                if digits.len() != $len * 2 {
                    return Err(invalid());
                }
                let mut bytes = [0; $len];
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                    let (high, low) = (digit(pair[0]), digit(pair[1]));
                    *byte = high.zip(low).map(|(high, low)| high << 4 | low).ok_or_else(invalid)?;
                }
                Ok(Self(bytes))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(identity: $name) -> String {
                identity.to_string()
            }
        }
    };
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

identity! {
    /// A store's random identity: 16 bytes, fixed when the store is initialised.
    ///
    /// ```
    /// use longshore_core::StoreId;
    ///
    /// let id: StoreId = "00112233445566778899aabbccddeeff".parse()?;
    /// assert_eq!(id.to_string(), "00112233445566778899aabbccddeeff");
    /// # Ok::<(), longshore_core::Error>(())
    /// ```
    StoreId, 16
}
identity! {
    /// The random identity of one replica's engine: 16 bytes.
    ClientId, 16
}
identity! {
    /// The random identity of one grant of the lease: 16 bytes.
    Nonce, 16
}
identity! {
    /// A BLAKE3 hash: 32 bytes.
    ///
    /// ```
    /// use longshore_core::Hash;
    ///
    /// assert_eq!(Hash::of(b"a"), Hash::of(b"a"));
    /// assert_ne!(Hash::of(b"a"), Hash::of(b"b"));
    /// ```
    Hash, 32
}

impl Hash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}
