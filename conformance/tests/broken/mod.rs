//! Broken servers, and the matrix of what catches them.

pub(crate) mod interrupted;
pub(crate) mod judge;
pub(crate) mod matrix;
pub(crate) mod printed;
pub(crate) mod runs;
pub(crate) mod storage;
pub(crate) mod wrong;
