//! A line of an invoice, as the file has it, with its columns understood.

use rust_decimal::Decimal;
use uuid::Uuid;

/// Bounds that leave every sum exact: a decimal has 28 digits.
const QUANTITY_MAX: i64 = 10_000_000;
const PRICE_MAX: i64 = 100_000_000;
const PRICE_DECIMALS_MAX: u32 = 6;
const TEXT_BYTES_MAX: usize = 100;
const DESCRIPTION_BYTES_MAX: usize = 1_000;

/// A line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The number of the line in the file, as an editor shows it.
    pub number: u64,
    pub invoice: String,
    pub code: String,
    pub description: String,
    /// Negative for a return, and for stock that was lost or thrown away.
    pub quantity: i64,
    /// `2010-12-01 08:26:00`, the shop's own time.
    pub at: String,
    pub price: Decimal,
    pub customer: Option<String>,
    pub country: String,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sale,
    /// A line of an invoice whose number begins with C.
    Return,
    /// A negative quantity without such an invoice.
    Adjustment,
    /// A line of an invoice whose number begins with A.
    BadDebt,
}

/// The column that can't be understood, its text, and what it should be.
pub type Misread<'a> = (&'static str, &'a str, &'static str);

impl Line {
    /// Understands the columns of a line, in the order of the file.
    pub fn read(number: u64, columns: [&str; 8]) -> Result<Self, Misread<'_>> {
        let [invoice, code, description, quantity, at, price, customer, country] = columns;
        check("InvoiceNo", invoice, is_name(invoice), "a number of an invoice")?;
        check("StockCode", code, is_name(code), "a stock code")?;
        let fits = description.len() <= DESCRIPTION_BYTES_MAX;
        check("Description", description, fits, "a text of at most 1,000 bytes")?;
        let wanted = "a whole number from -10,000,000 to 10,000,000";
        let quantity = whole(quantity).ok_or(("Quantity", quantity, wanted))?;
        check("InvoiceDate", at, is_time(at), "a time such as 2010-12-01 08:26:00")?;
        let wanted = "a price such as 2.55, with at most six decimals and below 100,000,000";
        let price = money(price).ok_or(("UnitPrice", price, wanted))?;
        let wanted = "empty or the number of a customer, such as 17850 or 17850.0";
        let customer = number_of(customer).ok_or(("CustomerID", customer, wanted))?;
        check("Country", country, is_name(country), "the name of a country")?;
        Ok(Self {
            number,
            invoice: invoice.to_owned(),
            code: code.to_owned(),
            description: description.to_owned(),
            quantity,
            at: at.to_owned(),
            price,
            customer,
            country: country.to_owned(),
        })
    }

    pub fn kind(&self) -> Kind {
        match self.invoice.as_bytes().first() {
            Some(b'C') => Kind::Return,
            Some(b'A') => Kind::BadDebt,
            _ if self.quantity < 0 => Kind::Adjustment,
            _ => Kind::Sale,
        }
    }

    /// What the line comes to. Exact: a product of two decimals within their bounds.
    pub fn amount(&self) -> Decimal {
        self.price * Decimal::from(self.quantity)
    }

    /// `2010-12`.
    pub fn month(&self) -> &str {
        self.at.get(..7).unwrap_or(&self.at)
    }

    /// The id of the command that plays this line of this file: the same in every run.
    pub fn command_id(&self, sha256: &str) -> Uuid {
        let name = format!("sha256:{sha256}#{}", self.number);
        Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
    }
}

fn check<'a>(
    column: &'static str,
    text: &'a str,
    fits: bool,
    wanted: &'static str,
) -> Result<(), Misread<'a>> {
    if fits { Ok(()) } else { Err((column, text, wanted)) }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_BYTES_MAX
}

fn whole(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (-QUANTITY_MAX..=QUANTITY_MAX).contains(&number).then_some(number)
}

fn money(text: &str) -> Option<Decimal> {
    // Without this `1e3` and `1_000` would be prices too.
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
    let price: Decimal = text.parse().ok().filter(|_| plain)?;
    let fits = price.abs() < Decimal::from(PRICE_MAX) && price.scale() <= PRICE_DECIMALS_MAX;
    fits.then_some(price)
}

/// `Some(None)` for a line without a customer.
fn number_of(text: &str) -> Option<Option<String>> {
    if text.is_empty() {
        return Some(None);
    }
    // The spreadsheet that the data comes from took the numbers for fractions.
    let number = text.strip_suffix(".0").unwrap_or(text);
    let fits = (1..=18).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| Some(number.to_owned()))
}

fn is_time(text: &str) -> bool {
    let shape = text.len() == 19
        && text.bytes().zip(b"0000-00-00 00:00:00").all(|(found, form)| match form {
            b'0' => found.is_ascii_digit(),
            form => found == *form,
        });
    let within = |from, to, range: std::ops::RangeInclusive<u8>| {
        text.get(from..to).and_then(|part| part.parse().ok()).is_some_and(|n| range.contains(&n))
    };
    shape
        && within(5, 7, 1..=12)
        && within(8, 10, 1..=31)
        && within(11, 13, 0..=23)
        && within(14, 16, 0..=59)
        && within(17, 19, 0..=59)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [&str; 8] = [
        "536365",
        "85123A",
        "WHITE HANGING HEART",
        "6",
        "2010-12-01 08:26:00",
        "2.55",
        "17850.0",
        "United Kingdom",
    ];

    fn with(place: usize, text: &'static str) -> Result<Line, Misread<'static>> {
        let mut columns = COLUMNS;
        columns[place] = text;
        Line::read(2, columns)
    }

    #[test]
    fn money_is_exact_to_the_last_decimal() {
        assert_eq!(with(5, "0.001").unwrap().amount().to_string(), "0.006");
        assert_eq!(with(5, "-11062.06").unwrap().amount().to_string(), "-66372.36");
        let most = Line::read(2, {
            let mut columns = COLUMNS;
            (columns[3], columns[5]) = ("10000000", "99999999.999999");
            columns
        });
        assert_eq!(most.unwrap().amount().to_string(), "999999999999990.000000");
    }

    #[test]
    fn a_line_is_told_by_its_invoice_and_its_sign() {
        let kind = |invoice, quantity| {
            let mut columns = COLUMNS;
            (columns[0], columns[3]) = (invoice, quantity);
            Line::read(2, columns).unwrap().kind()
        };
        assert_eq!(kind("536365", "6"), Kind::Sale);
        assert_eq!(kind("536365", "0"), Kind::Sale);
        assert_eq!(kind("536365", "-6"), Kind::Adjustment);
        assert_eq!(kind("C536365", "-6"), Kind::Return);
        assert_eq!(kind("C536365", "6"), Kind::Return);
        assert_eq!(kind("A536365", "-6"), Kind::BadDebt);
    }

    #[test]
    fn a_customer_is_a_number_or_nobody() {
        assert_eq!(with(6, "17850.0").unwrap().customer.as_deref(), Some("17850"));
        assert_eq!(with(6, "17850").unwrap().customer.as_deref(), Some("17850"));
        assert_eq!(with(6, "").unwrap().customer, None);
    }

    #[test]
    fn a_column_that_can_not_be_understood_is_named() {
        for (place, column, texts) in [
            (0, "InvoiceNo", vec![""]),
            (1, "StockCode", vec![""]),
            (3, "Quantity", vec!["", "six", "1.5", "10000001", "-99999999999999999999"]),
            (4, "InvoiceDate", vec!["", "12/1/2010 8:26", "2010-13-01 08:26:00", "2010-12-01"]),
            (5, "UnitPrice", vec!["", "2,55", "1e3", "NaN", "0.0000001", "100000000", "1_000"]),
            (6, "CustomerID", vec!["17850.5", "x", ".0", "-1"]),
            (7, "Country", vec![""]),
        ] {
            for text in texts {
                let (named, found, _) = with(place, text).unwrap_err();
                assert_eq!((named, found), (column, text));
            }
        }
    }

    #[test]
    fn a_command_id_is_made_of_file_and_line() {
        let id = |number, sha256| {
            Line { number, ..with(0, "536365").unwrap() }.command_id(sha256).to_string()
        };
        // Stored for ever: a run of another version must find what this one appended.
        assert_eq!(id(2, "c186"), "eac18963-0b0e-53c1-ae2a-6b858d9f3a41");
        assert_ne!(id(2, "c186"), id(3, "c186"));
        assert_ne!(id(2, "c186"), id(2, "c187"));
    }
}
