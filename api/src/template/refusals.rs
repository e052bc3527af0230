//! What is not in the language, and how it is told; the bounds.

use super::*;

#[test]
fn what_does_not_parse_is_told_where_and_what_to_write() {
    for (template, expected) in [
        ("a{{", "at character 2: {{ is not closed; write }} after it"),
        ("é{{.Result", "at character 2: {{ is not closed; write }} after it"),
        (
            "{{}}",
            "at character 1: {{}} says nothing; write {{.Result}}, or {{if …}}…{{else if …}}…{{else}}…{{end}}",
        ),
        ("{{.result}}", "at character 3: .result is not known; write .Result, the result text of the probe"),
        (
            "{{.Result.Len}}",
            "at character 3: .Result.Len is not known; write .Result, the result text of the probe",
        ),
        (
            "{{Result}}",
            "at character 3: \"Result\" is not known; write {{.Result}}, or {{if …}}…{{else if …}}…{{else}}…{{end}}",
        ),
        ("{{.Result .Result}}", "at character 11: more than .Result; write {{.Result}}"),
        (
            "{{\"x\"}}",
            "at character 3: a value that is not .Result; write {{.Result}}, or {{if …}}…{{else if …}}…{{else}}…{{end}}",
        ),
        ("{{eq .Result \"0\"}}", "at character 3: eq stands outside an if; write {{if eq …}}…{{end}}"),
        (
            "{{.Result | printf}}",
            "at character 11: '|' is not allowed here; pipes are not supported, write the function before its arguments, as in {{if eq .Result \"0\"}}",
        ),
        ("{{$x}}", "at character 3: '$' is not allowed here; variables are not supported, write .Result"),
        (
            "{{if .Result > 3}}x{{end}}",
            "at character 14: '>' is not allowed here; write eq, ne, lt, le, gt or ge before the two sides, as in {{if gt .Result \"90\"}}",
        ),
        (
            "{{if .Result eq 3}}x{{end}}",
            "at character 14: the condition has ended here; write eq, ne, lt, le, gt, ge, and, or, not before its arguments, as in {{if eq .Result \"0\"}}",
        ),
        ("{{/* x */}}", "at character 3: '/' is not allowed here; comments are not supported"),
        ("{{if}}x{{end}}", "at character 3: a value is missing; write .Result, text in quotes or a number"),
        ("{{if .Result}}x", "at character 1: {{if}} is not ended; write {{end}} after it"),
        ("{{end}}", "at character 1: {{end}} without an if; write {{if …}} before it"),
        ("{{else}}", "at character 1: {{else}} without an if; write {{if …}} before it"),
        (
            "{{if .Result}}{{else}}{{else}}{{end}}",
            "at character 23: a second {{else}}; an if has one {{else}}, and it comes last",
        ),
        (
            "{{if .Result}}{{else .Result}}{{end}}",
            "at character 22: else takes only an if; write {{else}} or {{else if …}}",
        ),
        ("{{if .Result}}{{end if}}", "at character 21: end stands alone; write {{end}}"),
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
        ("{{if (eq .Result 1}}{{end}}", "at character 6: a ( without its ); write ) where it ends"),
        ("{{if eq .Result 1)}}{{end}}", "at character 18: a ) without a (; take it away"),
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
        let error = Template::parse(template).map(|_| "parsed").map_err(|error| error.to_string());
        assert_eq!(error, Err(expected.to_owned()), "{template}");
    }
}

#[test]
fn length_and_depth_are_bounded() {
    let long = format!("{{{{.Result}}}}{}", "x".repeat(MAX_LENGTH));
    let error = Template::parse(&long).unwrap_err();
    assert_eq!(error.to_string(), "the template is 4107 bytes long; at most 4096 are allowed");

    let ifs = |depth| format!("{}x{}", "{{if .Result}}".repeat(depth), "{{end}}".repeat(depth));
    assert!(Template::parse(&ifs(MAX_DEPTH)).is_ok());
    let error = Template::parse(&ifs(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(error, TemplateError::TooDeep { position: 1 + 14 * MAX_DEPTH });

    let nested = |depth| format!("{{{{if {}.Result{}}}}}x{{{{end}}}}", "(".repeat(depth), ")".repeat(depth));
    assert!(Template::parse(&nested(MAX_DEPTH)).is_ok());
    let error = Template::parse(&nested(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "at character 22: nested deeper than 16; write it flatter, with else if, and, or"
    );

    let much = Template::parse(&"{{.Result}}".repeat(300)).unwrap();
    assert_eq!(much.render(&"x".repeat(1024)), Err(RenderError::TooLong));
    assert_eq!(much.render("x").unwrap().len(), 300);
}
