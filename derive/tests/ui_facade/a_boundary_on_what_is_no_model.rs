mod bank;
use bank::*;

#[derive(Default)]
struct InUse(bool);

struct Register;

impl Boundary for Register {
    type Models = InUse;
    type Reply = ();
    type Rejection = Refused;
    fn about(&self) {}
    fn decide(&self, _: &InUse, _: &BoundaryContext) -> Concluded<Self> {
        Err(Refused)
    }
}

fn main() {}
