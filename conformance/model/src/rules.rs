//! The switches of a model.

/// Declares the switches of one model: a struct of them, their names, and how to turn one off.
macro_rules! rules {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// The rules of this model. Off, a rule does what somebody would write who does not know it.
        #[allow(clippy::struct_excessive_bools, reason = "each is a rule of its own, on or removed")]
        #[derive(Clone, Copy, Debug)]
        pub struct Rules {
            $($(#[$doc])+ pub $name: bool,)+
        }

        impl Rules {
            /// The protocol as it is.
            pub const ALL: Self = Self { $($name: true,)+ };

            /// Their names, in order.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)+];

            /// The protocol without these rules.
            ///
            /// # Panics
            ///
            /// If there is no rule of such a name.
            pub fn without(names: &[&str]) -> Self {
                let mut rules = Self::ALL;
                for name in names {
                    match *name {
                        $(stringify!($name) => rules.$name = false,)+
                        _ => panic!("no rule is named {name}"),
                    }
                }
                rules
            }
        }
    };
}

pub(crate) use rules;
