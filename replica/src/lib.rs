//! The embedded local side.
