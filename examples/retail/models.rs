//! The read models as a whole: thrown away, followed, and read as the tables they are.

use std::time::Duration;

use foldlog::AppBuilder;
use foldlog::prelude::*;
use rust_decimal::Decimal;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::Failure;
use crate::balance::Entry as _;
use crate::progress::Lag;
use crate::reconcile::Ledger;
use crate::stock::{Stock, StockCode};
use crate::views::{BestSeller, CountryRevenue, CustomerRevenue, RefusedLine, StockMovement};

const NAMES: [&str; 5] = [
    CustomerRevenue::NAME,
    CountryRevenue::NAME,
    BestSeller::NAME,
    StockMovement::NAME,
    RefusedLine::NAME,
];
const LOOK: Duration = Duration::from_millis(100);

/// The app with all that the example consists of.
pub fn app(db: &Db) -> AppBuilder {
    App::builder(db.clone())
        .aggregate::<Stock>()
        .view::<CustomerRevenue>()
        .view::<CountryRevenue>()
        .view::<BestSeller>()
        .view::<StockMovement>()
        .view::<RefusedLine>()
}

/// Throws all read models away. The next start begins them anew, from the first event.
pub async fn drop_all(db: &Db) -> Result<(), Failure> {
    let app = App::builder(db.clone()).without_workers().start().await?;
    for name in NAMES {
        app.retire(name).await?;
    }
    Ok(app.shutdown().await?)
}

/// How far each read model lies behind a position.
pub async fn lags(app: &App, position: u64) -> Result<Vec<Lag>, Failure> {
    let classes = app.status().await?;
    let mut lags = Vec::with_capacity(NAMES.len());
    for name in NAMES {
        let mut behind = 0;
        if !classes.iter().any(|class| class.projection == name) {
            return Err(
                format!("the read model {name} was retired by somebody else: run again.").into()
            );
        }
        for class in classes.iter().filter(|class| class.projection == name) {
            if let Some((_, why)) = &class.stopped {
                return Err(format!(
                    "the read model {name} stopped at {why}. Mend the cause and run again: it goes \
                     on from there."
                )
                .into());
            }
            behind = behind.max(position.saturating_sub(class.position.get()));
        }
        lags.push(Lag { view: name.to_owned(), behind });
    }
    Ok(lags)
}

/// Waits until every read model holds everything up to a token.
pub async fn caught_up(app: &App, token: &Token) -> Result<(), Failure> {
    while lags(app, token.position().get()).await?.iter().any(|lag| lag.behind > 0) {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// The rows of all read models, for one file.
#[derive(Debug)]
pub struct Models {
    pub customers: Vec<CustomerRevenue>,
    pub countries: Vec<CountryRevenue>,
    pub sellers: Vec<BestSeller>,
    pub movement: Vec<StockMovement>,
    pub refused: Vec<RefusedLine>,
}

impl Models {
    pub async fn read(db: &Db, tenant: &Tenant) -> Result<Self, Failure> {
        Ok(Self {
            customers: rows(db, tenant).await?,
            countries: rows(db, tenant).await?,
            sellers: rows(db, tenant).await?,
            movement: rows(db, tenant).await?,
            refused: rows(db, tenant).await?,
        })
    }

    pub fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        self.customers.iter().for_each(|row| row.enter(&mut ledger));
        self.countries.iter().for_each(|row| row.enter(&mut ledger));
        self.sellers.iter().for_each(|row| row.enter(&mut ledger));
        self.movement.iter().for_each(|row| row.enter(&mut ledger));
        self.refused.iter().for_each(|row| row.enter(&mut ledger));
        ledger
    }

    /// How many events were folded: each line has one in its stock, and one on its invoice if it
    /// was accepted.
    pub fn events(&self) -> i64 {
        let stock: i64 = self.movement.iter().map(|row| row.accepted + row.refused).sum();
        let invoices: i64 = self.customers.iter().map(|row| row.lines).sum();
        stock + invoices
    }
}

/// A row of a view, read from its table as any program would.
trait Stored: Sized {
    const ROWS: &'static str;
    fn of(row: &PgRow) -> Result<Self, sqlx::Error>;
}

async fn rows<V: Stored>(db: &Db, tenant: &Tenant) -> Result<Vec<V>, Failure> {
    let rows = sqlx::query(V::ROWS).bind(tenant.as_str()).fetch_all(db.pool()).await?;
    Ok(rows.iter().map(V::of).collect::<Result<_, _>>()?)
}

fn money(row: &PgRow, column: &str) -> Result<Decimal, sqlx::Error> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

impl Stored for CustomerRevenue {
    const ROWS: &'static str = "select customer, lines, sold::text, returned::text \
        from foldlog_view.revenue_by_customer where tenant = $1 order by customer";

    fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            customer: row.try_get("customer")?,
            lines: row.try_get("lines")?,
            sold: money(row, "sold")?,
            returned: money(row, "returned")?,
        })
    }
}

impl Stored for CountryRevenue {
    const ROWS: &'static str = "select country, month, lines, sold::text, returned::text, \
        written_off::text from foldlog_view.revenue_by_country_and_month where tenant = $1 \
        order by month, country";

    fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            country: row.try_get("country")?,
            month: row.try_get("month")?,
            lines: row.try_get("lines")?,
            sold: money(row, "sold")?,
            returned: money(row, "returned")?,
            written_off: money(row, "written_off")?,
        })
    }
}

impl Stored for BestSeller {
    const ROWS: &'static str = "select code, description, quantity, revenue::text \
        from foldlog_view.best_sellers where tenant = $1 order by best_sellers.revenue desc, code";

    fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            code: StockCode(row.try_get("code")?),
            description: row.try_get("description")?,
            quantity: row.try_get("quantity")?,
            revenue: money(row, "revenue")?,
        })
    }
}

impl Stored for StockMovement {
    const ROWS: &'static str = "select code, accepted, refused, sold, returned, adjusted, net \
        from foldlog_view.stock_movement where tenant = $1 order by net, code";

    fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            code: StockCode(row.try_get("code")?),
            accepted: row.try_get("accepted")?,
            refused: row.try_get("refused")?,
            sold: row.try_get("sold")?,
            returned: row.try_get("returned")?,
            adjusted: row.try_get("adjusted")?,
            net: row.try_get("net")?,
        })
    }
}

impl Stored for RefusedLine {
    const ROWS: &'static str = "select line, invoice, code, description, quantity, amount::text, \
        reason from foldlog_view.refused_lines where tenant = $1 order by line";

    fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            line: row.try_get("line")?,
            invoice: row.try_get("invoice")?,
            code: row.try_get("code")?,
            description: row.try_get("description")?,
            quantity: row.try_get("quantity")?,
            amount: money(row, "amount")?,
            reason: row.try_get("reason")?,
        })
    }
}
