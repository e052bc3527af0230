//! Name, container, probe and numbers of a quality.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Mode, action,
    containers::Containers,
    field::{Field, quoted, shown},
    finding::{About, Report},
    near::{listed, one_of, suggestion},
};
use crate::quality::{PERIOD, TIMEOUT, label_value_problem};

/// The fields that say how to ask.
const HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];

/// Numbers that may be 0, which means the default (design §3.9), and not less.
const NUMBERS: [&str; 6] = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
    "terminationGracePeriodSeconds",
];

/// Qualities of a set (design §8).
pub(super) const MOST: usize = 64;

/// All qualities of a set.
pub(super) fn check_all<'a>(
    qualities: &Field<'_, 'a>,
    containers: &Containers<'a>,
    mode: Mode,
    report: &mut Report,
) {
    let mut names = BTreeSet::new();
    for quality in qualities.items_at_most(MOST, report) {
        report.within(quality.peek("name").as_str().unwrap_or_default());
        name(&quality, &mut names, report);
        let container = containers.meant(&quality, report);
        handler(&quality, container, report);
        if mode == Mode::External {
            for_kruise(&quality, report);
        }
        numbers(&quality, report);
        action::check_all(&quality, containers, report);
    }
    report.within("");
}

fn name<'a>(quality: &Field<'_, 'a>, names: &mut BTreeSet<&'a str>, report: &mut Report) {
    let field = quality.get("name");
    let name = field.text(report);
    match name.unwrap_or_default() {
        "" if field.is_set() && name.is_none() => {}
        "" => report.refuse(&field, "missing; write a name of its own for each quality, as \"idle\""),
        name => {
            if let Some(problem) = label_value_problem(name) {
                report.refuse(
                    &field,
                    format!(
                        "{} cannot be the name of a condition: {problem}; write letters, digits, '-', '_' and '.', \
                         at most 63",
                        quoted(name)
                    ),
                );
            }
            if !names.insert(name) {
                report.refuse(&field, format!("{} is the name of two qualities; rename one", quoted(name)));
            }
        }
    }
}

fn handler(quality: &Field<'_, '_>, container: Option<&Value>, report: &mut Report) {
    let written: Vec<&str> =
        HANDLERS.into_iter().filter(|handler| !quality.peek(handler).is_null()).collect();
    match written.as_slice() {
        [] => report.refuse(quality, format!("no probe; write one of {}", HANDLERS.join(", "))),
        [_] => {}
        several => report.refuse(
            quality,
            format!(
                "several probes, where one is due: {}; leave one, and make a quality of its own of each other",
                several.join(", ")
            ),
        ),
    }
    for handler in written {
        let field = quality.get(handler);
        if !field.value.is_object() {
            match field.value.as_str() {
                Some(text) if handler == "exec" => report.refuse(
                    &field,
                    format!("{} is text; write command: {:?} below it", quoted(text), words(text)),
                ),
                _ => field.expect_map(report),
            }
            continue;
        }
        match handler {
            "exec" => command(&field, report),
            _ => port(&field, handler != "grpc", container, report),
        }
        if handler == "httpGet" {
            one_of(&field.get("scheme"), &["HTTP", "HTTPS"], report);
        }
    }
}

/// What Kruise's webhook refuses when OpenKruiseGame makes probes of the quality; OpenKruiseGame does not say so, and
/// nothing is ever probed.
fn for_kruise(quality: &Field<'_, '_>, report: &mut Report) {
    let grpc = quality.get("grpc");
    if grpc.is_set() {
        report.refuse(&grpc, "Kruise's probes know no grpc; write exec, httpGet or tcpSocket");
    }
    let http_get = quality.get("httpGet");
    let host = http_get.get("host");
    if host.value.as_str().is_some_and(|text| !text.is_empty()) {
        report.refuse(
            &host,
            format!("{}: Kruise's probes ask the pod itself; leave it out", shown(host.value)),
        );
    }
}

fn command(exec: &Field<'_, '_>, report: &mut Report) {
    let command = exec.get("command");
    if let Some(text) = command.value.as_str() {
        return report.refuse(
            &command,
            format!("{} is text, and a list of words is due; write {:?}", quoted(text), words(text)),
        );
    }
    command.expect_list(report);
    for word in command.items() {
        word.text(report);
    }
    let list = command.value.as_array().map(Vec::as_slice).unwrap_or_default();
    let names_nothing = list.first().is_some_and(|word| word == "");
    if let [Value::String(only)] = list
        && only.trim().contains(char::is_whitespace)
    {
        report.warn(
            About::Effect,
            &command,
            format!("one word, the name of a program; better {:?}", words(only)),
        );
    }
    if command.is_empty_list() || names_nothing {
        report.refuse(
            &command,
            "empty, there is nothing to run; write the program and its arguments, as [\"bash\", \"./idle.sh\"]",
        );
    }
}

/// The words of a line. More than a few are not written out.
fn words(line: &str) -> Vec<&str> {
    const MOST: usize = 64;
    line.split_whitespace().take(MOST).collect()
}

fn port(handler: &Field<'_, '_>, may_be_named: bool, container: Option<&Value>, report: &mut Report) {
    let field = handler.get("port");
    match field.value {
        Value::Null => report.refuse(&field, "missing; write the number of the port, from 1 to 65535"),
        Value::Number(number) => {
            if !number.as_i64().is_some_and(|port| (1..=65535).contains(&port)) {
                report.refuse(&field, format!("{number} is not a port; write one from 1 to 65535"));
            }
        }
        Value::String(name) if name.parse::<u16>().is_ok() => {
            report.refuse(&field, format!("{} is a number in quotes; write {name}", quoted(name)));
        }
        Value::String(name) if may_be_named => named_port(&field, name, container, report),
        other => report.refuse(
            &field,
            format!("{} is not the number of a port; write one from 1 to 65535", shown(other)),
        ),
    }
}

fn named_port(field: &Field<'_, '_>, name: &str, container: Option<&Value>, report: &mut Report) {
    // Of a container that others inject nobody knows the ports.
    let Some(container) = container else { return };
    let ports = container.get("ports").and_then(Value::as_array);
    let names: Vec<&str> =
        ports.into_iter().flatten().filter_map(|port| port.get("name")?.as_str()).collect();
    if names.contains(&name) {
        return;
    }
    let of = container.get("name").and_then(Value::as_str).unwrap_or_default();
    let has = if names.is_empty() { "none with a name".to_owned() } else { listed(&names) };
    report.refuse(
        field,
        format!(
            "port {} is not a port of container {} (has: {has}); write its number, or name it under ports{}",
            quoted(name),
            quoted(of),
            suggestion(name, names.iter().copied(), report)
        ),
    );
}

fn numbers(quality: &Field<'_, '_>, report: &mut Report) {
    for number in NUMBERS {
        let field = quality.get(number);
        let Some(number) = field.integer(report) else { continue };
        if number < 0 {
            report.refuse(&field, format!("{number} is below 0; write 0, or leave it out, for the default"));
        } else if i32::try_from(number).is_err() {
            report.refuse(&field, format!("{number} is out of range; write at most {}", i32::MAX));
        }
    }
    let value = |key: &str, default: u32| {
        quality.peek(key).as_i64().filter(|number| *number > 0).unwrap_or(default.into())
    };
    let (timeout, period) = (value("timeoutSeconds", TIMEOUT), value("periodSeconds", PERIOD));
    // The default timeout is longer than the default period: nobody is told of what was filled in for them.
    let is_default = (timeout, period) == (TIMEOUT.into(), PERIOD.into());
    if timeout > period && !is_default {
        report.warn(
            About::Delay,
            &quality.get("timeoutSeconds"),
            format!("{timeout} s is over the period of {period} s: a slow probe makes the next ones late"),
        );
    }
}
