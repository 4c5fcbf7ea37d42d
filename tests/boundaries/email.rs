//! A recipe: an address that one user has at a time.

use std::collections::BTreeMap;

use foldlog::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bank::{bench, open};

#[derive(Key, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct UserId(u64);

/// As it is compared: what people may write in several ways is told apart before it becomes a tag.
#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[key(tag = "email")]
struct Email(String);

impl Email {
    fn new(text: &str) -> Self {
        Self(text.trim().to_lowercase())
    }
}

#[derive(Event, Debug, Serialize, Deserialize)]
#[event(category = "user", id = UserId)]
enum UserEvent {
    Registered {
        #[tag]
        email: Email,
    },
    /// Of matter to both addresses: the one becomes free as the other is taken.
    Moved {
        #[tag]
        from: Email,
        #[tag]
        to: Email,
    },
    Closed {
        #[tag]
        email: Email,
    },
}

/// Whose an address is.
#[derive(Default)]
struct Owner(Option<UserId>);

impl Model for Owner {
    type Event = UserEvent;
    type About = Email;

    fn query(email: &Email) -> Query {
        Query::of::<UserEvent>().tag(email)
    }

    fn evolve(&mut self, event: &Recorded<UserEvent>, about: &Email) {
        self.0 = match &event.event {
            UserEvent::Registered { .. } => Some(event.stream),
            UserEvent::Moved { to, .. } => (to == about).then_some(event.stream),
            UserEvent::Closed { .. } => None,
        };
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
enum Refused {
    #[error("this address is in use")]
    Taken,
    #[error("this address is not theirs")]
    NotTheirs,
}

struct Register(UserId, Email);

impl Boundary for Register {
    type Models = Owner;
    type Reply = ();
    type Rejection = Refused;

    fn about(&self) -> Email {
        self.1.clone()
    }

    fn decide(&self, owner: &Owner, _: &BoundaryContext) -> Concluded<Self> {
        if owner.0.is_some() {
            return Err(Refused::Taken);
        }
        Ok(no_stream(&self.0, UserEvent::Registered { email: self.1.clone() }).into())
    }
}

struct Move {
    user: UserId,
    from: Email,
    to: Email,
}

impl Boundary for Move {
    type Models = (Owner, Owner);
    type Reply = ();
    type Rejection = Refused;

    fn about(&self) -> (Email, Email) {
        (self.from.clone(), self.to.clone())
    }

    fn decide(&self, (old, new): &(Owner, Owner), _: &BoundaryContext) -> Concluded<Self> {
        match (old.0, new.0) {
            (owner, _) if owner != Some(self.user) => Err(Refused::NotTheirs),
            (_, Some(_)) => Err(Refused::Taken),
            _ => {
                let (from, to) = (self.from.clone(), self.to.clone());
                Ok(exists(&self.user, UserEvent::Moved { from, to }).into())
            }
        }
    }
}

/// Who has which address by the events alone.
async fn owners(app: &App) -> BTreeMap<Email, UserId> {
    let mut owners = BTreeMap::new();
    let all = foldlog::Filter::all();
    let mut events = app.store().settled_events(all, None).unwrap().typed::<UserEvent>();
    while let Some(recorded) = events.next().await {
        let recorded = recorded.unwrap();
        let user = recorded.stream;
        match recorded.event {
            UserEvent::Registered { email } => {
                assert_eq!(owners.insert(email, user), None);
            }
            UserEvent::Moved { from, to } => {
                assert_eq!(owners.remove(&from), Some(user));
                assert_eq!(owners.insert(to, user), None);
            }
            UserEvent::Closed { email } => assert_eq!(owners.remove(&email), Some(user)),
        }
    }
    owners
}

fn refusal<T: std::fmt::Debug>(result: Result<T, ExecuteError<Refused>>) -> Refused {
    match result {
        Err(ExecuteError::Rejected(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_who_want_one_address_one_gets_it_each_time() {
    let (database, app) = bench().await;
    let apps = [app.clone(), open(database.db()).await];
    for round in 0..8 {
        let mut racers = tokio::task::JoinSet::new();
        for n in 0..16 {
            // The same address, as people write it.
            let email = Email::new(&format!("Ada{round}@Example.org{}", " ".repeat(n % 3)));
            let command = Register(UserId(round * 100 + n as u64), email);
            racers.spawn(apps[n % 2].decide(command).retry(Retry::attempts(50)).into_future());
        }
        let mut won = 0;
        while let Some(end) = racers.join_next().await {
            match end.unwrap() {
                Ok(_) => won += 1,
                error => assert_eq!(refusal(error), Refused::Taken),
            }
        }
        assert_eq!(won, 1, "round {round}");
    }
    assert_eq!(owners(&app).await.len(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_address_that_was_given_up_can_be_had_again_and_only_then() {
    let (_database, app) = bench().await;
    let (ada, bob) = (UserId(1), UserId(2));
    let (old, new) = (Email::new("ada@example.org"), Email::new("lovelace@example.org"));
    app.decide(Register(ada, old.clone())).await.unwrap();
    let move_it = || Move { user: ada, from: old.clone(), to: new.clone() };
    assert_eq!(refusal(app.decide(Register(bob, old.clone())).await), Refused::Taken);
    app.decide(move_it()).await.unwrap();
    assert_eq!(refusal(app.decide(move_it()).await), Refused::NotTheirs);
    // The new one is taken by the event of the old one's stream, and the old one is free.
    assert_eq!(refusal(app.decide(Register(bob, new.clone())).await), Refused::Taken);
    app.decide(Register(bob, old.clone())).await.unwrap();
    assert_eq!(owners(&app).await, BTreeMap::from([(old.clone(), bob), (new.clone(), ada)]));
    let theirs = app.decide(Move { user: bob, from: new.clone(), to: Email::new("x@example.org") });
    assert_eq!(refusal(theirs.await), Refused::NotTheirs);
    // Two who would change places can't, one after the other or at once: neither is ever free.
    let (one, two) = tokio::join!(
        app.decide(Move { user: ada, from: new.clone(), to: old.clone() }).into_future(),
        app.decide(Move { user: bob, from: old.clone(), to: new.clone() }).into_future()
    );
    assert_eq!((refusal(one), refusal(two)), (Refused::Taken, Refused::Taken));
    app.append([any(&ada, UserEvent::Closed { email: new.clone() })]).await.unwrap();
    app.decide(Move { user: bob, from: old.clone(), to: new.clone() }).await.unwrap();
    assert_eq!(owners(&app).await, BTreeMap::from([(new, bob)]));
}
