mod bank;
use bank::*;

struct Rename<'a>(&'a str);

impl<'a> Handles<Rename<'a>> for Account {
    type Reply = ();
    fn decide(&self, _: &Rename<'a>, _: &Context<Self>) -> Decided<Self, Rename<'a>> {
        Ok(Decision::none())
    }
}

fn main() {}
