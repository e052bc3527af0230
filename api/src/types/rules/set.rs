//! Rules of a GameServerSet's own fields: qualities, actions, strategies.

use super::{Rule, Says};

/// The handlers of a quality.
const HANDLERS: &str = "[has(self.exec), has(self.httpGet), has(self.tcpSocket), has(self.grpc)]";

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = qualities();
    rules.extend(strategies());
    rules.push(Rule::new(
        "spec.serviceName",
        r"self == '' || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        Says::Cel(
            "'serviceName ' + self + ': no name of a Service; write lower case letters, digits and dashes inside, \
             or leave it out for the set\\'s name'"
                .into(),
        ),
    ));
    rules
}

fn qualities() -> Vec<Rule> {
    vec![
        Rule::new(
            "spec.serviceQualities[]",
            format!("{HANDLERS}.exists(h, h)"),
            Says::Cel(
                "'quality ' + self.name + ': no probe; write one of exec, httpGet, tcpSocket, grpc'".into(),
            ),
        ),
        Rule::new(
            "spec.serviceQualities[]",
            format!("{HANDLERS}.filter(h, h).size() <= 1"),
            Says::Cel(
                "'quality %s: several probes, where one is due:%s%s%s%s; leave one, and make a quality of its own \
                 of each other'.format([self.name, has(self.exec) ? ' exec' : '', has(self.httpGet) ? ' httpGet' \
                 : '', has(self.tcpSocket) ? ' tcpSocket' : '', has(self.grpc) ? ' grpc' : ''])"
                    .into(),
            ),
        ),
        Rule::new(
            "spec.serviceQualities[].exec",
            "has(self.command) && self.command.size() > 0 && self.command[0] != ''",
            Says::Text(
                "command: empty, there is nothing to run; write the program and its arguments, as [\"bash\", \
                 \"./idle.sh\"]",
            ),
        ),
        reserved("spec.serviceQualities[].serviceQualityAction[].labels", "labels"),
        reserved("spec.serviceQualities[].serviceQualityAction[].annotations", "annotations"),
    ]
}

/// Design §3.8.
fn reserved(path: &'static str, field: &str) -> Rule {
    let ours = "k.startsWith('game.kruise.io/') || k.startsWith('gamewarden.dev/')";
    let message = format!(
        "'{field}: keys of game.kruise.io/ and gamewarden.dev/ are written by Gamewarden itself; write one with \
         another prefix, or opsState, updatePriority, deletionPriority or networkDisabled to set those'"
    );
    Rule::new(path, format!("!self.exists(k, {ours})"), Says::Cel(message))
}

fn strategies() -> Vec<Rule> {
    ["spec.updateStrategy.rollingUpdate.maxUnavailable", "spec.scaleStrategy.maxUnavailable"]
        .map(|path| {
            Rule::new(
                path,
                "type(self) == int ? self >= 1 : self.matches('^0*([1-9][0-9]?|100)%$')",
                Says::Cel(
                    "'maxUnavailable ' + string(self) + ': neither a number from 1 nor a percentage from 1% to \
                     100%; write 1 or \"20%\", or leave it out for the default'"
                        .into(),
                ),
            )
        })
        .into()
}
