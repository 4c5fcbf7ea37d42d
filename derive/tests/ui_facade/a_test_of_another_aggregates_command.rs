mod bank;
use bank::*;
use foldlog::testing::given;

struct CloseBooks;

fn main() {
    given::<Account>([]).when(CloseBooks).does_nothing();
}
