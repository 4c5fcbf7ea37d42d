//! TLS: each sslmode asks of the certificate what it says, with both drivers.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use foldlog_core::ErrorKind;
use foldlog_pg::{Db, Endpoint, PrivateServer, Variables};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::places::Place;

/// Two addresses of this machine that differ from run to run; the certificate is for the first.
fn addresses() -> (String, String) {
    let id = std::process::id();
    let (high, low) = (id / 250 % 250, id % 250);
    (format!("127.77.{high}.{low}"), format!("127.78.{high}.{low}"))
}

/// Writes an authority's certificate, and the server's key and certificate into its data folder.
fn certify(data: &Path, address: &str) -> PathBuf {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec![address.to_owned()]).unwrap();
    let server = server.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
    let owner = fs::metadata(data).unwrap();
    for (name, text) in [("server.crt", server.pem()), ("server.key", key.serialize_pem())] {
        let file = data.join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let file = data.with_file_name("root.pem");
    fs::write(&file, root.pem()).unwrap();
    file
}

/// What both drivers say: they must agree.
async fn try_both(url: &str) -> Result<(), ErrorKind> {
    let endpoint = Endpoint::parse(url, &Variables::none()).unwrap();
    let first = Db::open(endpoint.clone(), None).await.map(drop);
    let second = endpoint.session("encrypted").await.map(drop);
    assert_eq!(first.is_ok(), second.is_ok(), "{url}: {first:?} {second:?}");
    first.map_err(|error| error.kind())
}

#[tokio::test]
async fn each_sslmode_asks_of_the_certificate_what_it_says() {
    let place = Place::new();
    place.db().await.close().await;
    let (named, other) = addresses();
    let root = certify(&place.data(), &named);
    let rules = place.data().join("pg_hba.conf");
    let local = fs::read_to_string(&rules).unwrap();
    let ours = "hostssl all all 127.0.0.0/8 trust\nhostnossl all all 127.0.0.0/8 reject";
    fs::write(&rules, format!("{ours}\n{local}")).unwrap();
    let options = place.options().setting("ssl", "on");
    let options = options.setting("listen_addresses", &format!("{named},{other}"));
    let server = PrivateServer::start(options).await.unwrap();
    let root = format!("&sslrootcert={}", root.display());
    for (host, mode, root, expected) in [
        (&named, "verify-full", root.as_str(), Ok(())),
        (&named, "verify-ca", &root, Ok(())),
        (&named, "require", "", Ok(())),
        (&named, "prefer", "", Ok(())),
        (&named, "verify-full", "", Err(ErrorKind::Setup)),
        (&named, "verify-ca", "", Err(ErrorKind::Setup)),
        (&other, "verify-full", &root, Err(ErrorKind::Setup)),
        (&other, "verify-ca", &root, Ok(())),
        (&other, "require", &root, Ok(())),
        (&named, "disable", "", Err(ErrorKind::Setup)),
    ] {
        let url = format!("postgres://postgres@{host}:5432/postgres?sslmode={mode}{root}");
        assert_eq!(try_both(&url).await, expected, "{url}");
    }
    server.close().await.unwrap();
}
