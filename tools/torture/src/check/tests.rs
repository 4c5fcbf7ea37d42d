//! Every rule against a history made by hand that breaks it and one that does not, and all of them
//! against random histories, as they are and damaged.

mod atomic;
mod closed;
mod conditions;
mod cuts;
mod damage;
mod delivery;
mod durable;
mod effects;
mod excerpts;
mod fence;
mod folds;
mod loads;
mod marked;
mod order;
mod random;
mod remains;
mod repeats;
mod simulation;
mod stalls;
mod standing;
mod story;
mod streams;
mod sums;
mod views;
mod waits;
