//! The template language by table, and what holds for any text.

use proptest::prelude::*;

use super::*;

fn render(template: &str, result: &str) -> String {
    Template::parse(template).unwrap().render(result).unwrap()
}

/// The examples of OpenKruiseGame's manual on template variables.
#[test]
fn the_manuals_templates_render() {
    let load = r#"{{if ge .Result "95"}}critical{{else if ge .Result "80"}}warning{{else
          if ge .Result "60"}}notice{{else}}ok{{end}}"#;
    let status = r#"{{if gt .Result "90"}}critical{{else if gt .Result "70"}}warning{{else}}normal{{end}}"#;
    for (template, result, expected) in [
        ("{{.Result}}", "12", "12"),
        ("players-{{.Result}}", "12", "players-12"),
        (r#"{{if eq .Result "0"}}WaitToBeDeleted{{else}}None{{end}}"#, "0", "WaitToBeDeleted"),
        (r#"{{if eq .Result "0"}}WaitToBeDeleted{{else}}None{{end}}"#, "3", "None"),
        (r#"{{if eq .Result "0"}}empty{{else}}active{{end}}"#, "0", "empty"),
        (r#"{{if gt .Result "90"}}Maintaining{{else}}None{{end}}"#, "100", "Maintaining"),
        (r#"{{if gt .Result "90"}}Maintaining{{else}}None{{end}}"#, "9", "None"),
        (status, "91", "critical"),
        (status, "71", "warning"),
        (status, "70", "normal"),
        (r#"{{if gt .Result "80"}}high{{else if gt .Result "50"}}medium{{else}}low{{end}}"#, "51", "medium"),
        (load, "95", "critical"),
        (load, "80", "warning"),
        (load, "60", "notice"),
        (load, "9", "ok"),
        (r#"{{if gt .Result "75"}}high{{else}}normal{{end}}"#, "75", "normal"),
        (r#"{{if eq .Result "0"}}1{{else}}100{{end}}"#, "0", "1"),
        (r#"{{if eq .Result "0"}}empty-server{{else}}active-server{{end}}"#, "1", "active-server"),
    ] {
        assert_eq!(render(template, result), expected, "{template} of {result}");
    }
}

#[test]
fn conditions_come_out_as_in_go() {
    for (condition, result, expected) in [
        (".Result", "", false),
        (".Result", "0", true),
        (r#""""#, "", false),
        ("0", "", false),
        ("0.0", "", false),
        ("1", "", true),
        (r#"eq .Result "a" "b""#, "b", true),
        (r#"eq .Result "a" "b""#, "c", false),
        // eq and ne compare text, numbers as they are written.
        ("eq .Result 0", "0", true),
        ("eq .Result 0", "0.0", false),
        (r#"ne .Result "0""#, "00", true),
        (r#"eq (eq .Result "a") (eq .Result "b")"#, "c", true),
        ("eq .Result `a\"b`", "a\"b", true),
        (r#"eq .Result "a\"b\\""#, "a\"b\\", true),
        (r#"eq .Result "}}""#, "}}", true),
        // The others compare numbers where both sides are numbers.
        (r#"lt .Result "10""#, "9", true),
        (r#"lt .Result "10""#, "-1e3", true),
        ("lt .Result 10", "9.5", true),
        ("le .Result 10", "10.0", true),
        ("gt .Result -3", "-2", true),
        ("ge .Result 9007199254740993", "9007199254740992", false),
        // … else text: "9" > "1".
        (r#"gt .Result "10 ms""#, "9", true),
        (r#"lt .Result "90""#, "", true),
        (r#"gt .Result "90""#, "error", true),
        (r#"gt .Result "inf""#, "9", false),
        (r#"not (eq .Result "0")"#, "1", true),
        ("not .Result", "", true),
        (r#"and (gt .Result "1") (lt .Result "5")"#, "3", true),
        (r#"and (gt .Result "1") (lt .Result "5")"#, "7", false),
        (r#"or (eq .Result "a") (eq .Result "b") (eq .Result "c")"#, "c", true),
        (r#"or (eq .Result "a") (eq .Result "b") (eq .Result "c")"#, "d", false),
        (r#"eq (or .Result "none") "none""#, "", true),
        (r#"eq (and .Result "some") "some""#, "x", true),
        (r#"((eq (.Result) "x"))"#, "x", true),
    ] {
        let template = format!("{{{{if {condition}}}}}true{{{{else}}}}false{{{{end}}}}");
        assert_eq!(render(&template, result), expected.to_string(), "{condition} of {result:?}");
    }
}

#[test]
fn text_stands_for_itself() {
    let long = "x".repeat(3 * MAX_LENGTH);
    for text in ["", "None", "a }} b", "{ {.Result} }", "-}}", long.as_str()] {
        assert_eq!(render(text, "1"), text);
    }
    assert_eq!(render("<{{.Result}}|{{ .Result }}>}}", "1"), "<1|1>}}");
}

#[test]
fn trim_markers_take_white_space_away() {
    for (template, expected) in [
        ("a {{- .Result -}} b", "a1b"),
        ("a {{ .Result -}} \n b", "a 1b"),
        ("a\n\t {{- .Result }} b", "a1 b"),
        ("{{if .Result -}} \n x \n {{- end}} y", "x y"),
        ("a {{- .Result -}} {{- .Result}}", "a11"),
    ] {
        assert_eq!(render(template, "1"), expected, "{template:?}");
    }
}

#[test]
fn ifs_nest() {
    let template =
        r#"{{if .Result}}{{if eq .Result "1"}}one{{else}}{{if eq .Result "2"}}two{{end}}{{end}}!{{end}}."#;
    for (result, expected) in [("", "."), ("1", "one!."), ("2", "two!."), ("3", "!.")] {
        assert_eq!(render(template, result), expected, "{result:?}");
    }
}

#[test]
fn a_long_chain_of_else_if_is_not_deep() {
    let chain = format!("{{{{if eq .Result 0}}}}{}{{{{end}}}}", "{{else if eq .Result 1}}x".repeat(150));
    assert_eq!(render(&chain, "1"), "x");
}

#[test]
fn whether_the_result_matters_is_known() {
    for (template, uses) in [
        ("None", false),
        ("{{.Result}}", true),
        (r#"{{if eq "a" "a"}}x{{end}}"#, false),
        (r#"{{if eq "a" "a"}}x{{else}}{{.Result}}{{end}}"#, true),
        (r#"{{if not (eq "a" .Result)}}x{{end}}"#, true),
    ] {
        assert_eq!(Template::parse(template).unwrap().uses_result(), uses, "{template}");
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{",
        "}}",
        "{{- ",
        " -}}",
        "if ",
        "else ",
        "end",
        ".Result",
        "eq ",
        "gt ",
        "and ",
        "not ",
        "(",
        ")",
        "\"a\" ",
        "`b` ",
        "3 ",
        "-",
        " ",
        "\n",
        "\"",
        "`",
        "\\",
        "é",
        "{{if .Result}}",
        "{{else}}",
        "{{end}}",
        "{{.Result}}",
        "{{else if eq .Result 1}}",
    ]);
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    // §3.6: no text breaks the parser, and what parses has a text for every result.
    #[test]
    fn any_text_parses_or_says_why(text in prop_oneof![any::<String>(), pieces()], result: String) {
        match Template::parse(&text) {
            Ok(template) => {
                let rendered = template.render(&result);
                prop_assert!(rendered.is_ok() || text.len() + 30 * result.len() > MAX_RENDERED);
                if !template.uses_result() {
                    prop_assert_eq!(rendered, template.render(""));
                }
            }
            Err(TemplateError::TooLong { .. }) => prop_assert!(text.len() > MAX_LENGTH),
            Err(TemplateError::TooDeep { position } | TemplateError::Syntax { position, .. }) => {
                prop_assert!(position >= 1 && position <= text.chars().count() + 1);
            }
        }
    }

    #[test]
    fn text_around_the_result_is_kept(before in "[^{]*", after in "[^{]*", result: String) {
        let text = format!("{before}{{{{.Result}}}}{after}");
        prop_assume!(text.len() <= MAX_LENGTH && result.len() <= 1024);
        prop_assert_eq!(render(&text, &result), format!("{before}{result}{after}"));
    }

    // §3.6: numbers compare as numbers.
    #[test]
    fn order_of_whole_numbers(a: i64, b: i64) {
        for (name, expected) in [("lt", a < b), ("le", a <= b), ("gt", a > b), ("ge", a >= b)] {
            let template = format!("{{{{if {name} .Result \"{b}\"}}}}true{{{{else}}}}false{{{{end}}}}");
            prop_assert_eq!(render(&template, &a.to_string()), expected.to_string(), "{} {} {}", a, name, b);
        }
    }
}
