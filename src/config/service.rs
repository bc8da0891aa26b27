//! Settings of the service: `[server]`, `[worker]`, `[auth]` and `[audit]`.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ConfigError;

/// How the service listens and what it takes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port. Default: `127.0.0.1:8080`, reachable from this machine only.
    pub listen: SocketAddr,
    /// The address that users type, such as `https://rollcall.school.example`; links begin with it. Default: none, links are
    /// relative.
    pub public_url: String,
    /// Networks (CIDR) whose `X-Forwarded-For` is believed. What they say of scheme and host is not needed: addresses in
    /// answers begin with `public_url`, or are relative. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// Other sites whose pages may call the service, such as `https://portal.school.example`. Default: none.
    pub cors_origins: Vec<String>,
    /// Largest request body, MiB. Default: 64.
    pub max_upload_mb: u32,
    /// A request that takes longer is ended, seconds. Default: 60.
    pub request_timeout_secs: u16,
    /// Requests in flight may go on for so long after a stop, seconds. Default: 25.
    pub stop_grace_secs: u16,
    /// Requests worked on at a time; others are sent away to come again. Default: 256.
    pub max_requests: u32,
    /// Waiting photos (or exports, or archives of portraits) beyond which no more are accepted. Default: 1000.
    pub queue_limit: u32,
    /// Requests of one token, or of one address without a token, in a minute. Default: 600.
    pub rate_per_minute: u32,
}

/// What a worker answers.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Address and port at which `rollcall work` tells its health, `/livez`, `/readyz` and `/metrics`. Default: none.
    #[serde(deserialize_with = "address_or_none")]
    pub listen: Option<SocketAddr>,
}

/// An empty text is no address.
fn address_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    text.map(|text| {
        text.parse().map_err(|_| serde::de::Error::custom("must be address and port, such as 0.0.0.0:8081"))
    })
    .transpose()
}

/// How people and programs show who they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Signs access tokens and links, at least 32 characters; several servers need the same one. Default: made once and kept in
    /// secret.key of the data folder.
    pub secret: Secret,
    /// Life of an access token, minutes. Default: 15.
    pub access_minutes: u16,
    /// Life of a refresh token, days: whoever does not come back within them signs in again. Default: 30.
    pub refresh_days: u16,
}

/// The log of who did what.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Lines are deleted after so many days; 0 keeps them for ever. Default: 730, so that a school year can be looked at
    /// until the next one is over.
    pub keep_days: u16,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: String::new(),
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            max_upload_mb: 64,
            request_timeout_secs: 60,
            stop_grace_secs: 25,
            max_requests: 256,
            queue_limit: 1000,
            rate_per_minute: 600,
        }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self { keep_days: 730 }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self { secret: Secret::default(), access_minutes: 15, refresh_days: 30 }
    }
}

/// A setting that is never printed nor written anywhere.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself; `None` when none is set.
    pub fn expose(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|text| !text.is_empty())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "***" })
    }
}

/// Only the default is ever written, as the lowest layer of the settings; any other stays unsaid.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("")
    }
}

/// What is no text is refused without being shown; serde's own message would quote it.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer) {
            Ok(serde_json::Value::String(text)) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("must be text; a number needs quotes")),
        }
    }
}

impl Server {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if !self.public_url.is_empty() && !is_origin(&self.public_url) {
            return Err(wrong("server.public_url", &self.public_url, "https://HOST or http://HOST, without a path"));
        }
        match self.cors_origins.iter().find(|origin| !is_origin(origin)) {
            Some(origin) => Err(wrong(
                "server.cors_origins",
                origin,
                "https://HOST or http://HOST, each written out, without a path",
            )),
            None => Ok(()),
        }
    }
}

/// Shortest secret, characters: with random letters and digits more than the 128 bits that HMAC-SHA-256 deserves.
const SHORTEST_SECRET: usize = 32;

impl Auth {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        match self.secret.expose().map(|secret| secret.chars().count()) {
            Some(length) if length < SHORTEST_SECRET => Err(ConfigError::OutOfRange {
                key: "auth.secret",
                value: format!("{length} characters long"),
                rule: "at least 32 characters, such as `openssl rand -hex 32` prints",
            }),
            _ => Ok(()),
        }
    }
}

fn wrong(key: &'static str, value: &str, rule: &'static str) -> ConfigError {
    ConfigError::OutOfRange { key, value: format!("{value:?}"), rule }
}

/// An origin as browsers send it (RFC 6454): scheme, host, perhaps a port.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn checked(text: &str) -> Result<Config, String> {
        let config: Config = toml::from_str(text).map_err(|e| e.to_string())?;
        config.validate().map(|()| config).map_err(|e| e.to_string())
    }

    #[test]
    fn a_whole_section_is_read() {
        let config = checked(
            "[server]\nlisten = '[::]:9000'\npublic_url = 'https://r.school.example'\n\
             trusted_proxies = ['10.0.0.0/8', 'fd00::/8']\ncors_origins = ['http://localhost:5173']\nmax_upload_mb = 8\n\
             request_timeout_secs = 30\nmax_requests = 10\nqueue_limit = 20\nrate_per_minute = 30\n\
             [auth]\nsecret = 'an example of more than 32 characters'\naccess_minutes = 5\nrefresh_days = 7\n",
        )
        .unwrap();
        assert_eq!(config.server.listen.port(), 9000);
        assert!(config.server.trusted_proxies[0].contains(&"10.2.3.4".parse::<std::net::IpAddr>().unwrap()));
        assert_eq!(config.auth.secret.expose(), Some("an example of more than 32 characters"));
        assert_eq!(Auth::default().secret.expose(), None);
    }

    #[test]
    fn a_worker_listens_only_where_it_is_told_to() {
        let listen = |text: &str| checked(&format!("[worker]\nlisten = '{text}'\n")).map(|config| config.worker.listen);
        assert_eq!(listen("0.0.0.0:8081").unwrap(), Some("0.0.0.0:8081".parse().unwrap()));
        assert_eq!((listen("").unwrap(), Config::default().worker.listen), (None, None));
        assert!(listen("8081").unwrap_err().contains("address and port"));
    }

    #[test]
    fn a_secret_is_not_shown_whatever_is_wrong_with_it() {
        for text in ["secret = '31 characters are one too few !'", "secret = 123456789012345", "secret = 1.5e300"] {
            let said = checked(&format!("[auth]\n{text}\n")).unwrap_err();
            assert!(said.contains("secret") && said.contains("must be"), "{said}");
        }
        let said = checked("[auth]\nsecret = 'too short'\n").unwrap_err();
        assert!(said.contains("9 characters long") && !said.contains("too short"), "{said}");
        let config = checked("[auth]\nsecret = 'an example of more than 32 characters'\n").unwrap();
        let written = format!("{:?} {}", config.auth, serde_json::to_string(&config.auth).unwrap());
        assert!(!written.contains("example"), "{written}");
    }

    #[test]
    fn origins_are_written_out() {
        for origin in ["*", "https://*.school.example", "school.example", "https://", "https://a/b", "https://a b"] {
            let said = checked(&format!("[server]\ncors_origins = ['{origin}']\n")).unwrap_err();
            assert!(said.contains("server.cors_origins"), "{said}");
        }
        assert!(checked("[server]\npublic_url = 'ftp://school.example'\n").unwrap_err().contains("public_url"));
        assert!(checked("[server]\nlisten = 'everywhere'\n").unwrap_err().contains("listen"));
        assert!(checked("[auth]\naccess_minutes = 0\n").unwrap_err().contains("auth.access_minutes is 0"));
    }
}
