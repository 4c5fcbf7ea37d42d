//! What the parser reads, case by case.

use std::time::Duration;

use super::{Endpoint, Secret, Target, Variables};

fn read(text: &str, variables: &[(&str, &str)]) -> Endpoint {
    let variables = variables.iter().copied().collect();
    Endpoint::parse(text, &variables).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    Endpoint::parse(text, &Variables::none()).expect_err(text).to_string()
}

/// Hosts, role, password, database, TLS: what a session needs.
fn shown(endpoint: &Endpoint) -> String {
    let hosts: Vec<String> =
        endpoint.hosts.iter().map(|host| format!("{}|{}", host.name, host.port)).collect();
    let password = endpoint.password.as_ref().map_or("-", Secret::reveal);
    format!(
        "{} {} {password} {} {:?}",
        hosts.join(","),
        endpoint.user,
        endpoint.database,
        endpoint.tls
    )
}

#[test]
fn urls_say_where_who_and_how() {
    for (text, expected) in [
        ("postgres://ada:pw@db.example:6432/shop", "db.example|6432 ada pw shop VerifyFull"),
        ("postgresql://ada@db.example", "db.example|5432 ada - ada VerifyFull"),
        ("postgres://ada@localhost/shop", "localhost|5432 ada - shop Prefer"),
        ("postgres://ada@127.0.0.1/shop", "127.0.0.1|5432 ada - shop Prefer"),
        ("postgres://ada@[::1]:77/shop", "::1|77 ada - shop Prefer"),
        ("postgres://ada@%2Frun%2Fpg/shop", "/run/pg|5432 ada - shop Disable"),
        ("postgres:///shop?host=/run/pg&user=ada&port=77", "/run/pg|77 ada - shop Disable"),
        ("postgres://a%40b:p%2Fw%3A%25@db/s%20p", "db|5432 a@b p/w:% s p VerifyFull"),
        ("postgres://ada:p@w@db/shop", "db|5432 ada p@w shop VerifyFull"),
        ("postgres://ada@one,two:77/shop", "one|5432,two|77 ada - shop VerifyFull"),
        ("postgres://ada@one:1,two:2/s?sslmode=disable", "one|1,two|2 ada - s Disable"),
        ("postgres://ada@localhost,far/shop", "localhost|5432,far|5432 ada - shop VerifyFull"),
        ("postgres://ada@db/shop?sslmode=require", "db|5432 ada - shop Require"),
        ("postgres://ada@db/shop?sslmode=prefer", "db|5432 ada - shop Prefer"),
        ("postgres://ada@db/shop?sslmode=verify-ca", "db|5432 ada - shop VerifyCa"),
        ("postgres://ada@db/s?sslmode=require&sslrootcert=/ca", "db|5432 ada - s VerifyCa"),
        ("postgres://ada@localhost/s?sslrootcert=system", "localhost|5432 ada - s VerifyFull"),
        ("postgres://ada@db/a@b", "db|5432 ada - a@b VerifyFull"),
        ("host=db port=77 user=ada dbname=shop", "db|77 ada - shop VerifyFull"),
        (
            "host=db user = ada password='a \\'b\\\\' dbname=shop",
            "db|5432 ada a 'b\\ shop VerifyFull",
        ),
        ("host=one,two port=1,2 user=ada", "one|1,two|2 ada - ada VerifyFull"),
    ] {
        assert_eq!(shown(&read(text, &[])), expected, "{text}");
    }
}

#[test]
fn variables_fill_in_what_the_text_leaves_open() {
    let variables = [
        ("PGHOST", "other"),
        ("PGPORT", "77"),
        ("PGUSER", "ada"),
        ("PGPASSWORD", "pw"),
        ("PGDATABASE", "shop"),
        ("PGSSLMODE", "require"),
        ("PGAPPNAME", "till"),
        ("PGOPTIONS", "-c geqo=off"),
        ("PGTARGETSESSIONATTRS", "any"),
        ("PGCONNECT_TIMEOUT", "3"),
    ];
    let from = read("postgres://", &variables);
    assert_eq!(shown(&from), "other|77 ada pw shop Require");
    assert_eq!(from.application.as_deref(), Some("till"));
    assert_eq!(from.options.as_deref(), Some("-c geqo=off"));
    assert_eq!((from.target, from.connect_timeout), (Target::Any, Duration::from_secs(3)));
    let over = read("postgres://bob:mine@db:5/x?sslmode=disable&application_name=me", &variables);
    assert_eq!(shown(&over), "db|5 bob mine x Disable");
    assert_eq!(over.application.as_deref(), Some("me"));
    let more = read("postgres://h/?options[lock_timeout]=5s&options[a]=x y", &variables);
    assert_eq!(more.options.as_deref(), Some("-c geqo=off -c lock_timeout=5s -c a=x\\ y"));
}

#[test]
fn a_target_that_can_write_is_the_default() {
    assert_eq!(read("postgres://db", &[]).target, Target::ReadWrite);
}

#[test]
fn an_old_server_a_standby_and_a_server_without_writes_are_refused_by_name() {
    let facts = |number, standby, read_only| super::open::Facts {
        number,
        version: format!("{}.1", number / 10_000),
        standby,
        read_only,
    };
    let said = |facts: super::open::Facts, target| match facts.judge("db:5432", target) {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    };
    let old = said(facts(140_001, false, false), Target::Any);
    assert!(old.contains("14.1") && old.contains("15 or newer") && old.contains("db:5432"));
    assert!(said(facts(150_001, true, true), Target::ReadWrite).contains("standby"));
    assert!(said(facts(150_001, true, true), Target::Primary).contains("standby"));
    assert!(said(facts(150_001, false, true), Target::ReadWrite).contains("read_only"));
    assert_eq!(said(facts(150_001, true, true), Target::Any), "");
    assert_eq!(said(facts(150_001, false, true), Target::Primary), "");
    assert_eq!(said(facts(190_000, false, false), Target::ReadWrite), "");
}

#[test]
fn what_cannot_be_read_is_named() {
    for (text, name) in [
        ("postgres://db/shop?sslmod=require", "sslmod"),
        ("postgres://db/shop?sslmode=maybe", "sslmode"),
        ("postgres://db/shop?target_session_attrs=standby", "target_session_attrs"),
        ("postgres://db:0/shop", "port"),
        ("postgres://db:banana/shop", "banana"),
        ("postgres://one,two,three/shop?port=1,2", "3 hosts but 2 ports"),
        ("postgres://db/shop?connect_timeout=soon", "connect_timeout"),
        ("postgres://db/shop?host", "host"),
        ("mysql://db/shop", "mysql"),
        ("just words", "key=value"),
        ("host='db", "quote of host"),
        ("host=db colour=red", "colour"),
    ] {
        let error = refused(text);
        assert!(error.contains(name), "{text}: {error}");
    }
}

#[test]
fn a_password_is_in_no_error_and_in_no_debug_output() {
    let secret = "s3cret";
    for text in [
        "postgres://ada:s3cret@db:banana/shop",
        "postgres://ada:s3cret@db/shop?colour=red",
        "postgres://ada:s3cret%FF@db/shop",
        "host=db password=s3cret port=banana",
        "mysql://ada:s3cret@db/shop",
        "postgres://ada:x?s3cret@db/shop",
        "postgres://ada:p@s?s3cret@db/shop",
        "postgres://ada:p@s/s3cret@db/shop",
        "postgres://ada:p@s?connect_timeout=s3cret@db/shop",
        "postgres://ada:p@s?a&s3cret=x@db/shop?sslmode=disable",
    ] {
        assert!(!refused(text).contains(secret), "{}", refused(text));
    }
    let endpoint = read("postgres://ada:s3cret@db/shop", &[]);
    assert!(!format!("{endpoint:?} {endpoint}").contains(secret));
}

#[test]
fn an_at_sign_in_a_parameter_that_is_known_ends_no_login() {
    let endpoint = read("postgres://ada:pw@db/shop?user=a@b&application_name=me@here", &[]);
    assert_eq!(shown(&endpoint), "db|5432 a@b pw shop VerifyFull");
}

#[test]
fn the_passfile_is_searched_by_host_port_database_and_role() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".pgpass");
    let lines =
        "# a comment\ndb:5432:shop:bob:bobs\ndb:*:shop:ada:co\\:lon\nlocalhost:*:*:*:socket\n";
    std::fs::write(&file, lines).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let home = folder.path().to_str().unwrap();
    let password = |text: &str, name, value| {
        let endpoint = read(text, &[(name, value)]);
        endpoint.password.map(|password| password.reveal().to_owned())
    };
    let of = |text: &str| password(text, "HOME", home);
    assert_eq!(of("postgres://ada@db/shop").as_deref(), Some("co:lon"));
    assert_eq!(of("postgres://bob@db/shop").as_deref(), Some("bobs"));
    assert_eq!(of("postgres://bob@db:77/shop"), None);
    assert_eq!(of("postgres://bob@%2Frun/x").as_deref(), Some("socket"));
    assert_eq!(of("postgres://ada:own@db/shop").as_deref(), Some("own"));
    let named = file.to_str().unwrap();
    assert_eq!(password("postgres://ada@db/shop", "PGPASSFILE", named).as_deref(), Some("co:lon"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(of("postgres://ada@db/shop"), None, "others may read it");
}

#[test]
fn both_drivers_are_told_the_same() {
    let endpoint = read("postgres://a%40b:p%25w@db:77/shop?options=-c%20geqo%3Doff", &[]);
    let host = &endpoint.hosts[0];
    let sqlx = endpoint.sqlx(host, "till").unwrap();
    let tokio = endpoint.tokio(host, "till");
    assert_eq!((sqlx.get_host(), sqlx.get_port()), ("db", 77));
    assert_eq!(tokio.get_hosts(), [tokio_postgres::config::Host::Tcp("db".to_owned())]);
    assert_eq!(tokio.get_ports(), [77]);
    assert_eq!((sqlx.get_username(), tokio.get_user()), ("a@b", Some("a@b")));
    assert_eq!((sqlx.get_database(), tokio.get_dbname()), (Some("shop"), Some("shop")));
    assert_eq!(sqlx.get_application_name(), Some("till"));
    assert_eq!(tokio.get_application_name(), Some("till"));
    assert!(sqlx.get_options().unwrap().ends_with("-c geqo=off"));
    assert_eq!(tokio.get_options(), Some("-c geqo=off"));
    let back = Endpoint::of_pool(&sqlx).unwrap();
    assert_eq!(shown(&back), "db|77 a@b p%w shop VerifyFull");
    assert_eq!(back.options.as_deref(), Some("-c geqo=off"));
}

#[test]
fn a_missing_root_certificate_is_named_before_anything_connects() {
    let endpoint = read("postgres://ada@db/shop?sslrootcert=/no/such/ca.pem", &[]);
    let Err(error) = super::tls::connector(&endpoint) else { panic!("there is no such file") };
    assert!(error.to_string().contains("sslrootcert"), "{error}");
    assert!(super::tls::connector(&read("postgres://ada@db/shop", &[])).is_ok());
}
