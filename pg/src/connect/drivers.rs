//! The endpoint in the words of the two drivers.

use foldlog_core::Error;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::time::Duration;

use super::{Endpoint, Host, Secret, Target, TlsMode, Variables, invalid, keywords};

/// Finds a peer that went away without a word in about a minute.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

impl Endpoint {
    /// The options of sqlx for one of the hosts.
    pub(crate) fn sqlx(&self, host: &Host, application: &str) -> Result<PgConnectOptions, Error> {
        // sqlx takes raw `options` only from a URL, and everything it is not told it reads from the
        // process's environment: so it is told everything.
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut url = format!(
            "postgres:///?host={}&port={}&user={}&dbname={}",
            encoded(&host.name),
            host.port,
            encoded(&self.user),
            encoded(&self.database)
        );
        for (key, value) in [
            ("password", self.password.as_ref().map_or("", Secret::reveal)),
            ("application_name", application),
            ("options", self.options.as_deref().unwrap_or_default()),
        ] {
            if !value.is_empty() || key == "password" {
                url.push_str(&format!("&{key}={}", encoded(value)));
            }
        }
        let mut options: PgConnectOptions = url.parse().map_err(|_unprintable: sqlx::Error| {
            // The driver's own words could quote the URL, and with it the password.
            invalid("the driver can't read the address of the database")
        })?;
        options = options.ssl_mode(match self.tls_with(host) {
            TlsMode::Disable => PgSslMode::Disable,
            TlsMode::Prefer => PgSslMode::Prefer,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        });
        options = match &self.root_certificate {
            Some(source) => options.ssl_root_cert(source),
            None => options.ssl_root_cert_from_pem(Vec::new()),
        };
        if let (Some(certificate), Some(key)) = (&self.client_certificate, &self.client_key) {
            options = options.ssl_client_cert(certificate).ssl_client_key(key.reveal());
        }
        if let Some(capacity) = self.statement_cache {
            options = options.statement_cache_capacity(capacity);
        }
        Ok(options)
    }

    /// The configuration of tokio-postgres for one of the hosts.
    pub(crate) fn tokio(&self, host: &Host, application: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&host.name)
            .port(host.port)
            .user(&self.user)
            .dbname(&self.database)
            .application_name(application)
            .connect_timeout(self.connect_timeout)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(3)
            .ssl_mode(match self.tls_with(host) {
                TlsMode::Disable => tokio_postgres::config::SslMode::Disable,
                TlsMode::Prefer => tokio_postgres::config::SslMode::Prefer,
                _ => tokio_postgres::config::SslMode::Require,
            });
        // An empty one where none is set, as sqlx does: the server then says that it wants another.
        config.password(self.password.as_ref().map_or("", Secret::reveal));
        if let Some(options) = &self.options {
            config.options(options);
        }
        config
    }

    /// As in libpq, a socket of this machine has no TLS whatever is asked for the other hosts.
    fn tls_with(&self, host: &Host) -> TlsMode {
        if host.is_socket() { TlsMode::Disable } else { self.tls }
    }

    /// The place that a user's own pool connects to.
    pub(crate) fn of_pool(options: &PgConnectOptions) -> Result<Self, Error> {
        let socket = options.get_socket().map(|folder| folder.to_string_lossy().into_owned());
        let host = Host {
            name: socket.unwrap_or_else(|| options.get_host().to_owned()),
            port: options.get_port(),
        };
        // Password and certificates have no getter; they are in the URL that the options can write.
        // It is written for a harmless host and role, because sqlx puts those in without encoding.
        let url = options.clone().host("localhost").username("postgres").to_url_lossy();
        let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        pairs.extend(options.get_options().map(|text| ("options".to_owned(), text.to_owned())));
        let mut endpoint = keywords::endpoint(pairs, &Variables::none())?;
        let encoded = url.password().unwrap_or_default();
        let password = percent_encoding::percent_decode_str(encoded).decode_utf8_lossy();
        endpoint.password = (!password.is_empty()).then(|| Secret::new(password));
        endpoint.user = options.get_username().to_owned();
        endpoint.database = options.get_database().unwrap_or(options.get_username()).to_owned();
        endpoint.application = options.get_application_name().map(ToOwned::to_owned);
        endpoint.target = Target::ReadWrite;
        endpoint.hosts = vec![host];
        Ok(endpoint)
    }
}
