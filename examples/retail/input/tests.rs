use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::NamedTempFile;

use super::*;

const HEADER: &str =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";
const LINE: &str =
    "536365,85123A,\"HEART, WHITE\",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom";

fn file(content: impl AsRef<[u8]>) -> (NamedTempFile, Input) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_ref()).unwrap();
    let input = Input::open(file.path()).unwrap();
    (file, input)
}

fn gzip(content: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn numbers(input: &Input) -> Vec<u64> {
    let mut records = input.records().unwrap();
    let mut record = StringRecord::new();
    let mut numbers = Vec::new();
    while let Some(number) = records.read(&mut record).unwrap() {
        records.line(number, &record).unwrap();
        numbers.push(number);
    }
    numbers
}

fn refusal(content: impl AsRef<[u8]>) -> String {
    let (_file, input) = file(content);
    let text = input.survey().unwrap_err().to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

#[test]
fn lines_are_numbered_as_an_editor_shows_them() {
    let unix = format!("{HEADER}\n{LINE}\n\n\n{LINE}\n{LINE}");
    assert_eq!(numbers(&file(&unix).1), [2, 5, 6]);
    let windows = format!("\u{feff}{HEADER}\r\n{LINE}\r\n\r\n{LINE}\r\n");
    assert_eq!(numbers(&file(windows).1), [2, 4]);
    assert_eq!(numbers(&file(gzip(&unix)).1), [2, 5, 6]);
    assert_eq!(numbers(&file(HEADER).1), [0; 0]);
}

#[test]
fn a_line_of_windows_is_the_same_line() {
    let lines = ["\n", "\r\n"].map(|end| {
        let (_file, input) = file(format!("{HEADER}{end}{LINE}{end}"));
        let mut records = input.records().unwrap();
        let mut record = StringRecord::new();
        let number = records.read(&mut record).unwrap().unwrap();
        records.line(number, &record).unwrap()
    });
    assert_eq!(lines[0], lines[1]);
    assert_eq!(lines[0].country, "United Kingdom");
    assert_eq!(lines[0].description, "HEART, WHITE");
}

#[test]
fn the_hash_is_that_of_the_file_on_the_disk() {
    // As sha256sum prints it.
    let (_file, input) = file(format!("{HEADER}\n"));
    let empty = Survey { lines: 0, sha256: SHA256_OF_HEADER.to_owned() };
    assert_eq!(input.survey().unwrap(), empty);
    // Bytes behind the packed text count too, though they hold no line.
    let packed = gzip(&format!("{HEADER}\n{LINE}\n"));
    let survey = file(&packed).1.survey().unwrap();
    assert_eq!(survey.lines, 1);
    assert_ne!(survey.sha256, file(gzip(&format!("{HEADER}\n{LINE}"))).1.survey().unwrap().sha256);
}

const SHA256_OF_HEADER: &str = "3ae33d39ee7a4ccf01bb598d82088445539c1622b088b31dc6984757fd5a3b70";

#[test]
fn the_month_that_ships_is_whole() {
    let input = Input::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(FIRST_MONTH)).unwrap();
    assert_eq!(input.survey().unwrap().lines, 42_481);
}

#[test]
fn a_malformed_line_is_named_with_its_column() {
    let with = |line: &str| refusal(format!("{HEADER}\n{LINE}\n{line}\n{LINE}\n"));
    let text = with(&LINE.replace(",6,", ",six,"));
    assert!(text.contains("line 3, column Quantity: \"six\" is not a whole number"), "{text}");
    assert!(text.contains("Correct that line"), "{text}");
    for (line, named) in [
        ("536365,85123A", "line 3, column Description: the line has 2 columns instead of 8"),
        (&format!("{LINE},more"), "line 3, column Country: the line has 9 columns instead of 8"),
        (&LINE.replace("2.55", "2,55"), "line 3, column Country: the line has 9 columns"),
        (&LINE.replace("2010-12-01 08:26:00", "01.12.2010"), "line 3, column InvoiceDate"),
        (&LINE.replace("17850.0", "somebody"), "line 3, column CustomerID"),
        (&LINE.replace("HEART", "HE\u{0}ART"), "line 3, column Description: a control character"),
        (&LINE.replace("WHITE\"", "WHITE"), "line 3, column Description"),
    ] {
        let text = with(line);
        assert!(text.contains(named), "{text}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_named_with_its_column() {
    let mut content = format!("{HEADER}\n{LINE}\n").into_bytes();
    content.extend(b"536365,85123A,CAF\xc9,6,2010-12-01 08:26:00,2.55,,France\n");
    let text = refusal(content);
    assert!(text.contains("line 3, column Description: the text is not UTF-8"), "{text}");
}

#[test]
fn a_quotation_mark_that_is_never_closed_does_not_fill_the_memory() {
    let open = LINE.replace("WHITE\"", "WHITE");
    let rest = "a line without marks\n".repeat(9_000);
    let text = refusal(format!("{HEADER}\n{LINE}\n{open}\n{rest}"));
    assert!(text.contains("line 3"), "{text}");
    assert!(text.contains("64 KiB"), "{text}");
}

#[test]
fn a_file_that_is_no_csv_is_refused() {
    for content in [
        b"".to_vec(),
        b"PK\x03\x04 a spreadsheet".to_vec(),
        vec![0; 1 << 20],
        b"{\"a\": 1}\n".to_vec(),
        vec![0xff; 100],
        gzip(""),
        gzip("Invoice;StockCode\n"),
        HEADER.replace(',', ";").into_bytes(),
    ] {
        let text = refusal(content);
        assert!(text.contains("is not the CSV this example plays"), "{text}");
        assert!(text.contains(HEADER), "{text}");
    }
}

#[test]
fn a_packed_file_that_is_cut_off_is_damaged() {
    let packed = gzip(&format!("{HEADER}\n{}", format!("{LINE}\n").repeat(9_000)));
    let text = refusal(&packed[..packed.len() - 20]);
    assert!(text.contains("fetch it again"), "{text}");
}

#[test]
fn what_is_no_file_is_refused() {
    let text = Input::open("/nowhere/at/all.csv").unwrap_err().to_string();
    assert!(text.contains("/nowhere/at/all.csv can't be opened"), "{text}");
    let text = Input::open(env!("CARGO_MANIFEST_DIR")).unwrap_err().to_string();
    assert!(text.contains("is not a file"), "{text}");
}
