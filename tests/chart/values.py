"""Sets every value of the chart to something else and looks for it where it belongs.

Reads the default values on standard input; fails when one of them is not touched by any case here, so that a new value
cannot be forgotten. Needs PyYAML (Debian's python3-yaml).
"""

import copy
import json
import subprocess
import sys

import yaml

CHART = ["helm", "template", "gamewarden", "charts/gamewarden", "--namespace", "game-ops", "--include-crds"]
DIGEST = "sha256:" + "ab" * 32


def render(values, chart=CHART):
    out = subprocess.run(chart + ["--values", "-"], input=json.dumps(values), text=True, capture_output=True)
    if out.returncode:
        sys.exit(f"values.py: {values}: {out.stderr}")
    documents = [d for d in yaml.safe_load_all(out.stdout) if d]
    return {(d["kind"], d["metadata"]["name"]): d for d in documents}


def nested(path, value):
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


touched = set()
cases = []


def case(path, value, look, expected, beside=None):
    """With `path` set to `value`, `look(objects)` is `expected`, and without it is not; both with the values `beside`."""
    touched.add(path)
    cases.append((path, value, look, expected, beside))


def run_cases():
    """All cases in as few renderings as there are conflicts: a rendering costs the better part of a second."""
    batches = []
    for path, value, look, expected, beside in cases:
        # A digest hides the tag, a budget that is off its maxUnavailable, and cert-manager what is ours: those are tried one
        # by one.
        place = path.rpartition(".")[0] if "podDisruptionBudget" in path else path
        place = next((whole for whole in ("image", "certificates") if path.startswith(f"{whole}.")), place)
        for base, places, members in batches:
            if base == beside and places.setdefault(place, (path, value)) == (path, value):
                members.append((path, value, look, expected))
                break
        else:
            batches.append((beside, {place: (path, value)}, [(path, value, look, expected)]))
    for beside, _, members in batches:
        values, default = {}, PROBER if beside else DEFAULT
        merge(values, beside or {})
        for path, value, _, _ in members:
            merge(values, nested(path, value))
        objects = render(values)
        for path, value, look, expected in members:
            found = look(objects)
            if found != expected:
                sys.exit(f"values.py: with {path}={value!r} there is {found!r}, not {expected!r}")
            if look(default) == expected:
                sys.exit(f"values.py: {path}: {expected!r} is there without it, so this case proves nothing")


def merge(into, values):
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def deployment(role):
    return lambda o: o["Deployment", f"gamewarden-{role}"]


def pod(role, *path):
    def look(objects):
        value = deployment(role)(objects)["spec"]["template"]
        for key in path:
            value = value.get(key) if isinstance(value, dict) else value[key]
        return value

    return look


def container(role, key):
    return lambda o: pod(role, "spec", "containers")(o)[0].get(key)


def account(role):
    return lambda o: o["ServiceAccount", pod(role, "spec", "serviceAccountName")(o)]


def exists(kind, name):
    return lambda o: (kind, name) in o


DEFAULT = render({})

for kind in ("gameservers", "gameserversets"):
    case("crds.enabled", False, exists("CustomResourceDefinition", f"{kind}.game.kruise.io"), False)
case("crds.enabled", False,
     lambda o: "--own-definitions" in o["Pod", "gamewarden-test"]["spec"]["containers"][0]["args"], False)

# External mode: the definitions are somebody else's, and so is all that concerns game servers.
THEIRS = ["system:serviceaccount:a:okg", "system:serviceaccount:b:kruise"]
EXTERNAL = {"workloads": {"mode": "external", "externalAccounts": THEIRS}, "crds": {"enabled": False}}
external = render(EXTERNAL)
for role, argument in (("webhook", "--workloads-mode=managed"), ("controller", "--workloads=managed"),
                       ("controller", "--probe-hosts=pods-only")):
    assert argument in container(role, "args")(DEFAULT), f"{role} without {argument}"
    assert argument not in container(role, "args")(external), f"{role} with {argument} in external mode"
assert "--workloads-mode=external" in container("webhook", "args")(external), "the rules are not told of the mode"
assert "--workloads=external" in container("controller", "args")(external), "the controller is not told of the mode"
assert not any(kind == "CustomResourceDefinition" for kind, _ in external), "a definition in external mode"
[own] = external["ClusterRole", "gamewarden-controller"]["rules"]
assert own["resources"] == ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"], own
assert own["resourceNames"] == ["gamewarden"] and "delete" not in own["verbs"], own
for rule in external["Role", "gamewarden-controller"]["rules"]:
    assert rule["resources"][0] in ("leases", "secrets", "deployments", "events"), rule
without = render(EXTERNAL | {"certificates": {"provider": "cert-manager"}})
assert not {("ClusterRole", "gamewarden-controller"), ("ClusterRoleBinding", "gamewarden-controller")} & set(without)
asked = external["ValidatingWebhookConfiguration", "gamewarden"]["webhooks"]
workloads = {w["name"]: w for w in asked if w["rules"][0]["apiGroups"] == ["apps.kruise.io"]}
assert sorted(workloads) == ["scale.statefulsets.gamewarden.dev", "statefulsets.gamewarden.dev"], workloads
for configuration in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
    for webhook in external[configuration, "gamewarden"]["webhooks"]:
        for user in THEIRS:
            assert f'"{user}"' in json.dumps(webhook["matchConditions"]).replace("\\", ""), (webhook["name"], user)
    assert "apps.kruise.io" not in json.dumps(DEFAULT[configuration, "gamewarden"]), "managed mode asks about Kruise's"
    assert "kruise" not in json.dumps([w["matchConditions"] for w in DEFAULT[configuration, "gamewarden"]["webhooks"]])
for user in THEIRS:
    assert f"--exempt-users={user}" in container("webhook", "args")(external), user
standard = yaml.safe_load(open("charts/gamewarden/values.yaml"))["workloads"]["externalAccounts"]
assert standard == ["system:serviceaccount:kruise-game-system:kruise-game-controller-manager",
                    "system:serviceaccount:kruise-system:kruise-manager"], standard
touched.update(["workloads.mode", "workloads.externalAccounts"])

test_image = lambda o: o["Pod", "gamewarden-test"]["spec"]["containers"][0]["image"]
case("image.registry", "r.example:5000/gw", container("controller", "image"), "r.example:5000/gw/reconciler:0.1.0")
case("image.registry", "r.example:5000/gw", container("webhook", "image"), "r.example:5000/gw/webhook:0.1.0")
case("image.tag", "1.2.3", container("controller", "image"), "ghcr.io/gamewarden/reconciler:1.2.3")
case("image.tag", "1.2.3", container("webhook", "image"), "ghcr.io/gamewarden/webhook:1.2.3")
case("image.digests.reconciler", DIGEST, container("controller", "image"), f"ghcr.io/gamewarden/reconciler@{DIGEST}")
case("image.digests.reconciler", DIGEST, test_image, f"ghcr.io/gamewarden/reconciler@{DIGEST}")
case("image.digests.webhook", DIGEST, container("webhook", "image"), f"ghcr.io/gamewarden/webhook@{DIGEST}")
case("image.pullPolicy", "Always", container("controller", "imagePullPolicy"), "Always")
case("image.pullPolicy", "Always", container("webhook", "imagePullPolicy"), "Always")
both = render({"image": {"tag": "1.2.3", "digests": {"reconciler": DIGEST}}})
assert container("controller", "image")(both).endswith(DIGEST), "a digest wins over the tag"
assert container("webhook", "image")(both).endswith(":1.2.3"), "a digest is one program's"

secrets = [{"name": "mine"}]
for role in ("controller", "webhook"):
    case("imagePullSecrets", secrets, pod(role, "spec", "imagePullSecrets"), secrets)
case("imagePullSecrets", secrets, lambda o: o["Pod", "gamewarden-test"]["spec"].get("imagePullSecrets"), secrets)

# On everything but the definitions, and in no selector.
labelled = render({"commonLabels": {"team": "play"}, "networkPolicy": {"enabled": True}, "podMonitor": {"enabled": True}})
for (kind, name), o in labelled.items():
    expected = None if kind == "CustomResourceDefinition" else "play"
    if o["metadata"].get("labels", {}).get("team") != expected:
        sys.exit(f"values.py: commonLabels: {kind} {name} has labels {o['metadata'].get('labels')}")
    if "team" in json.dumps(o.get("spec", {}).get("selector", {})):
        sys.exit(f"values.py: commonLabels: {kind} {name} selects by it")
case("commonLabels", {"team": "play"}, lambda o: pod("webhook", "metadata", "labels")(o).get("team"), "play")

for role in ("controller", "webhook"):
    case("revisionHistoryLimit", 3, lambda o: deployment(role)(o)["spec"]["revisionHistoryLimit"], 3)
    case(f"{role}.replicas", 5, lambda o: deployment(role)(o)["spec"]["replicas"], 5)
    case(f"{role}.logLevel", 'info,a[b{c="d"}]=debug',
         lambda o: '--log-level=info,a[b{c="d"}]=debug' in container(role, "args")(o), True)
    case(f"{role}.resources", {"requests": {"cpu": 2, "memory": "1Gi"}},
         lambda o: container(role, "resources")(o)["requests"], {"cpu": 2, "memory": "1Gi"})
    case(f"{role}.serviceAccount.name", "other", pod(role, "spec", "serviceAccountName"), "other")
    case(f"{role}.serviceAccount.name", "other", exists("ServiceAccount", "other"), True)
    case(f"{role}.serviceAccount.annotations", {"a.example/b": "c"},
         lambda o: account(role)(o)["metadata"].get("annotations"), {"a.example/b": "c"})
    own = render(nested(f"{role}.serviceAccount", {"create": False, "name": "other"}))
    touched.add(f"{role}.serviceAccount.create")
    assert not any(k == "ServiceAccount" and n in ("other", f"gamewarden-{role}") for k, n in own), "made all the same"
    assert pod(role, "spec", "serviceAccountName")(own) == "other", "serviceAccount.create=false"
    case(f"{role}.podLabels", {"a": "b"}, lambda o: pod(role, "metadata", "labels")(o).get("a"), "b")
    case(f"{role}.podAnnotations", {"a": "b"}, lambda o: pod(role, "metadata", "annotations")(o).get("a"), "b")
    case(f"{role}.nodeSelector", {"a": "b"}, pod(role, "spec", "nodeSelector"), {"a": "b"})
    tolerations = [{"key": "a", "operator": "Exists", "effect": "NoSchedule"}]
    case(f"{role}.tolerations", tolerations, pod(role, "spec", "tolerations"), tolerations)
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    case(f"{role}.affinity", affinity, pod(role, "spec", "affinity"), affinity)
    case(f"{role}.priorityClassName", "high", pod(role, "spec", "priorityClassName"), "high")
    case(f"{role}.podDisruptionBudget.enabled", False, exists("PodDisruptionBudget", f"gamewarden-{role}"), False)
    case(f"{role}.podDisruptionBudget.maxUnavailable", "50%",
         lambda o: o["PodDisruptionBudget", f"gamewarden-{role}"]["spec"]["maxUnavailable"], "50%")
    case(f"{role}.terminationGracePeriodSeconds", 99, pod(role, "spec", "terminationGracePeriodSeconds"), 99)
case("controller.probeHosts", "any", lambda o: "--probe-hosts=any" in container("controller", "args")(o), True)
case("controller.concurrentProbes", 7, lambda o: "--concurrent-probes=7" in container("controller", "args")(o), True)

# The rights follow the account.
named = render(nested("controller.serviceAccount.name", "other"))
for kind in ("ClusterRoleBinding", "RoleBinding"):
    assert named[kind, "gamewarden-controller"]["subjects"][0]["name"] == "other", kind
# The test runs where the controller does.
placed = render({"controller": {"nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}]}})
assert placed["Pod", "gamewarden-test"]["spec"]["nodeSelector"] == {"a": "b"}, "the test's nodeSelector"
assert placed["Pod", "gamewarden-test"]["spec"]["tolerations"] == [{"operator": "Exists"}], "the test's tolerations"

# It tries sets where the webhook is asked, and may do so there alone; without a webhook it expects none.
test_args = lambda o: o["Pod", "gamewarden-test"]["spec"]["containers"][0]["args"]
case("webhook.replicas", 0, lambda o: "--without-webhook" in test_args(o), True)
tried = DEFAULT["Role", "gamewarden-test-sets"]["metadata"]["namespace"]
[left_out] = DEFAULT["MutatingWebhookConfiguration", "gamewarden"]["webhooks"][0]["namespaceSelector"]["matchExpressions"]
assert f"--try-in={tried}" in test_args(DEFAULT) and tried not in left_out["values"], tried
for kind in ("Role", "RoleBinding"):
    hook = DEFAULT[kind, "gamewarden-test-sets"]["metadata"]
    assert hook["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded", hook
    assert hook["namespace"] == tried, hook
for kind in ("Role", "ClusterRole"):
    assert "gameserversets\"" not in json.dumps(DEFAULT[kind, "gamewarden-test"]["rules"]), f"{kind}: sets elsewhere"
in_default = render({}, CHART[:4] + ["--namespace", "default"])
assert in_default["Role", "gamewarden-test-sets"]["metadata"]["namespace"] == "kube-public", "the webhook is not asked there"

argument = lambda text: lambda o: text in container("controller", "args")(o)
case("certificates.provider", "cert-manager", argument("--certificate-provider=self-managed"), False)
case("certificates.provider", "cert-manager", exists("Certificate", "gamewarden-webhook"), True)
case("certificates.caValidity", "10h", argument("--ca-validity=10h"), True)
case("certificates.servingValidity", "11h", argument("--certificate-validity=11h"), True)
case("certificates.caPropagation", "12s", argument("--ca-propagation=12s"), True)

# cert-manager does all of it, into the Secret that the webhook reads; the controller may read no Secret.
theirs = render({"certificates": {"provider": "cert-manager", "caValidity": "40h", "servingValidity": "11h"}})
ca, leaf = (theirs["Certificate", name]["spec"] for name in ("gamewarden-webhook-ca", "gamewarden-webhook"))
assert (ca["duration"], leaf["duration"], ca["isCA"]) == ("40h", "11h", True), (ca, leaf)
assert f"--certificate-secret={leaf['secretName']}" in container("webhook", "args")(theirs), leaf
assert leaf["issuerRef"]["name"] == "gamewarden-webhook-ca", leaf
assert theirs["Issuer", "gamewarden-webhook-ca"]["spec"]["ca"]["secretName"] == ca["secretName"], ca
assert leaf["dnsNames"][0] == "gamewarden-webhook.game-ops.svc", leaf
for kind in ("Role", "ClusterRole"):
    rules = json.dumps(theirs[kind, "gamewarden-controller"])
    assert "secrets" not in rules and "webhookconfigurations" not in rules, rules

# The webhook configurations: none names a caBundle, or an upgrade would take it away.
for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
    case("webhook.replicas", 0, exists(kind, "gamewarden"), False)
    injected = theirs[kind, "gamewarden"]["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
    assert injected == "game-ops/gamewarden-webhook", injected
    assert "annotations" not in DEFAULT[kind, "gamewarden"]["metadata"]
    for webhook in DEFAULT[kind, "gamewarden"]["webhooks"]:
        name = webhook["name"]
        assert "caBundle" not in webhook["clientConfig"], name
        assert webhook["timeoutSeconds"] <= 5 and webhook["sideEffects"] == "None", name
        assert webhook["matchPolicy"] == "Equivalent" and webhook["admissionReviewVersions"] == ["v1"], name
        [rule] = webhook["rules"]
        assert len(rule["resources"]) == 1 and rule["scope"] == "Namespaced", name
        [left_out] = webhook["namespaceSelector"]["matchExpressions"]
        assert left_out["values"] == ["kube-system", "game-ops"] and left_out["operator"] == "NotIn", name
        text = json.dumps(webhook["matchConditions"])
        for exempt in ("game-ops:gamewarden-controller", "system:nodes", "generic-garbage-collector", "namespace-controller",
                       "pod-garbage-collector", "node-controller", "taint-eviction-controller",
                       "system:kube-controller-manager", "system:kube-scheduler"):
            assert exempt in text, f"{name}: {exempt} is not left out"
        # A Scale and an Eviction carry no labels: a selector would switch them off.
        subresource = "/" in rule["resources"][0]
        assert webhook["failurePolicy"] == ("Ignore" if subresource else "Fail"), name
        assert ("objectSelector" in webhook) == (rule["resources"] == ["pods"]), name
renamed = render({"controller": {"serviceAccount": {"name": "mine"}}})
assert "game-ops:mine" in json.dumps(renamed["MutatingWebhookConfiguration", "gamewarden"]), "the controller's account"
exempt = [arg for arg in container("webhook", "args")(renamed) if arg.startswith("--exempt-users=")]
assert exempt == ["--exempt-users=system:serviceaccount:$(POD_NAMESPACE):mine"], exempt
# It sees what it guards, and may change nothing.
[seen] = DEFAULT["ClusterRole", "gamewarden-webhook"]["rules"]
assert sorted(seen["resources"]) == ["gameservers", "gameserversets"] and seen["verbs"] == ["list", "watch"], seen

# Node probers: nothing without them; with them, each value in its place.
for kind, name in DEFAULT:
    assert "prober" not in name, f"{kind} {name} is made without prober.enabled"
assert "prober" not in json.dumps(container("webhook", "args")(DEFAULT))
PROBER = render({"prober": {"enabled": True}})
# The controller is as it is with them, and may read their Leases: while that is switched on or off, it knows who probes.
controllers = lambda o: [o[kind, "gamewarden-controller"] for kind in ("Deployment", "ClusterRole", "ClusterRoleBinding", "Role")]
assert controllers(DEFAULT) == controllers(PROBER), "the controller is another one with probers"
assert "--prober-namespace=gamewarden-probers" in container("controller", "args")(DEFAULT)
assert {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "list", "watch"]} in DEFAULT[
    "ClusterRole", "gamewarden-controller"]["rules"]
assert "prober" not in json.dumps(container("controller", "args")(external)), "probers in external mode"


def prober_pod(objects):
    return objects["DaemonSet", "gamewarden-prober"]["spec"]["template"]


def prober(path, value, look, expected):
    """As case, where there are probers."""
    case(f"prober.{path}", value, look, expected, {"prober": {"enabled": True}})


prober_args = lambda o: prober_pod(o)["spec"]["containers"][0]["args"]
argument_of_prober = lambda text: lambda o: text in prober_args(o)
pod_of_prober = lambda key: lambda o: prober_pod(o)["spec"].get(key)
host_path = lambda o: prober_pod(o)["spec"]["volumes"][0]["hostPath"]["path"]
case("prober.enabled", True, exists("DaemonSet", "gamewarden-prober"), True)
case("prober.enabled", True, lambda o: "gamewarden-probers:gamewarden-prober" in json.dumps(
    o["ValidatingWebhookConfiguration", "gamewarden"]), True)
case("prober.enabled", True, lambda o: "--node-prober" in container("webhook", "args")(o), True)
prober("createNamespace", False, exists("Namespace", "gamewarden-probers"), False)
prober("socket", "/run/crio/crio.sock", argument_of_prober("--cri-socket=/run/crio/crio.sock"), True)
prober("socket", "/run/crio/crio.sock", host_path, "/run/crio")
prober("socket", "", host_path, "/run")
prober("socket", "", argument_of_prober("--host-root=/host"), True)
prober("seLinuxType", "other_t", lambda o: prober_pod(o)["spec"]["containers"][0]["securityContext"].get("seLinuxOptions"),
       {"type": "other_t"})
prober("seLinuxType", "", lambda o: "seLinuxOptions" in prober_pod(o)["spec"]["containers"][0]["securityContext"], False)
prober("resident", "off", argument_of_prober("--resident=off"), True)
# What `resident: off` is in a file of values.
prober("resident", False, argument_of_prober("--resident=off"), True)
prober("resident", False, pod_of_prober("hostNetwork"), None)
prober("resident", "off", pod_of_prober("hostNetwork"), None)
prober("probeHosts", "any", argument_of_prober("--probe-hosts=any"), True)
prober("logLevel", "debug", argument_of_prober("--log-level=debug"), True)
prober("concurrentProbes", 7, argument_of_prober("--concurrent-probes=7"), True)
prober("port", 9999, argument_of_prober("--admin-addr=0.0.0.0:9999"), True)
prober("port", 9999, lambda o: prober_pod(o)["spec"]["containers"][0]["ports"][0]["containerPort"], 9999)
prober("resources", {"limits": {"memory": "1Gi"}},
       lambda o: prober_pod(o)["spec"]["containers"][0]["resources"]["limits"], {"memory": "1Gi"})
prober("serviceAccount.name", "other", pod_of_prober("serviceAccountName"), "other")
prober("serviceAccount.name", "other", exists("ServiceAccount", "other"), True)
prober("serviceAccount.annotations", {"a.example/b": "c"},
       lambda o: o["ServiceAccount", pod_of_prober("serviceAccountName")(o)]["metadata"].get("annotations"), {"a.example/b": "c"})
own = render({"prober": {"enabled": True, "serviceAccount": {"create": False, "name": "mine"}}})
touched.add("prober.serviceAccount.create")
assert ("ServiceAccount", "mine") not in own and pod_of_prober("serviceAccountName")(own) == "mine", "serviceAccount.create=false"
prober("podLabels", {"a": "b"}, lambda o: prober_pod(o)["metadata"]["labels"].get("a"), "b")
prober("podAnnotations", {"a": "b"}, lambda o: prober_pod(o)["metadata"]["annotations"].get("a"), "b")
prober("nodeSelector", {"a": "b"}, pod_of_prober("nodeSelector"), {"a": "b"})
prober("tolerations", tolerations, pod_of_prober("tolerations"), tolerations)
prober("affinity", affinity, pod_of_prober("affinity"), affinity)
prober("priorityClassName", "high", pod_of_prober("priorityClassName"), "high")
prober("maxUnavailable", "50%",
       lambda o: o["DaemonSet", "gamewarden-prober"]["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"], "50%")
prober("terminationGracePeriodSeconds", 99, pod_of_prober("terminationGracePeriodSeconds"), 99)

# Another namespace or account, everywhere: an account that a policy does not name is not bound by it.
touched.add("prober.namespace")
elsewhere = render({"prober": {"enabled": True, "namespace": "n-s", "serviceAccount": {"name": "mine"}},
                    "commonLabels": {"team": "play"}})
for (kind, name), o in elsewhere.items():
    if "prober" in name and o["metadata"].get("namespace", "n-s") != "n-s":
        sys.exit(f"values.py: prober.namespace: {kind} {name} is in {o['metadata']['namespace']}")
    if "prober" in name and o["metadata"]["labels"].get("team") != "play":
        sys.exit(f"values.py: commonLabels: {kind} {name} has none")
policies = [o for (kind, _), o in elsewhere.items() if kind == "ValidatingAdmissionPolicy"]
assert len(policies) == 3, policies
for policy in policies:
    spec = policy["spec"]
    [condition] = spec["matchConditions"]
    assert '"system:serviceaccount:n-s:mine"' in condition["expression"], condition
    assert spec["failurePolicy"] == "Fail", spec
    [rule] = spec["matchConstraints"]["resourceRules"]
    assert (rule["operations"], rule["resources"], rule["apiVersions"]) == (["*"], ["*/*"], ["*"]), rule
    binding = elsewhere["ValidatingAdmissionPolicyBinding", policy["metadata"]["name"]]["spec"]
    assert binding == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}, binding
exempt = [arg for arg in container("webhook", "args")(elsewhere) if arg.startswith("--exempt-users=")]
assert exempt[1:] == ["--exempt-users=system:serviceaccount:n-s:mine"], exempt
for kind in ("ClusterRoleBinding", "RoleBinding"):
    [subject] = elsewhere[kind, "gamewarden-prober"]["subjects"]
    assert (subject["namespace"], subject["name"]) == ("n-s", "mine"), subject
assert elsewhere["Namespace", "n-s"]["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
assert "--prober-namespace=n-s" in container("controller", "args")(elsewhere)

# It holds the socket, and is otherwise as little as can be.
spec = prober_pod(PROBER)["spec"]
[program] = spec["containers"]
assert program["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                      "capabilities": {"drop": ["ALL"]}, "seLinuxOptions": {"type": "spc_t"}}, program
assert spec["enableServiceLinks"] is False and "hostPID" not in spec and "hostIPC" not in spec, spec
assert [v["hostPath"]["path"] for v in spec["volumes"]] == ["/run/containerd"], spec["volumes"]
assert all(mount["readOnly"] for mount in program["volumeMounts"]), program
verbs = {(r, v) for rule in PROBER["ClusterRole", "gamewarden-prober"]["rules"] for r in rule["resources"] for v in rule["verbs"]}
assert {pair for pair in verbs if pair[1] not in ("get", "list", "watch")} == {
    ("gameservers", "patch"), ("pods/status", "patch"), ("events", "create")}, verbs
watched = render({"prober": {"enabled": True, "resident": "off"}, "podMonitor": {"enabled": True},
                  "networkPolicy": {"enabled": True}})
assert watched["PodMonitor", "gamewarden"]["spec"]["namespaceSelector"] == {"matchNames": ["game-ops", "gamewarden-probers"]}
assert "prober" in json.dumps(watched["PodMonitor", "gamewarden"]["spec"]["selector"])
assert watched["NetworkPolicy", "gamewarden-prober"]["metadata"]["namespace"] == "gamewarden-probers"

for role in ("controller", "webhook"):
    case("networkPolicy.enabled", True, exists("NetworkPolicy", f"gamewarden-{role}"), True)
peers = [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]
policies = render({"networkPolicy": {"enabled": True, "metricsFrom": peers}})
touched.add("networkPolicy.metricsFrom")
for role in ("controller", "webhook"):
    rules = policies["NetworkPolicy", f"gamewarden-{role}"]["spec"]["ingress"]
    assert {"ports": [{"port": "admin"}], "from": peers} in rules, rules
assert {"ports": [{"port": "https"}]} in policies["NetworkPolicy", "gamewarden-webhook"]["spec"]["ingress"]

case("podMonitor.enabled", True, exists("PodMonitor", "gamewarden"), True)
monitor = render({"podMonitor": {"enabled": True, "labels": {"a": "b"}, "interval": "5s"}})["PodMonitor", "gamewarden"]
touched.update(["podMonitor.labels", "podMonitor.interval"])
assert monitor["metadata"]["labels"]["a"] == "b"
assert monitor["spec"]["podMetricsEndpoints"][0]["interval"] == "5s"


run_cases()


def leaves(value, path=""):
    if isinstance(value, dict) and value and path.split(".")[-1] not in ("resources",):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path


forgotten = set(leaves(yaml.safe_load(sys.stdin))) - touched
if forgotten:
    sys.exit(f"values.py: no case for {', '.join(sorted(forgotten))}")
