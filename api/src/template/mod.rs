//! `{{.Result}}` in the values of an action (design §3.6).
//!
//! A small part of Go's text/template, because that is what OpenKruiseGame's users write:
//!
//! ```text
//!   {{.Result}}                                   the result text of the probe
//!   {{if C}}…{{else if C}}…{{else}}…{{end}}       may be nested
//!   C:  .Result  "text"  `text`  42               true when not empty (a number: when not 0)
//!       eq a b …                                  text; a equals any of the others
//!       ne a b                                    text
//!       lt le gt ge a b                           numbers when both sides are numbers, else text
//!       and a b …   or a b …   not a   ( C )
//!   {{- and -}}                                   take the white space beside them away
//! ```
//!
//! Nothing else parses. Text without `{{` stands for itself. Length and depth are bounded, so that no
//! text, however it was made, can exhaust the stack or the memory.

mod expr;
mod lex;
mod parse;

use thiserror::Error;

use expr::Expr;

/// Longest template that is read, in bytes.
pub const MAX_LENGTH: usize = 4096;
/// Deepest nesting of ifs, and of parentheses.
pub const MAX_DEPTH: usize = 16;
/// Longest text a template may come out as, in bytes.
pub const MAX_RENDERED: usize = 16 * 1024;

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// It is longer than [`MAX_LENGTH`].
    #[error("the template is {length} bytes long; at most {MAX_LENGTH} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Ifs or parentheses are nested deeper than [`MAX_DEPTH`].
    #[error(
        "at character {position}: nested deeper than {MAX_DEPTH}; write it flatter, with else if, and, or"
    )]
    TooDeep {
        /// Where, counted in characters from 1.
        position: usize,
    },
    /// Something is not in the language.
    #[error("at character {position}: {problem}; {instead}")]
    Syntax {
        /// Where, counted in characters from 1.
        position: usize,
        /// What is there.
        problem: String,
        /// What to write instead.
        instead: String,
    },
}

/// Why a template has no text for a result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RenderError {
    /// The text would be longer than [`MAX_RENDERED`].
    #[error("it comes out longer than {MAX_RENDERED} bytes")]
    TooLong,
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    nodes: Vec<Node>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Text(String),
    Result,
    /// The first branch whose condition holds, else the last list.
    If {
        branches: Vec<(Expr, Vec<Node>)>,
        otherwise: Vec<Node>,
    },
}

impl Template {
    /// Reads a template; text without `{{` is one that renders as itself.
    ///
    /// # Errors
    /// When it is too long, too deep, or says something that is not in the language.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if !is_template(text) {
            return Ok(Self { nodes: vec![Node::Text(text.to_owned())] });
        }
        if text.len() > MAX_LENGTH {
            return Err(TemplateError::TooLong { length: text.len() });
        }
        Ok(Self { nodes: parse::nodes(&lex::segments(text)?)? })
    }

    /// The text for a probe's result.
    ///
    /// # Errors
    /// When it would be longer than [`MAX_RENDERED`].
    pub fn render(&self, result: &str) -> Result<String, RenderError> {
        let mut out = String::new();
        write(&self.nodes, result, &mut out)?;
        Ok(out)
    }

    /// Whether the text depends on the result.
    #[must_use]
    pub fn uses_result(&self) -> bool {
        uses_result(&self.nodes)
    }
}

/// Whether the text is more than itself: whether it contains `{{`.
#[must_use]
pub fn is_template(text: &str) -> bool {
    text.contains("{{")
}

fn write(nodes: &[Node], result: &str, out: &mut String) -> Result<(), RenderError> {
    for node in nodes {
        let piece = match node {
            Node::Text(text) => text,
            Node::Result => result,
            Node::If { branches, otherwise } => {
                let chosen = branches.iter().find(|(condition, _)| condition.holds(result));
                write(chosen.map_or(otherwise, |(_, nodes)| nodes), result, out)?;
                continue;
            }
        };
        if out.len() + piece.len() > MAX_RENDERED {
            return Err(RenderError::TooLong);
        }
        out.push_str(piece);
    }
    Ok(())
}

fn uses_result(nodes: &[Node]) -> bool {
    nodes.iter().any(|node| match node {
        Node::Text(_) => false,
        Node::Result => true,
        Node::If { branches, otherwise } => {
            uses_result(otherwise)
                || branches.iter().any(|(condition, nodes)| condition.uses_result() || uses_result(nodes))
        }
    })
}

#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;
