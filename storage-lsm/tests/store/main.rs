//! Whole stores over the disk in memory.

mod crash;
mod damage;
mod expiry;
mod golden;
mod limits;
mod node;
