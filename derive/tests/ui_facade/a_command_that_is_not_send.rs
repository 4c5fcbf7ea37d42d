mod bank;
use bank::*;

struct Note(std::rc::Rc<str>);

impl Handles<Note> for Account {
    type Reply = ();
    fn decide(&self, _: &Note, _: &Context<Self>) -> Decided<Self, Note> {
        Ok(Decision::none())
    }
}

fn main() {}
