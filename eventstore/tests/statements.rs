//! Every statement is prepared as it stands, and has the parameters and columns that the code binds
//! and reads. Both drivers ask the server the same; this asks with the one that says all of it.

use std::collections::BTreeSet;
use std::path::Path;

use foldlog_eventstore::STATEMENTS;
use foldlog_pg::Session;
use tokio_postgres::Client;

use crate::support::database;

/// Name, parameters, columns.
const GOLDEN: [(&str, &str, &str); 40] = [
    (
        "all_read",
        "int8 int4 int8 int4 int4 _text _text",
        "position:int8 version:int8 event_id:uuid type_id:int4 payload:json metadata:json \
         recorded_at:timestamptz stream_id:int8",
    ),
    (
        "append",
        "int4 _text _uuid _bytea _text _int4 _text _int8 _int4 _uuid _int4 _text _text _text _int4 \
         _text _text _int8 _text",
        "request:int4 stream:int4 outcome:int2 version:int8 first_position:int8 \
         last_position:int8 reply:text",
    ),
    (
        "append_session",
        "",
        "set_config:text set_config:text set_config:text set_config:text case:text",
    ),
    ("category_list", "", "category:text kind:text schema_version:int4"),
    ("cqrs_es_begin", "", ""),
    (
        "cqrs_es_by_stream",
        "text",
        "aggregate_type:text aggregate_id:text sequence:int8 event_type:text event_version:text \
         payload:text metadata:text recorded_us:int8",
    ),
    (
        "cqrs_es_by_time",
        "text",
        "aggregate_type:text aggregate_id:text sequence:int8 event_type:text event_version:text \
         payload:text metadata:text recorded_us:int8",
    ),
    ("cqrs_es_one", "text text", "sequence:int8 event_type:text event_version:text payload:text"),
    ("cqrs_es_session", "", "set_config:text set_config:text"),
    ("cqrs_es_table", "text", "source_table:text"),
    ("event_type_read", "", "id:int4 category:text name:text schema_version:int4"),
    ("event_type_register", "int4 text _text _int4", "name:text schema_version:int4 id:int4"),
    (
        "query_read",
        "text int8 int4 int8 _text _text",
        "position:int8 version:int8 event_id:uuid type_id:int4 payload:json metadata:json \
         recorded_at:timestamptz stream:text matched:_int4",
    ),
    ("committed_begin", "", ""),
    ("stream_names", "_int8", "id:int8 tenant:text name:text"),
    ("server_life", "", "pg_postmaster_start_time:timestamptz oid:oid"),
    ("tag_holder", "text _text", "pid:int4"),
    (
        "import_open",
        "text",
        "done:int8 digest:bytea begun_us:int8 width:int8 last_tenant:text last_stream:text \
         last_version:int8 last_event_id:uuid last_position:int8",
    ),
    (
        "import_batch",
        "text int8 _text _text _int8 _int4 _text _text _text int4",
        "row_ids:_int8 versions:_int8 states:_int2 positions:_int8",
    ),
    ("import_copy", "", ""),
    ("import_copy_tag", "", ""),
    ("import_batch_end", "text _int8 _int8 _int8 int8 bytea int8", "import_batch_end_1:void"),
    ("import_finish", "text", "import_finish_1:void"),
    (
        "receipt_read",
        "text uuid",
        "content_hash:bytea versions:_int8 last_positions:_int8 reply:text",
    ),
    (
        "stream_read",
        "text text int8 int8 int4 int8 bool",
        "position:int8 version:int8 event_id:uuid type_id:int4 payload:json metadata:json \
         recorded_at:timestamptz",
    ),
    (
        "stream_read_back",
        "text text int8 int4 int8",
        "position:int8 version:int8 event_id:uuid type_id:int4 payload:json metadata:json \
         recorded_at:timestamptz",
    ),
    (
        "stream_info",
        "text text",
        "name:text slice:int2 state:int2 version:int8 first_position:int8 last_position:int8 \
         created_us:int8 mark:text first_version:int8 first_is_summary:bool reason:text \
         marked_by:text marked_us:int8",
    ),
    (
        "stream_list",
        "text text text text int4 bool",
        "name:text slice:int2 state:int2 version:int8 first_position:int8 last_position:int8 \
         created_us:int8 mark:text first_version:int8 first_is_summary:bool reason:text \
         marked_by:text marked_us:int8",
    ),
    ("snapshot_keep", "text text text bytea int8 int8 text", "kept:bool"),
    (
        "stream_load",
        "text text int8 bytea int4 int8",
        "position:int8 version:int8 event_id:uuid type_id:int4 payload:json metadata:json \
         recorded_at:timestamptz is_snapshot:bool",
    ),
    (
        "streams_load",
        "_text _text _int8 _bytea int4 int8",
        "stream:int4 end_version:int8 end_position:int8 position:int8 version:int8 event_id:uuid \
         type_id:int4 payload:json metadata:json recorded_at:timestamptz marks:json is_snapshot:bool",
    ),
    ("stream_holder", "text text", "pid:int4"),
    ("stream_touch", "text _text", ""),
    (
        "streams_read",
        "_text _text _int8 int4 int8",
        "stream:int4 end_version:int8 end_position:int8 position:int8 version:int8 event_id:uuid \
         type_id:int4 payload:json metadata:json recorded_at:timestamptz marks:json",
    ),
    (
        "retention_begin",
        "int8 bool bool text",
        "outcome:int2 kept_from:int8 name:text at_position:int8 set_config:text",
    ),
    ("retention_streams", "int8 int4 text", "retention_streams_1:int8"),
    ("retention_next", "", "statement:text ends:bool"),
    (
        "stream_mark",
        "int4 text text text text int8 bool int8",
        "outcome:int2 version:int8 marks:text",
    ),
    (
        "mark_list",
        "text text",
        "mark:text first_version:int8 first_is_summary:bool reason:text marked_by:text \
         marked_us:int8",
    ),
    ("wake_notify", "text", "pg_notify:void"),
];

/// The same of the statements of foldlog-pg that concern the store.
const GOLDEN_PG: [(&str, &str, &str); 14] = [
    ("log_check", "int4", "log_check_1:text"),
    ("migration_history_exists", "", "exists:bool"),
    ("migration_history_read", "", "set_name:text number:int4 name:text checksum:bytea floor:int4"),
    ("migration_lock", "", "pg_advisory_xact_lock:void"),
    ("migration_record", "text int4 text bytea int4", ""),
    ("segment_ensure", "int4", "segment_ensure_1:int4"),
    ("segment_freeze_next", "int4 text", "number:int8 statement:text set_config:text"),
    ("segment_frozen", "int4 int8", "segment_frozen_1:bool"),
    (
        "segment_list",
        "int4",
        "number:int8 name:text first_position:int8 end_position:int8 state:text bytes:int8 \
         rows_about:int8 frozen:bool",
    ),
    ("session_prepare", "", "set_config:text set_config:text set_config:text case:text"),
    ("setting_local_set", "text text", "set_config:text"),
    (
        "settled_holder_read",
        "int4",
        "bound:int8 pid:int4 gid:text age_s:float8 application:text waits:text",
    ),
    ("settled_read", "int4 int8", "settled_1:int8"),
    ("store_read", "", "id:uuid epoch:int4"),
];

async fn shape(client: &Client, name: &str, sql: &str) -> (String, String) {
    let statement = client.prepare(sql).await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
    let parameters: Vec<_> = statement.params().iter().map(|t| t.name().to_owned()).collect();
    let columns: Vec<_> =
        statement.columns().iter().map(|c| format!("{}:{}", c.name(), c.type_().name())).collect();
    (parameters.join(" "), columns.join(" "))
}

fn names(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(&folder).unwrap();
    files.map(|f| f.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_statement_has_the_types_that_the_code_binds_and_reads() {
    let database = database().await;
    let db = database.db();
    let Session { client, connection } = db.endpoint().session("foldlog test").await.unwrap();
    let driving = tokio::spawn(connection);
    // The table whose name is put into the statements that read one of cqrs-es.
    let table = crate::cqrs_es::TABLE.replace("table events", "table source_events");
    client.batch_execute(&table).await.unwrap();
    let known: BTreeSet<_> = STATEMENTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(known, names("sql"), "every file is a statement and every statement a file");
    assert_eq!(known, GOLDEN.iter().map(|(name, ..)| (*name).to_owned()).collect());
    for (name, parameters, columns) in GOLDEN {
        let sql = STATEMENTS.iter().find(|(known, _)| *known == name).unwrap().1;
        let expected = (parameters.to_owned(), columns.to_owned());
        assert_eq!(shape(&client, name, sql).await, expected, "{name}");
    }
    for (name, parameters, columns) in GOLDEN_PG {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../pg/sql/{name}.sql"));
        let sql = std::fs::read_to_string(file).unwrap();
        let expected = (parameters.to_owned(), columns.to_owned());
        assert_eq!(shape(&client, name, &sql).await, expected, "{name}");
    }
    drop(client);
    driving.await.unwrap().unwrap();
}
