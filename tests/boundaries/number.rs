//! A recipe: a stream found by a business key that may change.

use std::collections::BTreeMap;

use foldlog::prelude::*;
use foldlog::{Position, RawEvent};
use serde::{Deserialize, Serialize};

use crate::bank::bench;

/// What the stream is named by: never changed, and nobody has to know it.
#[derive(Key, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct CustomerId(u64);

/// What people know the customer by.
#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[key(tag = "customer_number")]
struct Number(String);

fn number(text: &str) -> Number {
    Number(text.to_owned())
}

#[derive(Event, Debug, Serialize, Deserialize)]
#[event(category = "customer", id = CustomerId)]
enum CustomerEvent {
    Numbered {
        #[tag]
        number: Number,
    },
    Renumbered {
        #[tag]
        from: Number,
        #[tag]
        to: Number,
    },
    Named {
        name: String,
    },
}

/// Who has a number.
#[derive(Default)]
struct Holder(Option<CustomerId>);

impl Model for Holder {
    type Event = CustomerEvent;
    type About = Number;

    fn query(number: &Number) -> Query {
        Query::kinds::<CustomerEvent>(["Numbered", "Renumbered"]).tag(number)
    }

    fn evolve(&mut self, event: &Recorded<CustomerEvent>, about: &Number) {
        match &event.event {
            CustomerEvent::Numbered { .. } => self.0 = Some(event.stream),
            CustomerEvent::Renumbered { to, .. } => {
                self.0 = (to == about).then_some(event.stream);
            }
            CustomerEvent::Named { .. } => panic!("not asked for"),
        }
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
enum Refused {
    #[error("{0:?} has this number")]
    Held(CustomerId),
    #[error("nobody has this number")]
    Nobody,
}

struct Give(CustomerId, Number);

impl Boundary for Give {
    type Models = Holder;
    type Reply = ();
    type Rejection = Refused;

    fn about(&self) -> Number {
        self.1.clone()
    }

    fn decide(&self, holder: &Holder, _: &BoundaryContext) -> Concluded<Self> {
        if let Some(other) = holder.0 {
            return Err(Refused::Held(other));
        }
        Ok(no_stream(&self.0, CustomerEvent::Numbered { number: self.1.clone() }).into())
    }
}

/// Knows the customer by number only: the model finds the stream.
struct Renumber(Number, Number);

impl Boundary for Renumber {
    type Models = (Holder, Holder);
    type Reply = CustomerId;
    type Rejection = Refused;

    fn about(&self) -> (Number, Number) {
        (self.0.clone(), self.1.clone())
    }

    fn decide(&self, (old, new): &(Holder, Holder), _: &BoundaryContext) -> Concluded<Self> {
        let Some(customer) = old.0 else { return Err(Refused::Nobody) };
        if let Some(other) = new.0 {
            return Err(Refused::Held(other));
        }
        let (from, to) = (self.0.clone(), self.1.clone());
        let renumbered = CustomerEvent::Renumbered { from, to };
        Ok((exists(&customer, renumbered), customer).into())
    }
}

/// Names whoever has a number, in the stream that it leads to.
struct Name(Number, &'static str);

impl Boundary for Name {
    type Models = Holder;
    type Reply = CustomerId;
    type Rejection = Refused;

    fn about(&self) -> Number {
        self.0.clone()
    }

    fn decide(&self, holder: &Holder, _: &BoundaryContext) -> Concluded<Self> {
        let Some(customer) = holder.0 else { return Err(Refused::Nobody) };
        let named = CustomerEvent::Named { name: self.1.to_owned() };
        Ok((exists(&customer, named), customer).into())
    }
}

#[tokio::test]
async fn a_stream_is_found_by_the_number_it_has_now() {
    let (_database, app) = bench().await;
    let (ada, bob) = (CustomerId(1), CustomerId(2));
    app.decide(Give(ada, number("A-1"))).await.unwrap();
    assert_eq!(app.decide(Name(number("A-1"), "Ada")).await.unwrap().reply, ada);
    assert_eq!(app.decide(Renumber(number("A-1"), number("B-7"))).await.unwrap().reply, ada);
    let gone = app.decide(Name(number("A-1"), "Eve")).await.unwrap_err();
    assert!(matches!(gone, ExecuteError::Rejected(Refused::Nobody)), "{gone:?}");
    assert_eq!(app.decide(Name(number("B-7"), "Ada L.")).await.unwrap().reply, ada);
    // Free again, and found to be another's from then on.
    app.decide(Give(bob, number("A-1"))).await.unwrap();
    let done = app.decide(Name(number("A-1"), "Bob")).await.unwrap();
    assert_eq!((done.reply, done.streams[0].stream.as_str()), (bob, "customer-2"));

    // The same without a decision: what the query selects says which stream it is.
    let mut found = None;
    let take = |raw: &RawEvent, _: &[usize]| {
        found = Some(raw.typed::<CustomerEvent>()?.stream);
        Ok(())
    };
    let query = Holder::query(&number("A-1"));
    app.store().read_matching(&Tenant::default(), &query, Position::START, take).await.unwrap();
    assert_eq!(found, Some(bob));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_number_never_has_two_owners_however_it_is_passed_on() {
    let (_database, app) = bench().await;
    // Eight customers, nine numbers, all of them on the move.
    for n in 0..8 {
        app.decide(Give(CustomerId(n), number(&format!("N{n}")))).await.unwrap();
    }
    let mut moves = tokio::task::JoinSet::new();
    for step in 0..120_u64 {
        let (from, to) = (step * 7 % 9, step * 5 % 9);
        let command = Renumber(number(&format!("N{from}")), number(&format!("N{to}")));
        moves.spawn(app.decide(command).retry(Retry::attempts(100)).into_future());
    }
    let mut moved = 0;
    while let Some(end) = moves.join_next().await {
        match end.unwrap() {
            Ok(_) => moved += 1,
            Err(ExecuteError::Rejected(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let mut holders: BTreeMap<Number, CustomerId> = BTreeMap::new();
    let all = foldlog::Filter::all();
    let mut events = app.store().settled_events(all, None).unwrap().typed::<CustomerEvent>();
    let mut seen = 0;
    while let Some(recorded) = events.next().await {
        let recorded = recorded.unwrap();
        let customer = recorded.stream;
        let number = match recorded.event {
            CustomerEvent::Numbered { number } => number,
            CustomerEvent::Renumbered { from, to } => {
                assert_eq!(holders.remove(&from), Some(customer));
                seen += 1;
                to
            }
            CustomerEvent::Named { .. } => panic!("nobody was named"),
        };
        assert_eq!(holders.insert(number, customer), None, "a number has two owners");
    }
    assert_eq!((seen, holders.len()), (moved, 8));
    assert!(moved > 0);
}
