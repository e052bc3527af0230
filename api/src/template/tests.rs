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
    let status =
        r#"{{if gt .Result "90"}}critical{{else if gt .Result "70"}}warning{{else}}normal{{end}}"#;
    for (template, result, expected) in [
        ("{{.Result}}", "12", "12"),
        ("players-{{.Result}}", "12", "players-12"),
        (
            r#"{{if eq .Result "0"}}WaitToBeDeleted{{else}}None{{end}}"#,
            "0",
            "WaitToBeDeleted",
        ),
        (
            r#"{{if eq .Result "0"}}WaitToBeDeleted{{else}}None{{end}}"#,
            "3",
            "None",
        ),
        (
            r#"{{if eq .Result "0"}}empty{{else}}active{{end}}"#,
            "0",
            "empty",
        ),
        (
            r#"{{if gt .Result "90"}}Maintaining{{else}}None{{end}}"#,
            "100",
            "Maintaining",
        ),
        (
            r#"{{if gt .Result "90"}}Maintaining{{else}}None{{end}}"#,
            "9",
            "None",
        ),
        (status, "91", "critical"),
        (status, "71", "warning"),
        (status, "70", "normal"),
        (
            r#"{{if gt .Result "80"}}high{{else if gt .Result "50"}}medium{{else}}low{{end}}"#,
            "51",
            "medium",
        ),
        (load, "95", "critical"),
        (load, "80", "warning"),
        (load, "60", "notice"),
        (load, "9", "ok"),
        (
            r#"{{if gt .Result "75"}}high{{else}}normal{{end}}"#,
            "75",
            "normal",
        ),
        (r#"{{if eq .Result "0"}}1{{else}}100{{end}}"#, "0", "1"),
        (
            r#"{{if eq .Result "0"}}empty-server{{else}}active-server{{end}}"#,
            "1",
            "active-server",
        ),
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
        (
            r#"or (eq .Result "a") (eq .Result "b") (eq .Result "c")"#,
            "c",
            true,
        ),
        (
            r#"or (eq .Result "a") (eq .Result "b") (eq .Result "c")"#,
            "d",
            false,
        ),
        (r#"eq (or .Result "none") "none""#, "", true),
        (r#"eq (and .Result "some") "some""#, "x", true),
        (r#"((eq (.Result) "x"))"#, "x", true),
    ] {
        let template = format!("{{{{if {condition}}}}}true{{{{else}}}}false{{{{end}}}}");
        assert_eq!(
            render(&template, result),
            expected.to_string(),
            "{condition} of {result:?}"
        );
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
    let template = r#"{{if .Result}}{{if eq .Result "1"}}one{{else}}{{if eq .Result "2"}}two{{end}}{{end}}!{{end}}."#;
    for (result, expected) in [("", "."), ("1", "one!."), ("2", "two!."), ("3", "!.")] {
        assert_eq!(render(template, result), expected, "{result:?}");
    }
}

#[test]
fn what_does_not_parse_is_told_where_and_what_to_write() {
    for (template, expected) in [
        ("a{{", "at character 2: {{ is not closed; write }} after it"),
        (
            "é{{.Result",
            "at character 2: {{ is not closed; write }} after it",
        ),
        (
            "{{}}",
            "at character 1: {{}} says nothing; write {{.Result}}, or {{if …}}…{{else if …}}…{{else}}…{{end}}",
        ),
        (
            "{{.result}}",
            "at character 3: .result is not known; write .Result, the result text of the probe",
        ),
        (
            "{{.Result.Len}}",
            "at character 3: .Result.Len is not known; write .Result, the result text of the probe",
        ),
        (
            "{{Result}}",
            "at character 3: \"Result\" is not known; write {{.Result}}, or {{if …}}…{{else if …}}…{{else}}…{{end}}",
        ),
        (
            "{{.Result .Result}}",
            "at character 11: more than .Result; write {{.Result}}",
        ),
        (
            "{{\"x\"}}",
            "at character 3: a value that is not .Result; write {{.Result}}, or {{if …}}…{{else if …}}…{{else}}…{{end}}",
        ),
        (
            "{{eq .Result \"0\"}}",
            "at character 3: eq stands outside an if; write {{if eq …}}…{{end}}",
        ),
        (
            "{{.Result | printf}}",
            "at character 11: '|' is not allowed here; pipes are not supported, write the function before its arguments, as in {{if eq .Result \"0\"}}",
        ),
        (
            "{{$x}}",
            "at character 3: '$' is not allowed here; variables are not supported, write .Result",
        ),
        (
            "{{if .Result > 3}}x{{end}}",
            "at character 14: '>' is not allowed here; write eq, ne, lt, le, gt or ge before the two sides, as in {{if gt .Result \"90\"}}",
        ),
        (
            "{{if .Result eq 3}}x{{end}}",
            "at character 14: the condition has ended here; write eq, ne, lt, le, gt, ge, and, or, not before its arguments, as in {{if eq .Result \"0\"}}",
        ),
        (
            "{{/* x */}}",
            "at character 3: '/' is not allowed here; comments are not supported",
        ),
        (
            "{{if}}x{{end}}",
            "at character 3: a value is missing; write .Result, text in quotes or a number",
        ),
        (
            "{{if .Result}}x",
            "at character 1: {{if}} is not ended; write {{end}} after it",
        ),
        (
            "{{end}}",
            "at character 1: {{end}} without an if; write {{if …}} before it",
        ),
        (
            "{{else}}",
            "at character 1: {{else}} without an if; write {{if …}} before it",
        ),
        (
            "{{if .Result}}{{else}}{{else}}{{end}}",
            "at character 23: a second {{else}}; an if has one {{else}}, and it comes last",
        ),
        (
            "{{if .Result}}{{else .Result}}{{end}}",
            "at character 22: else takes only an if; write {{else}} or {{else if …}}",
        ),
        (
            "{{if .Result}}{{end if}}",
            "at character 21: end stands alone; write {{end}}",
        ),
        (
            "{{if eq .Result}}{{end}}",
            "at character 6: eq has 1 values; give it two values or more; a function among them goes in parentheses",
        ),
        (
            "{{if gt 1 2 3}}{{end}}",
            "at character 6: gt has 3 values; give it two values; a function among them goes in parentheses",
        ),
        (
            "{{if not}}{{end}}",
            "at character 6: not has 0 values; give it one value; a function among them goes in parentheses",
        ),
        (
            "{{if not eq .Result 1}}{{end}}",
            "at character 10: \"eq\" is not a value; write text in quotes, and functions in parentheses, as in {{if not (eq .Result \"0\")}}",
        ),
        (
            "{{if contains .Result 1}}{{end}}",
            "at character 6: \"contains\" is not known; write .Result, text in quotes, a number, or one of eq, ne, lt, le, gt, ge, and, or, not",
        ),
        (
            "{{if (eq .Result 1}}{{end}}",
            "at character 6: a ( without its ); write ) where it ends",
        ),
        (
            "{{if eq .Result 1)}}{{end}}",
            "at character 18: a ) without a (; take it away",
        ),
        (
            "{{if ()}}{{end}}",
            "at character 7: a ) where a value is due; write .Result, text in quotes or a number",
        ),
        (
            "{{if eq .Result \"x}}{{end}}",
            "at character 17: the text in quotes does not end; write \" after it",
        ),
        (
            "{{if eq .Result `x}}{{end}}",
            "at character 17: the text in backquotes does not end; write ` after it",
        ),
        (
            "{{if eq .Result \"\\x\"}}{{end}}",
            "at character 18: unknown escape; only \\\\ \\\" \\n \\r \\t are known; write the text in backquotes to have no escapes",
        ),
        (
            "{{if eq .Result 0x1}}{{end}}",
            "at character 17: 0x1 is not a number; write a decimal number, or text in quotes",
        ),
        (
            "{{range .Result}}{{end}}",
            "at character 3: \"range\" is not known; write {{.Result}}, or {{if …}}…{{else if …}}…{{else}}…{{end}}",
        ),
    ] {
        let error = Template::parse(template)
            .map(|_| "parsed")
            .map_err(|error| error.to_string());
        assert_eq!(error, Err(expected.to_owned()), "{template}");
    }
}

#[test]
fn length_and_depth_are_bounded() {
    let long = format!("{{{{.Result}}}}{}", "x".repeat(MAX_LENGTH));
    let error = Template::parse(&long).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the template is 4107 bytes long; at most 4096 are allowed"
    );

    let ifs = |depth| {
        format!(
            "{}x{}",
            "{{if .Result}}".repeat(depth),
            "{{end}}".repeat(depth)
        )
    };
    assert_eq!(render(&ifs(MAX_DEPTH), "1"), "x");
    let error = Template::parse(&ifs(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(
        error,
        TemplateError::TooDeep {
            position: 1 + 14 * MAX_DEPTH
        }
    );

    let nested = |depth| {
        format!(
            "{{{{if {}.Result{}}}}}x{{{{end}}}}",
            "(".repeat(depth),
            ")".repeat(depth)
        )
    };
    assert_eq!(render(&nested(MAX_DEPTH), "1"), "x");
    let error = Template::parse(&nested(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "at character 22: nested deeper than 16; write it flatter, with else if, and, or"
    );

    let much = Template::parse(&"{{.Result}}".repeat(300)).unwrap();
    assert_eq!(much.render(&"x".repeat(1024)), Err(RenderError::TooLong));
    assert_eq!(much.render("x").unwrap().len(), 300);
}

#[test]
fn a_long_chain_of_else_if_is_not_deep() {
    let chain = format!(
        "{{{{if eq .Result 0}}}}{}{{{{end}}}}",
        "{{else if eq .Result 1}}x".repeat(150)
    );
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
        assert_eq!(
            Template::parse(template).unwrap().uses_result(),
            uses,
            "{template}"
        );
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
