//! The chapters of the book whose listings are no part of the reference: they are compiled here.

#[doc = include_str!("../docs/first-steps.md")]
struct FirstSteps;

#[doc = include_str!("../docs/modelling.md")]
struct Modelling;

#[doc = include_str!("../docs/consistency.md")]
struct Consistency;

#[doc = include_str!("../docs/boundaries.md")]
struct Boundaries;

#[doc = include_str!("../docs/stale-views.md")]
struct StaleViews;

#[doc = include_str!("../docs/privileges.md")]
struct Privileges;
