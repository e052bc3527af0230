//! The request of an `httpGet` probe, and where a redirect leads, as kubelet and the HTTP client of Go that it
//! uses have it.
//!
//! What ends up in the request is bounded and of such characters only that it can end neither its line nor its
//! header: paths are percent-encoded, headers that cannot be sent are refused.

use k8s_openapi::api::core::v1::{HTTPGetAction, HTTPHeader};

use super::host::{Endpoint, Host};

/// Longest path and query, in bytes, as they are sent. Servers commonly take 8,000 to 16,000.
const MAX_TARGET: usize = 8 * 1024;
/// Most bytes that all headers together may have.
const MAX_HEADERS: usize = 16 * 1024;
/// Headers of the connection and not of the question: the client writes them itself. Kubelet's ignores them too.
const FRAMING: [&str; 5] = ["connection", "content-length", "keep-alive", "trailer", "transfer-encoding"];

/// A GET request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpGet {
    /// In clear or over TLS.
    pub scheme: Scheme,
    /// Whom to connect to.
    pub at: Endpoint,
    /// The `Host` header.
    pub authority: String,
    /// Path and query, percent-encoded; it begins with `/`.
    pub target: String,
    /// All other headers: the name in lower case, and its value. A name may come several times.
    pub headers: Vec<(String, String)>,
}

/// Scheme of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme.as_str()))
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Where the answer's `Location` leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// On the same host: to be asked next.
    To(HttpGet),
    /// To another host, which is not asked: the answer stands as it is.
    OtherHost,
    /// Nowhere; why, for people.
    Invalid(String),
}

impl HttpGet {
    /// The request that the fields mean, to `at`.
    ///
    /// # Errors
    /// What cannot be sent, for people.
    pub(super) fn read(get: &HTTPGetAction, at: Endpoint) -> Result<Self, String> {
        let scheme = get.scheme.as_deref().filter(|scheme| !scheme.is_empty());
        let scheme = match scheme {
            None => Scheme::Http,
            Some(text) => Scheme::parse(text)
                .ok_or_else(|| format!("httpGet.scheme {text:?} is neither HTTP nor HTTPS"))?,
        };
        let target = encode(get.path.as_deref().unwrap_or_default());
        if target.len() > MAX_TARGET {
            return Err(format!("httpGet.path is longer than {MAX_TARGET} bytes"));
        }
        let mut request = Self { scheme, authority: at.to_string(), at, target, headers: Vec::new() };
        let mut size = 0;
        for HTTPHeader { name, value } in get.http_headers.iter().flatten() {
            size += name.len() + value.len();
            request.add(name, value)?;
        }
        if size > MAX_HEADERS {
            return Err(format!("httpGet.httpHeaders are longer than {MAX_HEADERS} bytes together"));
        }
        Ok(request)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        if !is_token(name) {
            return Err(format!("httpGet.httpHeaders: {name:?} is no name of a header"));
        }
        // The client sends no white space at the ends of a value either.
        let value = value.trim_matches([' ', '\t']);
        if value.bytes().any(|b| b != b'\t' && b.is_ascii_control()) {
            return Err(format!("httpGet.httpHeaders: the value of {name} has a control character"));
        }
        let name = name.to_ascii_lowercase();
        if name == "host" {
            if !value.is_empty() {
                if !value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:[]".contains(&b)) {
                    return Err(format!("httpGet.httpHeaders: Host {value:?} is no host"));
                }
                value.clone_into(&mut self.authority);
            }
        } else if !FRAMING.contains(&name.as_str()) {
            self.headers.push((name, value.to_owned()));
        }
        Ok(())
    }

    /// Where `location` leads from here. A relative one keeps the `Host` header, as Go's client does.
    #[must_use]
    pub fn redirected(&self, location: &str) -> Redirect {
        let location = location.trim();
        let location = location.split_once('#').map_or(location, |(before, _)| before);
        let invalid = |why: &str| {
            let location: String = location.chars().take(100).collect();
            Redirect::Invalid(format!("redirected to {location:?}, {why}"))
        };
        let mut next = self.clone();
        let (scheme, rest) = scheme_of(location);
        let (base, reference) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (authority, path) = rest.split_at(end);
                let Some((host, port)) = parse_authority(authority) else {
                    return invalid("which is no URL");
                };
                if host != self.at.host {
                    return Redirect::OtherHost;
                }
                if let Some(scheme) = scheme {
                    let Some(scheme) = Scheme::parse(scheme) else {
                        return invalid("which is neither http nor https");
                    };
                    next.scheme = scheme;
                    next.authority = match port {
                        Some(port) => Endpoint { host, port }.to_string(),
                        None => host.to_string(),
                    };
                }
                next.at.port = port.unwrap_or(next.scheme.default_port());
                ("/", path)
            }
            // mailto: and the like name no host, which makes it another one.
            None if scheme.is_some() => return Redirect::OtherHost,
            None => (self.target.as_str(), rest),
        };
        next.target = resolve(base, reference);
        if next.target.len() > MAX_TARGET {
            return invalid("which is too long");
        }
        if !(self.scheme == Scheme::Https && next.scheme == Scheme::Http) {
            next.headers.retain(|(name, _)| name != "referer");
            next.headers.push(("referer".to_owned(), self.url()));
        }
        Redirect::To(next)
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme.as_str(), self.at, self.target)
    }
}

/// Whether HTTP calls it a token.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// The scheme of a reference, if it has one, and what follows its colon.
fn scheme_of(reference: &str) -> (Option<&str>, &str) {
    let scheme = reference.split_once(':').filter(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    });
    scheme.map_or((None, reference), |(scheme, rest)| (Some(scheme), rest))
}

/// Host and port of `[user@]host[:port]`.
fn parse_authority(text: &str) -> Option<(Host, Option<u16>)> {
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let after_brackets = text.rfind(']').map_or(0, |at| at + 1);
    let colon = text.get(after_brackets..)?.rfind(':').map(|at| after_brackets + at);
    let (host, port) = match colon {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, ""),
    };
    let port = match port {
        "" => None,
        digits => Some(digits.parse().ok().filter(|port| *port > 0)?),
    };
    Some((Host::parse(host)?, port))
}

/// The target of a relative reference (RFC 3986, section 5.2), seen from `base`.
fn resolve(base: &str, reference: &str) -> String {
    let base_path = base.split_once('?').map_or(base, |(path, _)| path);
    if reference.is_empty() {
        return base.to_owned();
    }
    if reference.starts_with('?') {
        return format!("{base_path}{}", encode(reference).trim_start_matches('/'));
    }
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let folder = if path.starts_with('/') { "" } else { &base_path[..=base_path.rfind('/').unwrap_or(0)] };
    let mut target = without_dots(&format!("{folder}{path}"));
    if let Some(query) = query {
        target.push('?');
        target.push_str(query);
    }
    encode(&target)
}

/// The path with its `.` and `..` parts resolved.
fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut all = path.split('/').skip(1).peekable();
    while let Some(part) = all.next() {
        let last = all.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    parts.pop();
                }
                if last {
                    parts.push("");
                }
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Path and query as they are sent: with a `/` in front, without a fragment, and all that may not stand there
/// percent-encoded. What is encoded already stays so.
fn encode(text: &str) -> String {
    let text = text.split_once('#').map_or(text, |(before, _)| before);
    let mut target = String::with_capacity(text.len() + 1);
    if !text.starts_with('/') {
        target.push('/');
    }
    let bytes = text.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    for (at, byte) in bytes.iter().enumerate() {
        let escape = *byte == b'%' && is_hex(at + 1) && is_hex(at + 2);
        if escape || byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(byte) {
            target.push(char::from(*byte));
        } else {
            target.push_str(&format!("%{byte:02X}"));
        }
    }
    target
}

#[cfg(test)]
#[path = "http_get_tests.rs"]
pub(super) mod tests;
