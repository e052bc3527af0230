//! Tokens to a tree. Open ifs are kept on a list and not on the stack; parentheses are counted.

use super::{
    MAX_DEPTH, Node, TemplateError,
    expr::{Expr, Function},
    lex::{Kind, Segment, Token, syntax},
};

/// An if whose end has not come yet.
struct Open {
    position: usize,
    branches: Vec<(Expr, Vec<Node>)>,
    /// The condition of the branch that is being read; none after `{{else}}`.
    condition: Option<Expr>,
    /// What surrounds the if, read before it.
    outer: Vec<Node>,
}

/// Reads the pieces of a template.
///
/// # Errors
/// When an action is not in the language, or an if and its end do not pair.
pub(super) fn nodes(segments: &[Segment]) -> Result<Vec<Node>, TemplateError> {
    let mut open: Vec<Open> = Vec::new();
    let mut nodes = Vec::new();
    for segment in segments {
        let (position, tokens) = match segment {
            Segment::Text(text) => {
                nodes.push(Node::Text(text.clone()));
                continue;
            }
            Segment::Action { position, tokens } => (*position, tokens.as_slice()),
        };
        match tokens {
            [Token { kind: Kind::Result, .. }] => nodes.push(Node::Result),
            [first, rest @ ..] if first.is("if") => {
                if open.len() == MAX_DEPTH {
                    return Err(TemplateError::TooDeep { position });
                }
                let condition = Some(condition(first, rest)?);
                let outer = std::mem::take(&mut nodes);
                open.push(Open { position, branches: Vec::new(), condition, outer });
            }
            [first, rest @ ..] if first.is("else") => {
                let frame = open
                    .last_mut()
                    .ok_or_else(|| syntax(position, "{{else}} without an if", "write {{if …}} before it"))?;
                let Some(previous) = frame.condition.take() else {
                    let instead = "an if has one {{else}}, and it comes last";
                    return Err(syntax(position, "a second {{else}}", instead));
                };
                frame.branches.push((previous, std::mem::take(&mut nodes)));
                frame.condition = match rest {
                    [] => None,
                    [second, rest @ ..] if second.is("if") => Some(condition(second, rest)?),
                    [other, ..] => {
                        return Err(syntax(
                            other.position,
                            "else takes only an if",
                            "write {{else}} or {{else if …}}",
                        ));
                    }
                };
            }
            [first, rest @ ..] if first.is("end") => {
                if let Some(other) = rest.first() {
                    return Err(syntax(other.position, "end stands alone", "write {{end}}"));
                }
                let Some(mut frame) = open.pop() else {
                    return Err(syntax(position, "{{end}} without an if", "write {{if …}} before it"));
                };
                let last = std::mem::replace(&mut nodes, frame.outer);
                let otherwise = match frame.condition {
                    Some(condition) => {
                        frame.branches.push((condition, last));
                        Vec::new()
                    }
                    None => last,
                };
                nodes.push(Node::If { branches: frame.branches, otherwise });
            }
            _ => return Err(not_an_action(position, tokens)),
        }
    }
    match open.last() {
        Some(frame) => Err(syntax(frame.position, "{{if}} is not ended", "write {{end}} after it")),
        None => Ok(nodes),
    }
}

impl Token {
    fn is(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(own) if own == word)
    }
}

fn not_an_action(position: usize, tokens: &[Token]) -> TemplateError {
    let instead = "write {{.Result}}, or {{if …}}…{{else if …}}…{{else}}…{{end}}";
    match tokens {
        [] => syntax(position, "{{}} says nothing", instead),
        [Token { kind: Kind::Word(word), position }, ..] if Function::named(word).is_some() => syntax(
            *position,
            format!("{word} stands outside an if"),
            format!("write {{{{if {word} …}}}}…{{{{end}}}}"),
        ),
        [Token { kind: Kind::Word(word), position }, ..] => {
            syntax(*position, format!("{word:?} is not known"), instead)
        }
        [Token { kind: Kind::Result, .. }, next, ..] => {
            syntax(next.position, "more than .Result", "write {{.Result}}")
        }
        [first, ..] => syntax(first.position, "a value that is not .Result", instead),
    }
}

/// The condition of an if.
fn condition(keyword: &Token, tokens: &[Token]) -> Result<Expr, TemplateError> {
    let mut reader = Reader { tokens, end: tokens.last().unwrap_or(keyword).position };
    let condition = reader.call_or_operand(0)?;
    match reader.tokens.first() {
        None => Ok(condition),
        Some(extra) if extra.kind == Kind::Close => {
            Err(syntax(extra.position, "a ) without a (", "take it away"))
        }
        Some(extra) => Err(syntax(
            extra.position,
            "the condition has ended here",
            "write eq, ne, lt, le, gt, ge, and, or, not before its arguments, as in {{if eq .Result \"0\"}}",
        )),
    }
}

struct Reader<'a> {
    tokens: &'a [Token],
    /// Position to name when a token is missing.
    end: usize,
}

impl Reader<'_> {
    /// A function with its arguments, or one operand.
    fn call_or_operand(&mut self, depth: usize) -> Result<Expr, TemplateError> {
        let [Token { kind: Kind::Word(name), position }, rest @ ..] = self.tokens else {
            return self.operand(depth);
        };
        let Some(function) = Function::named(name) else {
            return Err(syntax(
                *position,
                format!("{name:?} is not known"),
                "write .Result, text in quotes, a number, or one of eq, ne, lt, le, gt, ge, and, or, not",
            ));
        };
        self.tokens = rest;
        let mut arguments = Vec::new();
        while self.tokens.first().is_some_and(|token| token.kind != Kind::Close) {
            arguments.push(self.operand(depth)?);
        }
        let (least, most) = function.arity();
        if arguments.len() < least || most.is_some_and(|most| arguments.len() > most) {
            let wanted = match (least, most) {
                (1, Some(_)) => "one value",
                (1, None) => "one value or more",
                (_, Some(_)) => "two values",
                (_, None) => "two values or more",
            };
            return Err(syntax(
                *position,
                format!("{name} has {} values", arguments.len()),
                format!("give it {wanted}; a function among them goes in parentheses"),
            ));
        }
        Ok(Expr::Call(function, arguments))
    }

    fn operand(&mut self, depth: usize) -> Result<Expr, TemplateError> {
        let [token, rest @ ..] = self.tokens else {
            return Err(syntax(self.end, "a value is missing", "write .Result, text in quotes or a number"));
        };
        self.tokens = rest;
        match &token.kind {
            Kind::Result => Ok(Expr::Result),
            Kind::Text(text) => Ok(Expr::Text(text.clone())),
            Kind::Number(text) => Ok(Expr::Number(text.clone())),
            Kind::Open => {
                if depth == MAX_DEPTH {
                    return Err(TemplateError::TooDeep { position: token.position });
                }
                let inner = self.call_or_operand(depth + 1)?;
                match self.tokens {
                    [Token { kind: Kind::Close, .. }, rest @ ..] => {
                        self.tokens = rest;
                        Ok(inner)
                    }
                    _ => Err(syntax(token.position, "a ( without its )", "write ) where it ends")),
                }
            }
            Kind::Close => Err(syntax(
                token.position,
                "a ) where a value is due",
                "write .Result, text in quotes or a number",
            )),
            Kind::Word(word) => Err(syntax(
                token.position,
                format!("{word:?} is not a value"),
                "write text in quotes, and functions in parentheses, as in {{if not (eq .Result \"0\")}}",
            )),
        }
    }
}
