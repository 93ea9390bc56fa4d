//! Tests that see the private parts: the operations on a model file system instead of the operating system's.

mod faults;
mod lying_device;
mod model;
mod os_disk;
mod power_loss;
mod scenario;
