//! Templates, and the texts that they come out as.

use gamewarden_api::template::{MAX_LENGTH, MAX_RENDERED, Template, is_template};

/// Any text, and after a NUL the result that it is rendered with.
pub(crate) fn run(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let (text, result) = input.split_once('\0').unwrap_or((input, ""));
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(error) => {
            assert!(is_template(text), "a text that is refused");
            // A character takes at most ten where it is shown as its number.
            assert!(error.to_string().len() <= 10 * MAX_LENGTH + 512, "a long error");
            return;
        }
    };
    let rendered = template.render(result);
    if let Ok(rendered) = &rendered {
        assert!(rendered.len() <= MAX_RENDERED, "{} bytes", rendered.len());
    }
    if !is_template(text) {
        assert!(!template.uses_result(), "a text that uses the result");
        assert!(rendered.as_deref().map_or(text.len() > MAX_RENDERED, |out| out == text), "another text");
    }
    if !template.uses_result() {
        assert_eq!(rendered, template.render("another"), "a result that is not used makes a difference");
    }
}
