//! What is sent to the shell: the loop, and the commands that it runs, as a shell reads them.

use std::fmt::Write;

/// The loop, with all that is said about it.
const LOOP: &str = include_str!("loop.sh");
/// Reads the loop up to an empty line and runs it. (What IFS is in a new shell ends with a line end.) So those who look
/// at the container's processes, and scripts that look for words in them, see only this.
const BOOT: &str =
    r#"while IFS= read -r __gw_l&&[ "$__gw_l" ];do __gw_s="$__gw_s$__gw_l${IFS#??}";done;eval "$__gw_s""#;
/// What it is for those who wonder about it.
const NAME: &str = "gamewarden-probes";

/// The command that a session is: a shell that is told the rest.
pub(super) fn session() -> Vec<String> {
    ["sh", "-c", BOOT, NAME].map(str::to_owned).into()
}

/// What a session is told first: the loop, the mark, and to run nothing, which shows that it does.
pub(super) fn first(mark: &str) -> String {
    let code = LOOP.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut text: String = code.flat_map(|line| [line, "\n"]).collect();
    let _ = write!(text, "\n{mark}\n__gw_run :\n");
    text
}

/// The line that kills the command that runs.
pub(super) const KILL: &str = "k\n";

/// Whether a shell runs the command as the runtime would. It would take some for options of its own, and what no
/// argument can hold is not for it to refuse.
pub(super) fn fits(command: &[String]) -> bool {
    command.first().is_some_and(|program| !program.is_empty() && !program.starts_with('-'))
        && command.iter().all(|word| !word.contains('\0'))
}

/// The line that makes a command that [fits] known under a number.
pub(super) fn define(number: usize, command: &[String]) -> String {
    let name = name(number);
    let mut line = format!("{name}() {{ exec");
    for word in command {
        line.push(' ');
        quote(word, &mut line);
    }
    line.push_str("; }; __gw_may ");
    quote(command.first().map_or("", String::as_str), &mut line);
    // 126: there is such a file, and it is no program.
    let _ = writeln!(line, " || {name}() {{ exit 126; }}");
    line
}

/// The line that runs the command of this number.
pub(super) fn run(number: usize) -> String {
    format!("__gw_run {}\n", name(number))
}

fn name(number: usize) -> String {
    format!("__gw_f{number}")
}

/// Writes the word so that the shell takes it for itself, on one line and without backslashes: `echo`, which passes
/// it on, reads them in some shells.
fn quote(word: &str, line: &mut String) {
    line.push('\'');
    for character in word.chars() {
        match character {
            '\'' => line.push_str("'\"'\"'"),
            '\n' => line.push_str("'\"$__gw_n\"'"),
            '\\' => line.push_str("'\"$__gw_b\"'"),
            other => line.push(other),
        }
    }
    line.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &[&str]) -> Vec<String> {
        command.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_command_is_one_line_of_quoted_words() {
        assert_eq!(
            define(3, &words(&["/bin/sh", "-c", "echo \"it's\" \\\n| wc"])),
            "__gw_f3() { exec '/bin/sh' '-c' 'echo \"it'\"'\"'s\" '\"$__gw_b\"''\"$__gw_n\"'| wc'; }; __gw_may \
             '/bin/sh' || __gw_f3() { exit 126; }\n"
        );
        assert_eq!(run(3), "__gw_run __gw_f3\n");
    }

    #[test]
    fn what_a_shell_would_misread_is_not_for_it() {
        for command in [&[][..], &[""], &["-a", "idle"], &["idle", "a\0b"]] {
            assert!(!fits(&words(command)), "{command:?}");
        }
    }

    #[test]
    fn the_loop_is_sent_without_what_is_said_about_it() {
        let text = first("MARK");
        let (code, rest) = text.split_once("\n\n").unwrap();
        assert_eq!(rest, "MARK\n__gw_run :\n");
        assert!(!code.contains("# "), "{code}");
        assert!(code.contains("__gw_kill") && code.len() < 4096, "{} bytes", code.len());
    }
}
