//! How each kind of probe is asked, and what is said of those that cannot be.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::Host, *};

fn pod() -> Pod {
    serde_json::from_value(json!({
        "spec": {
            "containers": [
                {"name": "game", "ports": [
                    {"name": "web", "containerPort": 8080}, {"name": "query", "containerPort": 27015, "protocol": "UDP"},
                    {"containerPort": 7777}, {"name": "80", "containerPort": 8081},
                ]},
                {"name": "log"},
            ],
            "initContainers": [{"name": "mesh", "restartPolicy": "Always", "ports": [{"name": "admin", "containerPort": 15000}]}],
        },
        "status": {"podIP": "10.0.0.5"},
    }))
    .unwrap()
}

fn quality(probe: Value) -> ServiceQuality {
    let mut quality = json!({"name": "q", "containerName": "game"});
    quality.as_object_mut().unwrap().extend(probe.as_object().unwrap().clone());
    serde_json::from_value(quality).unwrap()
}

fn asked(probe: Value) -> Result<Option<Handler>, String> {
    handler(&pod(), &quality(probe), Hosts::PodsOnly)
}

fn at(port: u16) -> Endpoint {
    Endpoint { host: Host::Address("10.0.0.5".parse().unwrap()), port }
}

#[test]
fn each_kind_is_asked_in_its_way() {
    let exec = asked(json!({"exec": {"command": ["bash", "./idle.sh"]}}));
    assert_eq!(exec, Ok(Some(Handler::Exec(vec!["bash".to_owned(), "./idle.sh".to_owned()]))));
    assert_eq!(asked(json!({"tcpSocket": {"port": 7777}})), Ok(Some(Handler::Tcp(at(7777)))));
    for (grpc, service) in [
        (json!({"port": 9000}), ""),
        (json!({"port": 9000, "service": ""}), ""),
        (json!({"port": 9000, "service": "game"}), "game"),
    ] {
        let expected = Handler::Grpc { at: at(9000), service: service.to_owned() };
        assert_eq!(asked(json!({"grpc": grpc})), Ok(Some(expected)));
    }
    let Ok(Some(Handler::Http(get))) = asked(json!({"httpGet": {"port": 8080}})) else {
        panic!("no request");
    };
    assert_eq!(get.url(), "http://10.0.0.5:8080/");
    assert_eq!(get.authority, "10.0.0.5:8080");
    assert_eq!(get.headers, []);
}

#[test]
fn a_port_is_a_number_or_a_name_that_the_container_declares() {
    for (container, port, expected) in [
        ("game", json!(1), Ok(1)),
        ("game", json!(65535), Ok(65535)),
        ("game", json!("web"), Ok(8080)),
        ("game", json!("query"), Ok(27015)),
        ("game", json!("8443"), Ok(8443)),
        ("game", json!("80"), Ok(8081)),
        ("mesh", json!("admin"), Ok(15000)),
        ("game", json!(0), Err("port 0 is not between 1 and 65535")),
        ("game", json!(-1), Err("port -1 is not between 1 and 65535")),
        ("game", json!(65536), Err("port 65536 is not between 1 and 65535")),
        ("game", json!("70000"), Err("port 70000 is not between 1 and 65535")),
        (
            "game",
            json!("wbe"),
            Err(
                "port: container \"game\" declares no port named \"wbe\"; it has web (8080), query (27015), 80 (8081)",
            ),
        ),
        (
            "game",
            json!("WEB"),
            Err(
                "port: container \"game\" declares no port named \"WEB\"; it has web (8080), query (27015), 80 (8081)",
            ),
        ),
        ("log", json!("web"), Err("port: container \"log\" declares no port named \"web\"; it names none")),
        ("log", json!(""), Err("port: container \"log\" declares no port named \"\"; it names none")),
    ] {
        for kind in ["httpGet", "tcpSocket"] {
            let quality = quality(json!({"containerName": container, kind: {"port": port}}));
            let port_of = |handler| match handler {
                Some(Handler::Http(get)) => get.at.port,
                Some(Handler::Tcp(at)) => at.port,
                other => panic!("{other:?}"),
            };
            let found = handler(&pod(), &quality, Hosts::PodsOnly).map(port_of);
            assert_eq!(found, expected.map_err(|why| format!("{kind}.{why}")), "{container} {port}");
        }
    }
    for port in [0, 65536, -1] {
        let why = format!("grpc.port {port} is not between 1 and 65535");
        assert_eq!(asked(json!({"grpc": {"port": port}})), Err(why));
    }
}

#[test]
fn what_cannot_be_asked_is_said() {
    let port = json!({"port": 80});
    for (probe, expected) in [
        (json!({}), "there is no probe: say exec, httpGet, tcpSocket or grpc"),
        (
            json!({"exec": {"command": ["x"]}, "httpGet": port}),
            "there are several probes, exec and httpGet: say one",
        ),
        (
            json!({"grpc": port, "httpGet": port, "tcpSocket": port}),
            "there are several probes, httpGet and tcpSocket and grpc: say one",
        ),
        (json!({"exec": {"command": []}}), "exec has no command"),
        (json!({"exec": {}}), "exec has no command"),
        (
            json!({"containerName": "gmae", "tcpSocket": port}),
            "the pod has no container \"gmae\"; it has game, log",
        ),
        (
            json!({"httpGet": {"port": 80, "scheme": "FTP"}}),
            "httpGet.scheme \"FTP\" is neither HTTP nor HTTPS",
        ),
        (
            json!({"httpGet": {"port": 80, "host": "a b"}}),
            "httpGet.host \"a b\" is neither an IP address nor a DNS name",
        ),
        (
            json!({"tcpSocket": {"port": 80, "host": "10.0.0.9"}}),
            "tcpSocket.host \"10.0.0.9\" is not the pod's own address, and others are not asked (the controller's \
             option --probe-hosts); leave it out",
        ),
    ] {
        assert_eq!(asked(probe.clone()), Err(expected.to_owned()), "{probe}");
    }
}

#[test]
fn while_the_pod_has_no_address_only_commands_and_other_hosts_are_asked() {
    let mut pod = pod();
    pod.status = None;
    let ask = |probe: Value, hosts| handler(&pod, &quality(probe), hosts);
    for hosts in [Hosts::PodsOnly, Hosts::Any] {
        assert_eq!(ask(json!({"httpGet": {"port": 80}}), hosts), Ok(None));
        assert_eq!(ask(json!({"tcpSocket": {"port": 80}}), hosts), Ok(None));
        assert_eq!(ask(json!({"grpc": {"port": 80}}), hosts), Ok(None));
        assert!(matches!(ask(json!({"exec": {"command": ["x"]}}), hosts), Ok(Some(Handler::Exec(_)))));
        assert!(ask(json!({"httpGet": {"port": 80, "scheme": "FTP"}}), hosts).is_err(), "said at once");
    }
    let other = json!({"tcpSocket": {"port": 80, "host": "example.com"}});
    let expected = Endpoint { host: Host::Name("example.com".to_owned()), port: 80 };
    assert_eq!(ask(other, Hosts::Any), Ok(Some(Handler::Tcp(expected))));
}

fn port() -> impl Strategy<Value = Value> {
    prop_oneof![any::<i32>().prop_map(|n| json!(n)), "\\PC{0,8}".prop_map(|text| json!(text))]
}

proptest! {
    // Whatever people write: it is asked in bounds, or said.
    #[test]
    fn no_probe_panics_or_leaves_its_bounds(
        port in port(),
        host in proptest::option::of(prop_oneof![".{0,20}", "[0-9a-f:.\\[\\]]{0,20}"]),
        path in proptest::option::of(".{0,40}"),
        scheme in proptest::option::of(prop_oneof![Just("HTTP".to_owned()), Just("HTTPS".to_owned()), ".{0,5}"]),
        headers in proptest::collection::vec((prop_oneof!["[A-Za-z-]{1,10}", ".{0,8}"], ".{0,20}"), 0..6),
        any_host: bool,
        location in ".{0,40}",
    ) {
        let headers: Vec<Value> =
            headers.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let quality = quality(json!({"httpGet": {
            "port": port, "host": host, "path": path, "scheme": scheme, "httpHeaders": headers,
        }}));
        let hosts = if any_host { Hosts::Any } else { Hosts::PodsOnly };
        if let Ok(Some(Handler::Http(get))) = handler(&pod(), &quality, hosts) {
            super::super::http_get::tests::assert_sendable(&get);
            if let super::super::Redirect::To(next) = get.redirected(&location) {
                super::super::http_get::tests::assert_sendable(&next);
                prop_assert_eq!(next.at.host, get.at.host);
            }
        }
    }
}
