//! The folder adapter.
