//! The slice of a stream is the same in SQL and in Rust.

use crate::support::Bench;

#[tokio::test]
async fn sql_and_rust_agree_on_every_slice() {
    let bench = Bench::new().await;
    let mut corpus: Vec<String> = [
        "21",
        "foobar",
        "a-little-bit-long-string",
        "a-little-bit-longer-string",
        "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
        "abc",
        "",
        "ä",
        "日本語-ключ",
        "\u{10ffff}\u{7f}\u{1}",
        "note-𝄞",
    ]
    .map(str::to_owned)
    .into();
    // Every length and every remainder of the words, with high bytes and without.
    for length in 0..=40 {
        corpus.push("x".repeat(length));
        corpus.push((0..length).map(|n| char::from(b' ' + u8::try_from(n * 2).unwrap())).collect());
        corpus.push("ÿ".repeat(length));
    }
    corpus.push("é".repeat(127));
    let sql = "select foldlog.slice_of(n) from unnest($1) with ordinality u(n, i) order by i";
    let slices: Vec<i16> =
        sqlx::query_scalar(sql).bind(&corpus).fetch_all(bench.database.pool()).await.unwrap();
    for (name, slice) in corpus.iter().zip(slices) {
        let ours = foldlog_core::slice_of(name.as_bytes());
        assert_eq!(i32::from(slice), i32::from(ours), "{name:?}");
    }
}
