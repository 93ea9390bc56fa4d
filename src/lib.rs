//! Keeps an app's documents in step.
