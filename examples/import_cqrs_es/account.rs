//! A bank account: the events of cqrs-es's example, and the state they fold to here.

use foldlog::prelude::*;
use serde::{Deserialize, Serialize};

/// As they are in cqrs-es, but for the derive: its names are those of the stored types.
#[derive(Clone, Debug, Event, Serialize, Deserialize)]
#[event(category = "account", id = String)]
pub enum BankAccountEvent {
    AccountOpened { account_id: String },
    CustomerDepositedMoney { amount: f64, balance: f64 },
    CustomerWithdrewCash { amount: f64, balance: f64 },
    CustomerWroteCheck { check_number: String, amount: f64, balance: f64 },
}

#[derive(Default, Aggregate)]
#[aggregate(id = String)]
pub struct Account {
    opened: bool,
    balance: f64,
}

#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("the account has only {balance}")]
    Short { balance: f64 },
    #[error("there is no such account")]
    NotOpen,
}

/// `apply` of cqrs-es, by reference.
impl Decider for Account {
    type Event = BankAccountEvent;
    type Rejection = Refused;

    fn evolve(&mut self, event: &BankAccountEvent) {
        match event {
            BankAccountEvent::AccountOpened { .. } => self.opened = true,
            BankAccountEvent::CustomerDepositedMoney { balance, .. }
            | BankAccountEvent::CustomerWithdrewCash { balance, .. }
            | BankAccountEvent::CustomerWroteCheck { balance, .. } => self.balance = *balance,
        }
    }
}

pub struct WithdrawCash {
    pub amount: f64,
}

/// One arm of cqrs-es's `handle`. What it asked its services comes in with the command.
impl Handles<WithdrawCash> for Account {
    type Reply = f64;

    fn decide(&self, command: &WithdrawCash, _: &Context<Self>) -> Decided<Self, WithdrawCash> {
        let balance = self.balance - command.amount;
        if !self.opened {
            return Err(Refused::NotOpen);
        }
        if balance < 0.0 {
            return Err(Refused::Short { balance: self.balance });
        }
        let amount = command.amount;
        Ok((BankAccountEvent::CustomerWithdrewCash { amount, balance }, balance).into())
    }
}

#[cfg(test)]
mod tests {
    use foldlog::testing::given;

    use super::BankAccountEvent::{AccountOpened, CustomerDepositedMoney, CustomerWithdrewCash};
    use super::*;

    #[test]
    fn an_imported_account_decides_as_it_did() {
        let past = [
            AccountOpened { account_id: "ada".into() },
            CustomerDepositedMoney { amount: 10.5, balance: 10.5 },
        ];
        given::<Account>(past.clone())
            .when(WithdrawCash { amount: 4.0 })
            .emits([CustomerWithdrewCash { amount: 4.0, balance: 6.5 }])
            .replies(6.5);
        given::<Account>(past)
            .when(WithdrawCash { amount: 11.0 })
            .rejects_with(|refused| matches!(refused, Refused::Short { .. }));
        given::<Account>([])
            .when(WithdrawCash { amount: 1.0 })
            .rejects_with(|refused| matches!(refused, Refused::NotOpen));
    }
}
