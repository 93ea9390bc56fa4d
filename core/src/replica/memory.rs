//! placeholder
/// placeholder
#[derive(Debug)]
pub struct MemoryReplica;
