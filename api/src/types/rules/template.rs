//! Rules of the pod template, and of the qualities' `containerName` against it.

use super::{Rule, Says};

/// Of the pod template: a rule cannot see the annotations of the set itself.
const INJECTED: &str = crate::names::INJECTED_CONTAINERS;

/// Most containers, and most init containers, of a pod: the bound in the schema.
const CONTAINERS: usize = 64;

/// As many of them are read.
const MOST_INJECTED: usize = 16;

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = pods();
    rules.extend([container_is_there(), container_is_named()]);
    rules
}

fn pods() -> Vec<Rule> {
    let names = "(self.containers.map(c, has(c.name), c.name) + (has(self.initContainers) ? \
                 self.initContainers.map(c, has(c.name), c.name) : []))";
    vec![
        Rule::new(
            "spec.gameServerTemplate",
            "has(self.spec) && has(self.spec.containers) && self.spec.containers.size() > 0",
            Says::Text("containers: none; write at least one, with its name and image"),
        )
        .about(".spec.containers"),
        Rule::new(
            "spec.gameServerTemplate.spec",
            format!("!has(self.containers) || {names}.all(n, {names}.exists_one(m, m == n))"),
            Says::Cel(format!(
                "'containers: named more than once in %s; give each container and init container a name of its \
                 own'.format([{names}])"
            )),
        )
        .about(".containers"),
        Rule::new(
            "spec.gameServerTemplate.spec.restartPolicy",
            "self in ['', 'Always']",
            Says::Cel(
                "'restartPolicy ' + self + ': a game server runs until its set removes it; write Always, or \
                 leave it out'"
                    .into(),
            ),
        ),
        Rule::new(
            "spec.gameServerTemplate.spec.activeDeadlineSeconds",
            "false",
            Says::Cel(
                "'activeDeadlineSeconds %d: it would end the game server whoever plays on it; leave it \
                 out'.format([self])"
                    .into(),
            ),
        ),
    ]
}

const POD: &str = "self.gameServerTemplate.spec";

/// Whether the quality `q` names a container, as CEL.
const NAMED: &str = "has(q.containerName) && q.containerName != ''";

/// The old set's quality of the same name and container, as CEL that is true if there is one.
const SAME_BEFORE: &str = "has(oldSelf.value().serviceQualities) && oldSelf.value().serviceQualities.exists(o, \
                           o.name == q.name && (has(o.containerName) ? o.containerName : '') == \
                           (has(q.containerName) ? q.containerName : ''))";

/// The names that a quality may give, as CEL.
fn choices() -> String {
    format!(
        "{POD}.containers.map(c, has(c.name), c.name) + (has({POD}.initContainers) ? \
         {POD}.initContainers.map(c, has(c.name) && has(c.restartPolicy) && c.restartPolicy == \
         'Always', c.name) : [])"
    )
}

/// Whether the old template had the container that `q` names, as CEL. The cost of walking over a list of the old
/// object is not bounded by the schema (Kubernetes 1.35), that of looking at so many places is.
fn named_before(list: &str) -> String {
    let spec = "oldSelf.value().gameServerTemplate.spec";
    let places: Vec<String> = (0..CONTAINERS).map(|i| i.to_string()).collect();
    format!(
        "has({spec}) && has({spec}.{list}) && [{}].exists(i, i < {spec}.{list}.size() && has({spec}.{list}[i].name) \
         && {spec}.{list}[i].name == q.containerName)",
        places.join(", ")
    )
}

/// `containerName` is a container, a sidecar or an injected one.
fn container_is_there() -> Rule {
    let among = |pod: &str| {
        format!(
            "(has({pod}.containers) && {pod}.containers.exists(c, has(c.name) && c.name == q.containerName)) || \
             (has({pod}.initContainers) && {pod}.initContainers.exists(c, has(c.name) && c.name == \
             q.containerName && has(c.restartPolicy) && c.restartPolicy == 'Always'))"
        )
    };
    let annotated = |template: &str| {
        format!(
            "has({template}.metadata) && has({template}.metadata.annotations) && '{INJECTED}' in \
             {template}.metadata.annotations"
        )
    };
    let template = "self.gameServerTemplate";
    let injected = format!(
        "{} && {template}.metadata.annotations['{INJECTED}'].split(',', {MOST_INJECTED}).exists(i, i == \
         q.containerName || i == ' ' + q.containerName)",
        annotated(template)
    );
    // What the old template injected was fine then and is not excused now.
    let old = "oldSelf.value().gameServerTemplate";
    let excused = format!(
        "oldSelf.hasValue() && {SAME_BEFORE} && !({}) && !({}) && !({})",
        annotated(old),
        named_before("containers"),
        named_before("initContainers")
    );
    let fine = format!("!({NAMED}) || {} || ({injected})", among(POD));
    // The message does not speak of oldSelf: an expression that does gives no message (Kubernetes 1.35).
    let looked_at = format!("has(self.serviceQualities) && has({POD}) && has({POD}.containers)");
    Rule::new(
        "spec",
        format!("!({looked_at}) || self.serviceQualities.all(q, {fine} || ({excused}))"),
        Says::Cel(format!(
            "'containerName: the template has no such container: %s; write one of %s. One that others inject: \
             name it in the template\\'s annotation {INJECTED}'.format([self.serviceQualities.map(q, \
             !({fine}), q.containerName + ' of quality ' + q.name), {}])",
            choices()
        )),
    )
    .about(".serviceQualities")
    .with_old()
}

/// `containerName` may be left out only where there is no choice.
fn container_is_named() -> Rule {
    let old = "oldSelf.value().gameServerTemplate.spec";
    let excused = format!(
        "oldSelf.hasValue() && {SAME_BEFORE} && has({old}) && has({old}.containers) && {old}.containers.size() > 1"
    );
    let several = format!("has({POD}) && has({POD}.containers) && {POD}.containers.size() > 1");
    Rule::new(
        "spec",
        format!(
            "!(has(self.serviceQualities) && {several}) || self.serviceQualities.all(q, ({NAMED}) || ({excused}))"
        ),
        Says::Cel(format!(
            "'containerName: missing in quality %s, and the template has several containers; write one of \
             %s'.format([self.serviceQualities.map(q, !({NAMED}), q.name), {}])",
            choices()
        )),
    )
    .about(".serviceQualities")
    .with_old()
}
