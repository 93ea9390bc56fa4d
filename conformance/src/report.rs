//! The outcome of a run as a table, as JSON and as `JUnit` XML.
