//! Who may do what: every role, every object, on a real server; and an app that runs under two of them.

use std::collections::BTreeSet;
use std::time::Duration;

use foldlog::prelude::*;
use foldlog::{ErrorKind, migrate_roles};
use foldlog_testkit::{TestDatabase, wait_until};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row as _};

use crate::bank::{Account, AccountEvent, AccountId, Deposit, account, database};

#[derive(View, Debug, PartialEq, Serialize, Deserialize)]
#[view(name = "balance", version = 1)]
struct Balance {
    #[key(stream)]
    account: AccountId,
    cents: i64,
}

impl Fold for Balance {
    type Event = AccountEvent;

    fn apply(&mut self, e: &Recorded<AccountEvent>) -> Row {
        match &e.event {
            AccountEvent::Deposited { cents } => self.cents += cents,
            AccountEvent::Withdrawn { cents } => self.cents -= cents,
        }
        Row::Keep
    }
}

/// What each role may do; anybody is a role that was granted nothing. Of functions only those that
/// programs call have a line: the others are for their owner. A letter stands for select (r), insert (a),
/// update (w), delete (d), truncate (t), execute (x), usage (u), create (c).
const MATRIX: &str = "
    object                             reader  writer  projector  operator  anybody
    schema foldlog                     u       u       u          u         -
    schema foldlog_view                u       u       uc         u         -
    schema foldlog_view_next           u       u       uc         u         -
    table foldlog.category             r       r       r          r         -
    table foldlog.checkpoint           r       r       rawd       r         -
    table foldlog.event                -       -       -          -         -
    table foldlog.event_N              -       -       -          -         -
    table foldlog.event_tag            -       -       -          -         -
    table foldlog.event_tag_N          -       -       -          -         -
    table foldlog.event_type           r       r       r          r         -
    table foldlog.import               -       -       -          -         -
    table foldlog.log                  -       -       -          -         -
    table foldlog.migration            r       r       r          r         -
    table foldlog.projection           r       r       raw        r         -
    table foldlog.receipt              -       -       -          -         -
    table foldlog.segment              -       -       -          -         -
    table foldlog.snapshot             -       -       -          -         -
    table foldlog.store                r       r       r          r         -
    table foldlog.stream               -       -       -          -         -
    table foldlog.stream_mark          -       -       -          -         -
    table foldlog_view.balance         r       r       rawd       r         -
    sequence foldlog.category_id_seq   -       -       -          -         -
    sequence foldlog.event_position    -       -       -          -         -
    sequence foldlog.stream_id_seq     -       -       -          -         -
    function append_1                  -       x       -          -         -
    function bound_1                   -       -       -          -         -
    function event_type_register_1     -       x       -          -         -
    function grant_roles_1             -       -       -          -         -
    function import_batch_1            -       -       -          -         -
    function import_batch_end_1        -       -       -          -         -
    function import_finish_1           -       -       -          -         -
    function import_open_1             -       -       -          -         -
    function list_categories_1         x       x       x          x         -
    function list_marks_1              x       x       x          x         -
    function list_segments_1           x       x       x          x         -
    function list_streams_1            x       x       x          x         -
    function load_stream_1             x       x       x          x         -
    function load_streams_1            x       x       x          x         -
    function log_check_1               x       x       x          x         -
    function read_all_1                x       x       x          x         -
    function read_query_1              x       x       x          x         -
    function read_receipt_1            x       x       x          x         -
    function read_stream_1             x       x       x          x         -
    function read_stream_back_1        x       x       x          x         -
    function read_streams_1            x       x       x          x         -
    function retention_begin_1         -       -       -          -         -
    function retention_next_1          -       -       -          -         -
    function retention_streams_1       -       -       -          -         -
    function segment_ensure_1          -       x       x          -         -
    function segment_freeze_next_1     -       -       -          -         -
    function segment_frozen_1          -       -       -          -         -
    function settled_1                 x       x       x          x         -
    function settled_holder_1          x       x       x          x         -
    function snapshot_keep_1           -       x       -          -         -
    function stream_holder_1           x       x       x          x         -
    function stream_info_1             x       x       x          x         -
    function stream_mark_1             -       -       -          x         -
    function stream_names_1             x       x       x          x         -
    function stream_touch_1            -       x       -          -         -
    function tag_holder_1              x       x       x          x         -
    function of the inside             -       -       -          -         -
";

/// The same, as the server sees it.
const SEEN: &str = "
    with roles(place, role) as (
        values (1, 'foldlog_reader'), (2, 'foldlog_writer'), (3, 'foldlog_projector'),
            (4, 'foldlog_operator'), (5, 'foldlog_test_anybody')
    ), seen as (
        select r.place, 'schema ' || n.nspname as object, concat(
            case when has_schema_privilege(r.role, n.oid, 'usage') then 'u' end,
            case when has_schema_privilege(r.role, n.oid, 'create') then 'c' end) as may
        from roles r, pg_namespace n where n.nspname like 'foldlog%'
        union all
        select r.place, 'table ' || n.nspname || '.' || regexp_replace(c.relname, '_[0-9]{6,}$', '_N'),
            concat(
                case when has_table_privilege(r.role, c.oid, 'select')
                    or has_any_column_privilege(r.role, c.oid, 'select') then 'r' end,
                case when has_table_privilege(r.role, c.oid, 'insert')
                    or has_any_column_privilege(r.role, c.oid, 'insert') then 'a' end,
                case when has_table_privilege(r.role, c.oid, 'update')
                    or has_any_column_privilege(r.role, c.oid, 'update') then 'w' end,
                case when has_table_privilege(r.role, c.oid, 'delete') then 'd' end,
                case when has_table_privilege(r.role, c.oid, 'truncate') then 't' end)
        from roles r, pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname like 'foldlog%' and c.relkind in ('r', 'p', 'v', 'm', 'f')
        union all
        select r.place, 'sequence ' || n.nspname || '.' || c.relname, concat(
            case when has_sequence_privilege(r.role, c.oid, 'select') then 'r' end,
            case when has_sequence_privilege(r.role, c.oid, 'update') then 'w' end,
            case when has_sequence_privilege(r.role, c.oid, 'usage') then 'u' end)
        from roles r, pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname like 'foldlog%' and c.relkind = 'S'
        union all
        select r.place, 'function ' || case when p.proname ~ '_[0-9]+$' then p.proname::text
                else 'of the inside' end,
            case when has_function_privilege(r.role, p.oid, 'execute') then 'x' else '' end
        from roles r, pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname like 'foldlog%'
    ), cells as (
        select distinct s.object, s.place, coalesce(nullif(s.may, ''), '-') as may from seen s
    )
    select object || ' ' || string_agg(may, ' ' order by place, may) from cells group by object";

/// A database with the view's table, made by the owner, and the roles.
async fn with_roles() -> TestDatabase {
    let database = database().await;
    owner_starts(&database).await;
    migrate_roles(&database.db()).await.unwrap();
    database
}

async fn owner_starts(database: &TestDatabase) {
    let app = App::builder(database.db()).aggregate::<Account>().view::<Balance>();
    app.without_workers().start().await.unwrap().shutdown().await.unwrap();
}

async fn run(database: &TestDatabase, sql: String) {
    database.pool().execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
}

fn lines(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty() && !line.starts_with("object")).collect()
}

#[tokio::test]
async fn every_role_may_do_what_the_matrix_says_and_nothing_else() {
    let database = with_roles().await;
    let anybody = "do $$ begin
        if to_regrole('foldlog_test_anybody') is null then create role foldlog_test_anybody; end if;
        exception when duplicate_object or unique_violation then null; end $$";
    run(&database, anybody.to_owned()).await;
    let seen = async || {
        let rows = sqlx::query(SEEN).fetch_all(database.pool()).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>(0)).collect::<BTreeSet<_>>()
    };
    let compare = |seen: &BTreeSet<String>| {
        let matrix = lines(MATRIX);
        let only_here: Vec<_> = matrix.difference(seen).collect();
        let only_there: Vec<_> = seen.difference(&matrix).collect();
        assert!(
            only_here.is_empty() && only_there.is_empty(),
            "the matrix says {only_here:#?}, the server {only_there:#?}"
        );
    };
    compare(&seen().await);
    // What is new is missed, and a right that slipped in is seen.
    run(&database, "create table foldlog.news (n int)".to_owned()).await;
    assert!(seen().await.contains("table foldlog.news - - - - -"));
    run(&database, "drop table foldlog.news; grant insert on foldlog.event to public".to_owned())
        .await;
    assert!(seen().await.contains("table foldlog.event a a a a a"));
    // Granted again: it puts right what it can, and changes nothing else.
    migrate_roles(&database.db()).await.unwrap();
    compare(&seen().await);
}

/// A role that can log in, for as long as the test runs.
struct Login<'d> {
    database: &'d TestDatabase,
    name: String,
}

impl<'d> Login<'d> {
    async fn new(database: &'d TestDatabase, number: u32, granted: &str) -> Self {
        let name = format!("{}_{number}", database.name());
        run(database, format!("create role {name} login password 'pw' in role {granted}")).await;
        Self { database, name }
    }

    fn url(&self) -> String {
        let (scheme, rest) = self.database.url().split_once("://").unwrap();
        let address = rest.split_once('@').map_or(rest, |(_, address)| address);
        format!("{scheme}://{}:pw@{address}", self.name)
    }

    async fn db(&self) -> Db {
        Db::connect(&self.url()).await.unwrap()
    }

    async fn end(self) {
        let Self { database, name } = self;
        run(database, format!("drop owned by {name} cascade; drop role {name}")).await;
    }
}

async fn refused(session: &mut PgConnection, sql: &'static str) -> String {
    let error = sqlx::raw_sql(sql).execute(session).await.expect_err(sql);
    error.as_database_error().unwrap().code().unwrap().into_owned()
}

#[tokio::test]
async fn a_writer_gets_at_what_is_stored_by_the_functions_and_by_nothing_else() {
    let database = with_roles().await;
    let login = Login::new(&database, 1, "foldlog_writer, foldlog_projector").await;
    let db = login.db().await;
    let mut session = db.session("test").await.unwrap();
    for trick in [
        "select from foldlog.event",
        "select payload from foldlog.event_000000",
        "insert into foldlog.event default values",
        "insert into foldlog.event_000000 (position) overriding system value values (1)",
        "update foldlog.event set payload = '0'",
        "delete from foldlog.event",
        "truncate foldlog.event",
        "delete from foldlog.receipt",
        "update foldlog.stream set state = 0",
        "update foldlog.log set kept_from = 9",
        "select nextval('foldlog.event_position')",
        "select setval('foldlog.event_position', 1)",
        "alter sequence foldlog.event_position restart",
        "alter table foldlog.event disable trigger all",
        "alter table foldlog.event_000000 disable trigger keep_guard",
        "alter table foldlog.event detach partition foldlog.event_000000",
        "drop table foldlog.event_000000",
        "create table foldlog.mine (n int)",
        "create function foldlog.mine() returns int language sql as 'select 1'",
        "set session_replication_role = 'replica'",
        "select foldlog.bound_1(0)",
        "select foldlog.event_write(0, null, null, null, null, null, null, null, null, null, null, null)",
        "select foldlog.mark_insert(1, 'archive', null, null, 'x')",
        "select from foldlog.stream_mark_1(0, '', 'account-ada', 'archive', 'x', null, false, null)",
        "select from foldlog.retention_begin_1(1, true, true)",
        "select foldlog.grant_roles_1()",
        "grant foldlog_operator to current_user",
    ] {
        assert_eq!(refused(&mut session, trick).await, "42501", "{trick}");
    }
    // A path of one's own changes nothing of what the functions do.
    let path = "create temp table stream (id int); create temp table event (id int);
        set search_path = pg_temp, public";
    sqlx::raw_sql(path).execute(&mut session).await.unwrap();
    let list = "select count(*) from foldlog.list_streams_1('', 'account', '', '', 9, true)";
    assert_eq!(sqlx::query_scalar::<_, i64>(list).fetch_one(&mut session).await.unwrap(), 0);
    session.close().await.unwrap();
    db.close().await;
    login.end().await;
}

#[tokio::test]
async fn an_app_runs_as_a_writer_and_projector() {
    let database = with_roles().await;
    let login = Login::new(&database, 1, "foldlog_writer, foldlog_projector").await;
    let db = login.db().await;
    let app = App::builder(db.clone()).aggregate::<Account>().view::<Balance>();
    let app = app.start().await.unwrap();
    let ada = account("ada");
    app.execute(&ada, Deposit(5)).await.unwrap();
    let done = app.execute(&ada, Deposit(2)).await.unwrap();
    let row = app.view::<Balance>().at_least(&done.token).get(&ada).await.unwrap().unwrap();
    assert_eq!(row.cents, 7);
    assert_eq!(app.view::<Balance>().fresh(&ada).await.unwrap().unwrap().cents, 7);
    let mut tx = db.pool().begin().await.unwrap();
    app.execute(&ada, Deposit(1)).within(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(app.load::<Account>(&ada).await.unwrap().state.cents, 8);
    assert_eq!(app.store().segments().await.unwrap().len(), 3);
    // It marks nothing, and drops nothing.
    let error = app.archive(&ada, "x").await.unwrap_err();
    let AppendError::Store(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ErrorKind::Setup, "{error}");
    assert!(error.to_string().contains("grant the privilege"), "{error}");
    let drop = app.store().drop_segments_before(done.token.position(), "x");
    assert_eq!(drop.await.unwrap_err().kind(), ErrorKind::Setup);
    let owned = "select count(*) from pg_stat_activity where usename = $1";
    app.shutdown().await.unwrap();
    db.close().await;
    wait_until(Duration::from_secs(20), async || {
        let left = sqlx::query_scalar::<_, i64>(owned).bind(&login.name);
        left.fetch_one(database.pool()).await.unwrap() == 0
    })
    .await;
    login.end().await;
}

#[tokio::test]
async fn a_projector_makes_the_table_of_a_view_that_nobody_has_made() {
    let database = database().await;
    migrate_roles(&database.db()).await.unwrap();
    let login = Login::new(&database, 1, "foldlog_writer, foldlog_projector").await;
    let db = login.db().await;
    let app = App::builder(db.clone()).aggregate::<Account>().view::<Balance>();
    let app = app.start().await.unwrap();
    let done = app.execute(&account("ada"), Deposit(5)).await.unwrap();
    let row = app.view::<Balance>().at_least(&done.token).get(&account("ada")).await;
    assert_eq!(row.unwrap().unwrap().cents, 5);
    app.shutdown().await.unwrap();
    db.close().await;
    login.end().await;
}

#[tokio::test]
async fn an_operator_marks_streams_and_his_name_is_kept() {
    let database = with_roles().await;
    let owner = App::builder(database.db()).aggregate::<Account>().start().await.unwrap();
    owner.execute(&account("ada"), Deposit(5)).await.unwrap();
    let login = Login::new(&database, 1, "foldlog_operator").await;
    let db = login.db().await;
    let store = foldlog::EventStore::open(&db).await.unwrap();
    let stream = StreamName::of::<AccountEvent>(&Tenant::default(), &account("ada")).unwrap();
    assert!(store.tombstone(&stream, "asked for").await.unwrap());
    assert_eq!(store.marks(&stream).await.unwrap()[0].by, login.name);
    let reader = Login::new(&database, 2, "foldlog_reader").await;
    let reading = reader.db().await;
    let store = foldlog::EventStore::open(&reading).await.unwrap();
    assert_eq!(store.read_stream(&stream, 0, 9).await.unwrap_err().kind(), ErrorKind::Tombstoned);
    assert_eq!(
        store
            .settled_events(foldlog::Filter::all(), None)
            .unwrap()
            .next()
            .await
            .unwrap()
            .unwrap()
            .version,
        1
    );
    assert!(store.archive(&stream, "x").await.is_err());
    owner.shutdown().await.unwrap();
    for (db, login) in [(db, login), (reading, reader)] {
        db.close().await;
        login.end().await;
    }
}
