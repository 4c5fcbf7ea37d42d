//! Plays the sales of an online shop through foldlog, and reconciles the read models with the file.
#![allow(unreachable_pub, dead_code, unused)]
mod arguments;
mod balance;
mod input;
mod invoice;
mod line;
mod reconcile;
mod stock;
mod views;
fn main() {}
