//! What is sent for which fields, and where redirects lead.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn read(fields: Value) -> Result<HttpGet, String> {
    let mut get = json!({"port": 8080});
    get.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let get: HTTPGetAction = serde_json::from_value(get).unwrap();
    HttpGet::read(&get, Endpoint { host: Host::Address("10.0.0.5".parse().unwrap()), port: 8080 })
}

/// Nothing in it can end a line or is out of bounds.
pub(in super::super) fn assert_sendable(get: &HttpGet) {
    assert!(get.target.starts_with('/') && get.target.len() <= MAX_TARGET, "{:?}", get.target);
    assert!(get.target.bytes().all(|b| b.is_ascii_graphic()), "{:?}", get.target);
    assert!(get.authority.bytes().all(|b| b.is_ascii_graphic()), "{:?}", get.authority);
    for (name, value) in &get.headers {
        assert!(is_token(name), "{name:?}");
        assert!(!value.bytes().any(|b| b != b'\t' && b.is_ascii_control()), "{value:?}");
        assert_ne!(name, "host");
    }
    assert!(get.at.port > 0);
}

#[test]
fn scheme_and_path_have_kubelets_defaults() {
    for (fields, url) in [
        (json!({}), "http://10.0.0.5:8080/"),
        (json!({"scheme": "", "path": ""}), "http://10.0.0.5:8080/"),
        (json!({"scheme": "HTTP"}), "http://10.0.0.5:8080/"),
        (json!({"scheme": "HTTPS", "path": "/healthz"}), "https://10.0.0.5:8080/healthz"),
        (json!({"path": "healthz"}), "http://10.0.0.5:8080/healthz"),
        (json!({"path": "/a?b=c&d"}), "http://10.0.0.5:8080/a?b=c&d"),
        (json!({"path": "?b"}), "http://10.0.0.5:8080/?b"),
        (json!({"path": "/a#b?c"}), "http://10.0.0.5:8080/a"),
        (json!({"path": "/a b/ü"}), "http://10.0.0.5:8080/a%20b/%C3%BC"),
        (json!({"path": "/a%20b%2Fc"}), "http://10.0.0.5:8080/a%20b%2Fc"),
        (json!({"path": "/100%"}), "http://10.0.0.5:8080/100%25"),
        (json!({"path": "/%zz"}), "http://10.0.0.5:8080/%25zz"),
        (json!({"path": "/a?b c"}), "http://10.0.0.5:8080/a?b%20c"),
        (json!({"path": "/ HTTP/1.1\r\nX: y"}), "http://10.0.0.5:8080/%20HTTP/1.1%0D%0AX:%20y"),
        (json!({"path": "//other/x"}), "http://10.0.0.5:8080//other/x"),
    ] {
        assert_eq!(read(fields.clone()).unwrap().url(), url, "{fields}");
    }
    let long = "x".repeat(9000);
    assert_eq!(read(json!({"path": long})), Err("httpGet.path is longer than 8192 bytes".to_owned()));
}

#[test]
fn headers_are_sent_in_their_order_and_host_names_the_host() {
    let headers = json!([
        {"name": "X-Token", "value": " a "}, {"name": "x-token", "value": "b"}, {"name": "HOST", "value": "game.example:1"},
        {"name": "Content-Length", "value": "7"}, {"name": "Transfer-Encoding", "value": "chunked"},
        {"name": "Accept", "value": ""}, {"name": "X-Umlaut", "value": "ü\tx"},
    ]);
    let get = read(json!({"httpHeaders": headers})).unwrap();
    assert_eq!(get.authority, "game.example:1");
    let sent: Vec<(&str, &str)> = get.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(sent, [("x-token", "a"), ("x-token", "b"), ("accept", ""), ("x-umlaut", "ü\tx")]);
    let empty = read(json!({"httpHeaders": [{"name": "Host", "value": ""}]})).unwrap();
    assert_eq!(empty.authority, "10.0.0.5:8080");
}

#[test]
fn headers_that_cannot_be_sent_are_refused() {
    for (name, value, why) in [
        ("", "x", "\"\" is no name of a header"),
        ("a b", "x", "\"a b\" is no name of a header"),
        ("a:", "x", "\"a:\" is no name of a header"),
        ("X\r\nY", "x", "\"X\\r\\nY\" is no name of a header"),
        ("X", "a\r\nY: b", "the value of X has a control character"),
        ("X", "\u{7f}", "the value of X has a control character"),
        ("Host", "a/b", "Host \"a/b\" is no host"),
        ("Host", "a b", "Host \"a b\" is no host"),
    ] {
        let refused = read(json!({"httpHeaders": [{"name": name, "value": value}]}));
        assert_eq!(refused, Err(format!("httpGet.httpHeaders: {why}")), "{name:?}: {value:?}");
    }
    let many = vec![json!({"name": "X", "value": "y".repeat(1000)}); 20];
    assert_eq!(
        read(json!({"httpHeaders": many})),
        Err("httpGet.httpHeaders are longer than 16384 bytes together".to_owned())
    );
}

/// Where a redirect from `http://10.0.0.5:8080/a/b?c` leads: URL and Host header.
fn from(location: &str) -> String {
    let get = read(json!({"path": "/a/b?c", "httpHeaders": [{"name": "Host", "value": "game"}]})).unwrap();
    match get.redirected(location) {
        Redirect::To(next) => format!("{} {}", next.url(), next.authority),
        Redirect::OtherHost => "other host".to_owned(),
        Redirect::Invalid(why) => why,
    }
}

#[test]
fn a_redirect_on_the_same_host_is_followed() {
    for (location, expected) in [
        ("/x", "http://10.0.0.5:8080/x game"),
        ("/x?y#z", "http://10.0.0.5:8080/x?y game"),
        ("x", "http://10.0.0.5:8080/a/x game"),
        ("./x/", "http://10.0.0.5:8080/a/x/ game"),
        ("../x", "http://10.0.0.5:8080/x game"),
        ("../../../x/..", "http://10.0.0.5:8080/ game"),
        ("?y", "http://10.0.0.5:8080/a/b?y game"),
        ("", "http://10.0.0.5:8080/a/b?c game"),
        ("#z", "http://10.0.0.5:8080/a/b?c game"),
        ("/ü x", "http://10.0.0.5:8080/%C3%BC%20x game"),
        ("http://10.0.0.5:8080/x", "http://10.0.0.5:8080/x 10.0.0.5:8080"),
        // Another port or scheme is still the same host, to kubelet too.
        ("http://10.0.0.5/x", "http://10.0.0.5:80/x 10.0.0.5"),
        ("https://10.0.0.5", "https://10.0.0.5:443/ 10.0.0.5"),
        ("HTTPS://user:word@10.0.0.5:8443?y", "https://10.0.0.5:8443/?y 10.0.0.5:8443"),
        ("//10.0.0.5:81/x", "http://10.0.0.5:81/x game"),
        (" /x ", "http://10.0.0.5:8080/x game"),
    ] {
        assert_eq!(from(location), expected, "{location:?}");
    }
}

#[test]
fn a_redirect_to_another_host_is_not_followed_and_to_no_url_is_a_failure() {
    for location in [
        "http://10.0.0.6/",
        "http://game/",
        "https://localhost:8080/x",
        "//example.com",
        "mailto:x@y",
        "ftp://other/",
    ] {
        assert_eq!(from(location), "other host", "{location:?}");
    }
    for (location, why) in [
        ("http://", "which is no URL"),
        ("http://10.0.0.5:0/", "which is no URL"),
        ("http://10.0.0.5:99999/", "which is no URL"),
        ("http://a b/", "which is no URL"),
        ("ftp://10.0.0.5/", "which is neither http nor https"),
    ] {
        assert_eq!(from(location), format!("redirected to {location:?}, {why}"));
    }
    let long = format!("/{}", "x".repeat(9000));
    assert!(from(&long).ends_with("which is too long"));
}

#[test]
fn the_next_request_tells_where_it_comes_from_unless_that_was_secret() {
    let referer = |scheme: &str, location: &str| {
        let get = read(json!({"scheme": scheme, "path": "/a"})).unwrap();
        let Redirect::To(next) = get.redirected(location) else {
            panic!("{location}");
        };
        next.headers
    };
    let header = |url: &str| vec![("referer".to_owned(), url.to_owned())];
    assert_eq!(referer("HTTP", "/b"), header("http://10.0.0.5:8080/a"));
    assert_eq!(referer("HTTP", "https://10.0.0.5/b"), header("http://10.0.0.5:8080/a"));
    assert_eq!(referer("HTTPS", "http://10.0.0.5/b"), vec![]);
}

proptest! {
    #[test]
    fn what_is_sent_can_be_sent(
        path in ".{0,60}",
        name in prop_oneof!["[A-Za-z-]{1,10}", "\\PC{0,8}"],
        value in ".{0,30}",
        locations in proptest::collection::vec(prop_oneof![".{0,40}", "(http:)?//10.0.0.5(:[0-9]{0,6})?.{0,20}", "[./a?#]{0,12}"], 0..5),
    ) {
        let Ok(mut get) = read(json!({"path": path, "httpHeaders": [{"name": name, "value": value}]})) else {
            return Ok(());
        };
        for location in locations {
            assert_sendable(&get);
            match get.redirected(&location) {
                Redirect::To(next) => get = next,
                Redirect::OtherHost | Redirect::Invalid(_) => {}
            }
        }
        assert_sendable(&get);
    }

    #[test]
    fn encoding_twice_changes_nothing(path in ".{0,60}") {
        let once = encode(&path);
        prop_assert_eq!(encode(&once), once);
    }
}
