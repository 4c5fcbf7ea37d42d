//! An account at a bank: the example of the README, as a program. `cargo run --example bank`
use foldlog::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct AccountId(Uuid); // names a stream: account-0198…

// What happened. Past tense, stored for ever.
#[derive(Event, Serialize, Deserialize)]
#[event(category = "account", id = AccountId)]
enum AccountEvent {
    Opened { owner: String },
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}

// What is asked for, and why it may be refused.
enum Desk {
    Open { owner: String },
    Deposit { cents: i64 },
    Withdraw { cents: i64 },
}

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the account is open already")]
    Open,
    #[error("the account is not open")]
    NotOpen,
    #[error("{by} cents short")]
    Short { by: i64 },
}

// The state that decides: a fold of the stream, pure and synchronous.
#[derive(Default, Aggregate)]
#[aggregate(id = AccountId)]
struct Account {
    open: bool,
    cents: i64,
}

impl Decider for Account {
    type Event = AccountEvent;
    type Rejection = Refused;
    fn evolve(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Opened { .. } => self.open = true,
            AccountEvent::Deposited { cents } => self.cents += cents,
            AccountEvent::Withdrawn { cents } => self.cents -= cents,
        }
    }
}

impl Handles<Desk> for Account {
    type Reply = i64; // the balance
    fn decide(&self, command: &Desk, _: &Context<Self>) -> Decided<Self, Desk> {
        use AccountEvent::{Deposited, Opened, Withdrawn};
        match *command {
            Desk::Open { .. } if self.open => Err(Refused::Open),
            Desk::Open { ref owner } => Ok((Opened { owner: owner.clone() }, 0).into()),
            _ if !self.open => Err(Refused::NotOpen),
            Desk::Deposit { cents } => Ok((Deposited { cents }, self.cents + cents).into()),
            Desk::Withdraw { cents } => match self.cents - cents {
                left if left < 0 => Err(Refused::Short { by: -left }),
                left => Ok((Withdrawn { cents }, left).into()),
            },
        }
    }
}

// A read model: a row for each account, in a table that is made for you.
#[derive(View, Debug, PartialEq, Serialize, Deserialize)]
#[view(name = "balance", version = 1)]
struct Balance {
    #[key(stream)]
    account: AccountId,
    owner: String,
    cents: i64,
}

impl Fold for Balance {
    type Event = AccountEvent;
    fn apply(&mut self, e: &Recorded<AccountEvent>) -> Row {
        match &e.event {
            AccountEvent::Opened { owner } => self.owner.clone_from(owner),
            AccountEvent::Deposited { cents } => self.cents += cents,
            AccountEvent::Withdrawn { cents } => self.cents -= cents,
        }
        Row::Keep
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let builder = App::builder(Db::from_env().await?);
    let app = builder.aggregate::<Account>().view::<Balance>().start().await?;
    let ada = AccountId(Uuid::now_v7());

    // Load, decide, append; after a conflict decide again.
    app.execute(&ada, Desk::Open { owner: "Ada".into() }).await?;
    let done = app.execute(&ada, Desk::Deposit { cents: 900 }).await?;
    println!("deposited 900: the balance is {}, at version {}", done.reply, done.version);

    // A refusal is a value of your own type.
    match app.execute(&ada, Desk::Withdraw { cents: 1_000 }).await {
        Err(ExecuteError::Rejected(Refused::Short { by })) => println!("refused: {by} cents short"),
        other => println!("{other:?}"),
    }

    // Sent twice with one id, a command counts once and is answered as it was first.
    let id = Uuid::now_v7();
    for _ in 0..2 {
        let done = app.execute(&ada, Desk::Withdraw { cents: 500 }).command_id(id).await?;
        println!("withdrew 500: {} left, repeated: {}", done.reply, done.repeated);
    }

    // The view, not before it holds the deposit; it waits, or says why it is stale.
    let row = app.view::<Balance>().at_least(&done.token).get(&ada).await?;
    println!("at least as new as the deposit: {row:?}");
    // The row with what it lacks folded in: exact, without waiting.
    let row = app.view::<Balance>().fresh(&ada).await?;
    println!("exact: {row:?}");
    assert_eq!(row.map(|row| row.cents), Some(400));
    Ok(app.shutdown().await?)
}
