//! Whom a probe may ask.
//!
//! The controller can reach what the author of a set cannot: a `host` field would have it fetch pages of any
//! network it is in, and show them as results. Kubernetes' Pod Security Standards forbid the field for that
//! reason (level Baseline, since 1.34), and OpenKruise refuses it. So the default is the pod and nothing else.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use k8s_openapi::api::core::v1::Pod;

/// Which hosts the `host` fields of probes may name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hosts {
    /// The pod's own addresses.
    #[default]
    PodsOnly,
    /// Any host but those of [`is_never_asked`].
    Any,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// Its address.
    Address(IpAddr),
    /// Its DNS name, in lower case.
    Name(String),
}

/// A host and a port. It is shown as in a URL: IPv6 addresses in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

impl Host {
    /// Stands for the address that a pod does not have yet.
    pub(super) const NOWHERE: Self = Self::Address(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    /// The host that the text means: an address, IPv6 also in brackets, or a DNS name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        if let Some(address) = bracketed {
            return address.parse().ok().map(|address| Self::Address(IpAddr::V6(address)));
        }
        if let Ok(address) = text.parse() {
            return Some(Self::Address(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_name = (1..=253).contains(&name.len())
            && name.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            });
        is_name.then(|| Self::Name(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The host that a probe of `pod` asks: `wanted`, or the pod's own address, which it may not have yet
/// (`None`).
pub(super) fn host_of(
    pod: &Pod,
    field: &str,
    wanted: Option<&str>,
    hosts: Hosts,
) -> Result<Option<Host>, String> {
    let own = addresses(pod);
    let Some(text) = wanted.filter(|text| !text.is_empty()) else {
        return Ok(own.first().copied().map(Host::Address));
    };
    let Some(host) = Host::parse(text) else {
        return Err(format!("{field} {text:?} is neither an IP address nor a DNS name"));
    };
    match (&host, hosts) {
        (Host::Address(address), _) if own.contains(address) => Ok(Some(host)),
        // Which addresses the pod will have is not known yet.
        (_, Hosts::PodsOnly) if own.is_empty() => Ok(None),
        (_, Hosts::PodsOnly) => Err(format!(
            "{field} {text:?} is not the pod's own address, and others are not asked (the controller's option \
             --probe-hosts); leave it out"
        )),
        (Host::Address(address), Hosts::Any) if is_never_asked(*address) => Err(format!(
            "{field} {text:?} is an address of the controller's own node or link, which is never asked"
        )),
        (_, Hosts::Any) => Ok(Some(host)),
    }
}

/// The pod's addresses, the main one first.
fn addresses(pod: &Pod) -> Vec<IpAddr> {
    let Some(status) = &pod.status else {
        return Vec::new();
    };
    let all = status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str());
    status.pod_ip.as_deref().into_iter().chain(all).filter_map(|ip| ip.parse().ok()).collect()
}

/// Addresses that mean the asking machine itself or its link, where clouds keep their metadata service. No
/// `host` leads there, by whatever name.
#[must_use]
pub fn is_never_asked(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_never_asked_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(address) => is_never_asked_v4(address),
            None => {
                address.is_loopback()
                    || address.is_unspecified()
                    || address.is_multicast()
                    || address.is_unicast_link_local()
                    // Amazon's metadata service.
                    || address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
            }
        },
    }
}

fn is_never_asked_v4(address: Ipv4Addr) -> bool {
    address.is_loopback()
        // All of 0.0.0.0/8 is "this host".
        || address.octets()[0] == 0
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        // Alibaba's metadata service.
        || address == Ipv4Addr::new(100, 100, 100, 200)
}

/// The IPv4 address within a mapped one, or one that NAT64 translates.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, rest @ .., high, low] = address.segments();
    let nat64 = a == 0x64 && b == 0xff9b && rest == [0; 4];
    let [c, d, e, f] = [high.to_be_bytes(), low.to_be_bytes()].concat()[..] else {
        return None;
    };
    if nat64 { Some(Ipv4Addr::new(c, d, e, f)) } else { address.to_ipv4_mapped() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: serde_json::Value) -> Pod {
        serde_json::from_value(json!({"status": status})).unwrap()
    }

    fn asked(
        status: serde_json::Value,
        wanted: Option<&str>,
        hosts: Hosts,
    ) -> Result<Option<String>, String> {
        host_of(&pod(status), "httpGet.host", wanted, hosts).map(|host| host.map(|host| host.to_string()))
    }

    #[test]
    fn without_a_host_the_pods_main_address_is_asked_once_it_has_one() {
        for (status, expected) in [
            (json!({}), None),
            (json!({"podIP": ""}), None),
            (json!({"podIP": "10.0.0.5"}), Some("10.0.0.5")),
            (
                json!({"podIP": "fd00::5", "podIPs": [{"ip": "fd00::5"}, {"ip": "10.0.0.5"}]}),
                Some("[fd00::5]"),
            ),
            (json!({"podIPs": [{"ip": "10.0.0.6"}]}), Some("10.0.0.6")),
        ] {
            for wanted in [None, Some("")] {
                let expected = Ok(expected.map(str::to_owned));
                assert_eq!(asked(status.clone(), wanted, Hosts::PodsOnly), expected, "{status}");
            }
        }
        let none: Pod = Pod::default();
        assert_eq!(host_of(&none, "x", None, Hosts::Any), Ok(None));
    }

    #[test]
    fn by_default_a_host_is_the_pods_own_address_or_refused() {
        let status = json!({"podIP": "10.0.0.5", "podIPs": [{"ip": "10.0.0.5"}, {"ip": "fd00::5"}]});
        for own in ["10.0.0.5", "fd00::5", "[fd00::5]"] {
            assert!(asked(status.clone(), Some(own), Hosts::PodsOnly).unwrap().is_some(), "{own}");
        }
        for other in ["10.0.0.6", "example.com", "169.254.169.254", "localhost"] {
            assert_eq!(
                asked(status.clone(), Some(other), Hosts::PodsOnly),
                Err(format!(
                    "httpGet.host {other:?} is not the pod's own address, and others are not asked (the \
                     controller's option --probe-hosts); leave it out"
                ))
            );
            assert_eq!(asked(json!({}), Some(other), Hosts::PodsOnly), Ok(None), "not known yet");
        }
    }

    #[test]
    fn where_any_host_is_allowed_the_controllers_own_surroundings_are_not() {
        for (text, expected) in [
            ("example.com", "example.com"),
            ("Example.COM.", "example.com."),
            ("my_service", "my_service"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "[2001:db8::1]"),
        ] {
            assert_eq!(asked(json!({}), Some(text), Hosts::Any), Ok(Some(expected.to_owned())), "{text}");
        }
        for own in [
            "127.0.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "[::ffff:169.254.169.254]",
            "64:ff9b::a9fe:a9fe",
            "fd00:ec2::254",
            "100.100.100.200",
        ] {
            assert_eq!(
                asked(json!({"podIP": "10.0.0.5"}), Some(own), Hosts::Any),
                Err(format!(
                    "httpGet.host {own:?} is an address of the controller's own node or link, which is never asked"
                ))
            );
        }
    }

    #[test]
    fn what_is_no_host_is_said() {
        let long = "a".repeat(64);
        for text in
            ["a b", "a/b", "a:80", "user@host", "[10.0.0.5]", "[::1", "a..b", ".", "fe80::1%eth0", "é", &long]
        {
            for hosts in [Hosts::PodsOnly, Hosts::Any] {
                assert_eq!(
                    asked(json!({"podIP": "10.0.0.5"}), Some(text), hosts),
                    Err(format!("httpGet.host {text:?} is neither an IP address nor a DNS name"))
                );
            }
        }
    }
}
