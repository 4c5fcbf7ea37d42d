//! The plans of the functions: at 1, 64 and 500 rows, before the server knows its tables and after,
//! with and without a crowd of other rows, they ask indexes and nothing else.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use foldlog_pg::{Connection, Session};
use tokio_postgres::{AsyncMessage, Client};

use crate::support::{Bench, database_of_width, run};

/// A few segments hold what there is.
const WIDTH: u64 = 4_096;
const SIZES: [u32; 3] = [1, 64, 500];

/// A session whose server says how it ran each statement, those within functions too.
struct Planner {
    client: Client,
    connection: Connection,
}

impl Planner {
    async fn open(bench: &Bench) -> Self {
        let Session { client, connection } =
            bench.store.db().direct().session("foldlog test").await.unwrap();
        let mut planner = Self { client, connection };
        let tell = "load 'auto_explain';
            set auto_explain.log_min_duration = 0;
            set auto_explain.log_nested_statements = on;
            set auto_explain.log_analyze = on;
            set auto_explain.log_timing = off;
            set auto_explain.log_level = notice";
        planner.run(tell).await;
        planner
    }

    /// Runs it, and answers the plans of what it ran.
    async fn run(&mut self, sql: &str) -> Vec<String> {
        let mut plans = Vec::new();
        let mut done = pin!(self.client.batch_execute(sql));
        poll_fn(|cx| {
            // The notices come before the end does.
            while let Poll::Ready(Some(message)) = self.connection.poll_message(cx) {
                if let AsyncMessage::Notice(notice) = message.unwrap()
                    && notice.message().contains("plan:")
                {
                    plans.push(notice.message().to_owned());
                }
            }
            done.as_mut().poll(cx)
        })
        .await
        .unwrap_or_else(|e| panic!("{e:?} in: {sql}"));
        plans
    }
}

/// Streams `note-1` and on, two events each and a third for those that an earlier call had.
async fn fill(bench: &Bench, streams: u32) {
    let mut session = bench.session().await;
    let sql = format!(
        "select foldlog.append_1(null, array['']::text[], array[gen_random_uuid()], '{{h}}',
            '{{null}}', array_fill(1, array[500]),
            (select array_agg('note-' || n) from generate_series(g + 1, g + 500) n),
            array_fill(-2::bigint, array[500]),
            (select array_agg(n % 500 + 1) from generate_series(0, 999) n),
            (select array_agg(gen_random_uuid()) from generate_series(1, 1000)),
            array_fill((select id from foldlog.event_type where name = 'Noted'), array[1000]),
            array_fill('1'::text, array[1000]), array_fill(null::text, array[1000]),
            (select array_agg('all:1' || e'\\x1f' || 'one:' || g + n) from generate_series(0, 999) n),
            null, null, null, null, null)
        from generate_series(0, {streams} - 500, 500) g"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut session).await.unwrap();
}

/// An append of an event each to so many streams, on a condition each.
fn append(size: u32, wait: &str, id: &str, condition: bool) -> String {
    let mut sql = format!(
        "with s as (
            select array_agg('note-' || n) as name, array_agg(n) as n,
                array_agg(coalesce((select max(e.version) from foldlog.event e
                    join foldlog.stream s on s.id = e.stream_id
                    where s.name = 'note-' || n), 0)) as version
            from generate_series(1, {size}) n
        )
        select count(*) from s, lateral foldlog.append_1({wait}, array_fill(''::text, array[{size}]),
            (select array_agg({id}) from generate_series(1, {size})),
            array_fill('h'::bytea, array[{size}]), array_fill('1'::text, array[{size}]), s.n, s.name,
            s.version, s.n, (select array_agg(gen_random_uuid()) from generate_series(1, {size})),
            array_fill((select id from foldlog.event_type where name = 'Noted'), array[{size}]),
            array_fill('1'::text, array[{size}]), array_fill(null::text, array[{size}]), "
    );
    if condition {
        write!(
            sql,
            "(select array_agg('own:' || n || e'\\x1f' || 'two:' || n) from unnest(s.n) n), s.n,
            array_fill('note-Closed'::text, array[{size}]),
            (select array_agg('own:' || n || e'\\x1f' || 'two:' || n) from unnest(s.n) n),
            array_fill(5::bigint, array[{size}]), array_fill('{{7}}'::text, array[{size}])) a"
        )
        .unwrap();
    } else {
        sql.push_str("null, null, null, null, null, null) a");
    }
    sql
}

fn reads(size: u32) -> [String; 4] {
    [
        format!(
            "select count(*) from foldlog.read_streams_1(array_fill(''::text, array[{size}]),
                (select array_agg('note-' || n) from generate_series(1, {size}) n),
                array_fill(1::bigint, array[{size}]), 100, 1000000)"
        ),
        format!(
            "select count(*) from foldlog.read_stream_1('', 'note-3', 0, 0, {size}, 1000000, false)"
        ),
        format!(
            "select count(*) from foldlog.read_stream_back_1('', 'note-3', 9, {size}, 1000000)"
        ),
        format!(
            "select count(*) from foldlog.read_query_1('', 0, {size}, 1000000,
                array['note', 'note-Noted'], array['all:1', 'one:3' || e'\\x1f' || 'all:1'])"
        ),
    ]
}

/// Every table is asked by an index.
fn check(what: &str, plans: &[String]) {
    // The outermost statement is the test's own.
    let (_, nested) = plans.split_last().unwrap();
    assert!(!nested.is_empty(), "{what}: the server names no plan");
    for plan in nested {
        let small = ["foldlog.log ", "on log ", "foldlog.store", "on store "];
        for line in plan.lines().filter(|line| line.contains("Seq Scan")) {
            assert!(small.iter().any(|table| line.contains(table)), "{what}:\n{plan}");
        }
        assert!(!plan.contains("Bitmap Heap Scan on event"), "{what}:\n{plan}");
    }
}

#[tokio::test]
async fn appends_and_reads_ask_indexes_at_any_size_and_whatever_the_server_knows() {
    let bench = Bench::on(database_of_width(WIDTH).await).await;
    let mut session = bench.session().await;
    for (state, streams) in [("nothing known", 500), ("many unknown", 3_000), ("analyzed", 500)] {
        fill(&bench, streams).await;
        if state == "analyzed" {
            run(&mut session, "vacuum (analyze)").await;
        }
        let mut planner = Planner::open(&bench).await;
        for size in SIZES {
            run(&mut session, "select foldlog.segment_ensure_1(0)").await;
            for (wait, id, condition) in [
                ("0", "null::uuid", false),
                ("null", "null::uuid", false),
                ("0", "gen_random_uuid()", false),
                ("0", "null::uuid", true),
                ("null", "gen_random_uuid()", true),
            ] {
                let what = format!("append of {size}, {state}, {wait}, {id}, {condition}");
                check(&what, &planner.run(&append(size, wait, id, condition)).await);
            }
            for sql in reads(size) {
                check(&format!("{sql}, {state}"), &planner.run(&sql).await);
            }
        }
    }
}
