mod bank;
use bank::*;

struct Asked;

impl Prepare<Account> for Asked {
    type Command = Open;
    type Error = Refused;
    async fn prepare(&self, _: &Account, _: &Context<Account>) -> Result<Open, Refused> {
        let asked = std::rc::Rc::new(());
        tokio::task::yield_now().await;
        drop(asked);
        Ok(Open)
    }
}

fn main() {}
