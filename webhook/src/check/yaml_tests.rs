//! Tests of how YAML is read.

use serde_json::json;

use super::*;

/// The values, and the line and message of what is wrong.
fn read(text: &str) -> (Vec<Value>, Vec<(usize, String)>) {
    let (documents, unreadable) = documents(text);
    let remarks = documents.iter().flat_map(|document| &document.remarks);
    let remarks = remarks.map(|remark| (remark.line, format!("{}: {}", remark.path, remark.message)));
    let wrong = remarks.chain(unreadable.iter().map(|error| (error.line, error.message.clone()))).collect();
    (documents.iter().map(|document| document.root.value()).collect(), wrong)
}

fn value(text: &str) -> Value {
    let (mut values, wrong) = read(text);
    assert_eq!((values.len(), wrong), (1, Vec::new()), "{text}");
    values.remove(0)
}

/// The line and message of the one thing that is wrong.
fn wrong(text: &str) -> (usize, String) {
    let (_, mut wrong) = read(text);
    assert_eq!(wrong.len(), 1, "{text}: {wrong:?}");
    wrong.remove(0)
}

#[test]
fn a_document_is_what_kubectl_reads() {
    let table = [
        ("a: yes\nb: 'yes'\nc: |\n  5\non: 0555\n", json!({"a": true, "b": "yes", "c": "5\n", "true": 365})),
        ("\u{feff}a: 1\r\nb: |\r\n  x\r\n  y\r\n", json!({"a": 1, "b": "x\ny\n"})),
        ("ä: 1\na:\tb\nb:\t\n  - c\t\nd: {e: \t-1}\n", json!({"ä": 1, "a": "b", "b": ["c"], "d": {"e": -1}})),
        ("a: &x [1, {b: c}]\nd: *x\n", json!({"a": [1, {"b": "c"}], "d": [1, {"b": "c"}]})),
        ("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", json!({"a": 1, "b": 1, "c": 2, "d": 2})),
        ("&k a: *k\nx: {*k : 1}\n", json!({"a": "a", "x": {"a": 1}})),
        ("a: [\n  b\n]\nc:\n- d\n", json!({"a": ["b"], "c": ["d"]})),
        ("? a\n: 1\n", json!({"a": 1})),
        ("a: &q\nb: *q\n", json!({"a": null, "b": null})),
    ];
    for (text, wanted) in table {
        assert_eq!(value(text), wanted, "{text}");
    }
}

#[test]
fn maps_are_merged() {
    let quality = "q: &q {a: 1, b: 2}\nr: &r {b: 5, c: 7}\n";
    let table = [
        ("<<: *q\n  a: 9", json!({"a": 9, "b": 2})),
        ("<<: [*q, *r]\n  d: 1", json!({"a": 1, "b": 2, "c": 7, "d": 1})),
        ("<<: *q\n  <<: *r", json!({"a": 1, "b": 5, "c": 7})),
        ("a: 1\n  <<: *q", json!({"a": 1, "b": 2})),
        ("'<<': 5", json!({"<<": 5})),
    ];
    for (text, wanted) in table {
        assert_eq!(value(&format!("{quality}x:\n  {text}\n"))["x"], wanted, "{text}");
    }
    let text = format!("{quality}x:\n  a: 9\n  <<: *q\n");
    assert_eq!(read(&text).0[0]["x"], json!({"a": 1, "b": 2}));
    assert_eq!(wrong(&text), (5, "x.a: kubectl takes a from the << after it; write << first".to_owned()));
    for text in ["x: {<<: 5}", "x: {<<: [5]}", "x: {<<: }", "l: &l [{}]\nx: {<<: *l}"] {
        let line = text.lines().count();
        let message = "cannot be read: x: << has to have a map, or a list of maps";
        assert_eq!(wrong(text), (line, message.to_owned()));
    }
}

#[test]
fn a_key_that_is_there_twice_is_told() {
    let text = "a:\n  - b.c: 1\n    on: 1\n    b.c: 2\n    true: 3\n";
    let (values, wrong) = read(text);
    assert_eq!(values, [json!({"a": [{"b.c": 2, "true": 3}]})]);
    let rest = "is there twice, and kubectl takes the last; leave one of them";
    let wanted = [(4, format!("a[0][b.c]: b.c {rest}")), (5, format!("a[0].true: true {rest}"))];
    assert_eq!(wrong, wanted);
}

#[test]
fn documents_are_taken_apart_by_lines() {
    let numbers =
        |text: &str| -> Vec<usize> { documents(text).0.iter().map(|document| document.number).collect() };
    assert_eq!(numbers("# c\n---\na: 1\n---\n---  # c\n\n---\t\r\nb: |\n  ---\n"), [1, 4]);
    assert_eq!(numbers("a: 1\n---\n"), [1]);
    assert!(numbers("---\n# c\n---\n~\n---\nnull\n").is_empty());
}

#[test]
fn a_broken_document_leaves_the_others() {
    let text = "a: 1\n---\nb: [\n---\nc: &c 1\n---\nd: *c\n---\n\u{feff}e: \u{7}\n---\nf: 1\n";
    let (values, wrong) = read(text);
    assert_eq!(values, [json!({"a": 1}), json!({"c": 1}), json!({"f": 1})]);
    assert_eq!(wrong.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 7, 9]);
    assert_eq!(wrong[2].1, "cannot be read: has the control character '\\u{7}'");
}

#[test]
fn what_kubectl_refuses_is_refused() {
    let table = [
        ("a: 1\n--- {b: 1}\n", 2, "--- has to stand on a line of its own; kubectl takes nothing after it"),
        ("a: 1\n...\nb: 1\n", 3, "kubectl reads nothing after \"...\"; begin a document with ---"),
        ("kind:List\n", 1, "\"kind:List\" is no object; write \"key: value\", with the space"),
        ("a:\n  b: .inf\n", 2, "a.b: .inf is no number that JSON has"),
        ("a:\n  - !!int x\n", 2, "a[0]: \"x\" is no !!int"),
        ("a:\n  ~: 1\n", 2, "a: a key is missing or null; write it in quotes if it is text"),
        ("a: &a\n  - *a\n", 2, "a[0]: an alias within what it stands for"),
        ("a:\n  [b]: 1\n", 2, "a: a key has to be text"),
        (
            "a:\n  b: {{ .Result }}\n",
            2,
            "a.b: a key has to be text; a template has to stand in quotes: '{{ … }}'",
        ),
    ];
    for (text, line, message) in table {
        assert_eq!(wrong(text), (line, format!("cannot be read: {message}")), "{text}");
    }
    let (line, message) = wrong("a: 1\nb: {{ .A }}-{{ .B }}\n");
    assert_eq!(line, 2);
    assert!(message.ends_with("; a template has to stand in quotes: '{{ … }}'"), "{message}");
}

#[test]
fn json_is_read_as_json() {
    let text = "{\n\t\"a\": \"\\ud83d\\ude00\\/\",\n\t\"b\": 1.0\n}\n{\"c\": 1}\n---\nd: 1\n";
    let (values, wrong) = read(text);
    assert_eq!(values, [json!({"a": "😀/", "b": 1.0}), json!({"c": 1}), json!({"d": 1})]);
    assert_eq!(wrong, []);
    assert_eq!(value("{a: 1}\n"), json!({"a": 1}));
    let (documents, _) = documents("{\"a\": {\n\"b\": 1,\n\t\"c\": 2}}\n\n{\"c\": 1}");
    assert_eq!(path::line(&documents[0].root, "a.c"), 3);
    assert_eq!(path::line(&documents[1].root, "c"), 5);
}

#[test]
fn a_file_that_would_take_all_memory_ends_with_an_error() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let last = level - 1;
        text += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{last}"); 10].join(", "));
    }
    let (line, message) = wrong(&text);
    assert_eq!(line, 6);
    assert!(message.ends_with(": aliases write the document out to more than 16 MiB"), "{message}");
    // Long text, and maps that are merged.
    let long = format!("a: &a {{b: {}}}\nc:\n{}", "x".repeat(1 << 20), "  - <<: *a\n".repeat(17));
    assert!(wrong(&long).1.ends_with("16 MiB"));
    for deep in [
        "[".repeat(100_000),
        "- ".repeat(100_000),
        "{\"a\":".repeat(100_000),
        "a:\n".repeat(3) + &"? ".repeat(9999),
    ] {
        assert!(!read(&deep).1.is_empty());
    }
    // Each alias a list deeper.
    let mut text = "a0: &a0 []\n".to_owned();
    for level in 1..1000 {
        text += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    assert_eq!(wrong(&text), (128, "cannot be read: is more than 128 maps and lists deep".to_owned()));
    let most = format!("{}{}", "[".repeat(DEEPEST), "]".repeat(DEEPEST));
    assert_eq!(read(&most).1, []);
    let (_, message) = wrong(&format!("[{most}]"));
    assert_eq!(message, "cannot be read: is more than 128 maps and lists deep");
}

#[test]
fn a_value_has_the_line_where_it_is_written() {
    let text = "x: 1\na:\n  b: &b [1,\n    2]\n  b: &b [1,\n    2]\nc: *b\nd:\n  f: &f\n    g: 1\n    h:\n  i:\n    <<:                     *f\n    j:\nk:\n  - l: |\n      m\n";
    let (documents, _) = documents(text);
    let line = |path: &str| path::line(&documents[0].root, path);
    let table = [
        ("x", 1),
        ("a.b[1]", 6),
        ("c[1]", 6),
        ("d.f.h", 11),
        ("d.i.g", 10),
        ("d.i.h", 11),
        ("d.i.j", 14),
        ("d.i.nothing", 13),
        ("k[0].l", 17),
        ("", 1),
    ];
    for (path, wanted) in table {
        assert_eq!(line(path), wanted, "{path}");
    }
}
