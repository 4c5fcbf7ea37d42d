mod bank;
use bank::*;
use foldlog::AggregateCache;

fn main() {
    let _ = AggregateCache::entries(10).keep::<Account>();
}
