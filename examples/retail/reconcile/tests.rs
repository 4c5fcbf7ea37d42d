use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::SystemTime;

use foldlog::{
    Context, Decider as _, Event, Fold, Handles as _, Metadata, Position, Recorded, Route, StoreId,
    StreamName, Tenant, Token,
};
use uuid::Uuid;

use super::*;
use crate::balance::Entry;
use crate::invoice::InvoiceNumber;
use crate::stock::{Play, Stock, StockCode};
use crate::views::{BestSeller, CountryRevenue, CustomerRevenue, RefusedLine, StockMovement};

/// The rows of a view, folded in memory.
struct Rows<V: Fold>(BTreeMap<V::Key, V>);

impl<V: Fold + Entry> Rows<V>
where
    V::By: Route<V>,
{
    fn new() -> Self {
        Self(BTreeMap::new())
    }

    fn apply(&mut self, event: &Recorded<V::Event>) {
        for key in V::By::keys(event) {
            self.0.entry(key.clone()).or_insert_with(|| V::blank(key)).apply(event);
        }
    }

    fn enter(&self, ledger: &mut Ledger) {
        self.0.values().for_each(|row| row.enter(ledger));
    }
}

fn recorded<E: Event>(stream: &E::Id, event: E) -> Recorded<E> {
    let name = StreamName::of::<E>(&Tenant::default(), stream).unwrap();
    let token = Token::new(StoreId::new(Uuid::nil(), 0), 0, Position::START);
    Recorded {
        stream: stream.clone(),
        event,
        name,
        id: Uuid::nil(),
        version: 1,
        recorded: SystemTime::UNIX_EPOCH,
        token,
        metadata: Metadata::new(),
    }
}

/// What the read models would hold, by the code that plays the lines.
fn played(input: &Input) -> Ledger {
    let mut stocks: HashMap<String, Stock> = HashMap::new();
    let (mut customers, mut countries) = (Rows::<CustomerRevenue>::new(), Rows::new());
    let (mut sellers, mut movement) = (Rows::<BestSeller>::new(), Rows::new());
    let mut refused = Rows::<RefusedLine>::new();
    let mut records = input.records().unwrap();
    let mut record = StringRecord::new();
    while let Some(number) = records.read(&mut record).unwrap() {
        let line = records.line(number, &record).unwrap();
        let (code, invoice) = (StockCode(line.code.clone()), InvoiceNumber(line.invoice.clone()));
        let stock = stocks.entry(line.code.clone()).or_default();
        assert!(!stock.has_decided(number));
        let cx = Context::new(code.clone(), 0, SystemTime::UNIX_EPOCH);
        let (events, on_invoice) = stock.decide(&Play(line), &cx).unwrap().into_parts();
        for event in events {
            stock.evolve(&event);
            assert!(stock.has_decided(number));
            let event = recorded(&code, event);
            sellers.apply(&event);
            movement.apply(&event);
            refused.apply(&event);
        }
        if let Some(event) = on_invoice {
            let event = recorded(&invoice, event);
            customers.apply(&event);
            countries.apply(&event);
        }
    }
    let mut ledger = Ledger::default();
    customers.enter(&mut ledger);
    Rows::<CountryRevenue>::enter(&countries, &mut ledger);
    sellers.enter(&mut ledger);
    Rows::<StockMovement>::enter(&movement, &mut ledger);
    refused.enter(&mut ledger);
    ledger
}

fn first_month() -> Input {
    let data = "examples/data/online-retail-2010-12.csv.gz";
    Input::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(data)).unwrap()
}

#[test]
fn the_first_month_reconciles_to_the_last_decimal() {
    let input = first_month();
    let (expected, sha256) = expected(&input).unwrap();
    assert_eq!(sha256, input.survey().unwrap().sha256);
    assert_eq!((expected.lines, expected.rejected), (42_481, 88));
    let played = played(&input);
    assert_eq!(played.differences(&expected), []);
    assert_eq!(played.lines, 42_481);
}

#[test]
fn a_number_that_differs_by_the_last_decimal_is_found() {
    let (should, _) = expected(&first_month()).unwrap();
    let mut is = should.clone();
    is.customers.add("17850", [0, 1, 0]);
    is.countries.add("2010-12 Atlantis", [1, 0, 0, 0]);
    is.accepted += 1;
    let places: Vec<String> = is.differences(&should).iter().map(ToString::to_string).collect();
    assert_eq!(places.len(), 7, "{places:#?}");
    let near = |text: &str| places.iter().any(|place| place.starts_with(text));
    assert!(near("revenue_by_customer, 17850, sold: the read model says"), "{places:#?}");
    assert!(near("accepted lines: the read model says 42394, the file says 42393"), "{places:#?}");
    assert!(
        places.contains(
            &"revenue_by_country_and_month, 2010-12 Atlantis, sold: the read model says 0.00, the \
              file says no row"
                .to_owned()
        ),
        "{places:#?}"
    );
}

#[test]
fn a_row_that_is_missing_is_found() {
    let (should, _) = expected(&first_month()).unwrap();
    let found = Ledger::default().differences(&should);
    let cells = should.customers.numbers()
        + should.countries.numbers()
        + should.sellers.numbers()
        + should.movement.numbers()
        + should.refused.numbers();
    assert_eq!(found.len(), cells + 4);
}

#[test]
fn millionths_are_exact() {
    for (text, number) in [
        ("0", Some(0)),
        ("2.55", Some(2_550_000)),
        ("0.001", Some(1_000)),
        ("-11062.06", Some(-11_062_060_000)),
        ("-0.000001", Some(-1)),
        (".5", Some(500_000)),
        ("0.0000001", None),
        ("1e3", None),
        ("", Some(0)),
    ] {
        assert_eq!(millionths(text), number, "{text}");
    }
}
