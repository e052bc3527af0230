"""What the benches of tests/bench share: the cluster under test, what its programs count, and what the machine spends."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
CLUSTER = pathlib.Path(os.environ.get("GAMEWARDEN_CLUSTER_DIR", REPO / ".cluster"))
SYSTEM, PROBERS, PORT = "gamewarden-system", "gamewarden-probers", 9643
# The label of nodes with a prober, as tests/install has it.
LABEL = "gamewarden.test/prober"
GAME = "registry.cn-hangzhou.aliyuncs.com/gs-demo/gameserver:idle"
# What most qualities say: who is idle may go.
ACTIONS = [{"state": True, "opsState": "WaitToBeDeleted"}, {"state": False, "opsState": "None"}]


def run(command, stdin=None):
    """What a program prints; ends the bench with what it says where it fails."""
    env = dict(os.environ, KUBECONFIG=str(CLUSTER / "kubeconfig"), GAMEWARDEN_CLUSTER_DIR=str(CLUSTER))
    done = subprocess.run([str(word) for word in command], input=stdin, env=env, text=True, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command[:6]))}: {done.stderr or done.stdout}")
    return done.stdout


def kubectl(*args, stdin=None):
    return run([CLUSTER / "bin/kubectl", *args], stdin)


def get(*args):
    return json.loads(kubectl(*args, "-o", "json"))


def on_node(*args):
    """Runs a program where node-0 is: its files, its processes, its runtime."""
    return run([REPO / "tests/cluster/node", *args])


def until(what, done, seconds=600, every=0.5):
    """Asks again and again; gives how long it took, no finer than `every` seconds."""
    began = time.monotonic()
    while not done():
        if time.monotonic() - began > seconds:
            raise SystemExit(f"not within {seconds} s: {what}")
        time.sleep(every)
    return time.monotonic() - began


def game_set(namespace, name, servers, qualities, containers, **template):
    """A GameServerSet for `kubectl apply -f -`; `template` are further fields of its pods."""
    pod = {"containers": containers, "terminationGracePeriodSeconds": 1, **template}
    return json.dumps({
        "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": servers, "serviceQualities": qualities, "gameServerTemplate": {"spec": pod}},
    })


def no_other_sets():
    others = kubectl("get", "gss", "--all-namespaces", "-o", "name").split()
    if others:
        sys.exit(f"other sets would be measured too; delete them first: {' '.join(others)}")


def processor():
    """Seconds that all processors of the machine were busy since it started."""
    fields = [int(f) for f in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / os.sysconf("SC_CLK_TCK")


def numbers(text):
    """Metrics as Prometheus reads them, each with its labels."""
    return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)", text, re.M)}


def holder(namespace, lease):
    return get("-n", namespace, "get", "lease", lease)["spec"].get("holderIdentity") or ""


def leader():
    """The pod of the controller that leads."""
    return holder(SYSTEM, "gamewarden-controller").rsplit("_", 1)[0]


def controller(pod=None):
    """Metrics of this controller; or of the one that leads."""
    pod = pod or leader()
    return numbers(kubectl("get", "--raw", f"/api/v1/namespaces/{SYSTEM}/pods/{pod}:8080/proxy/metrics"))


def prober(node="node-0"):
    """Metrics of the prober of a node."""
    pod = holder(PROBERS, node).rsplit("_", 1)[0]
    return numbers(kubectl("get", "--raw", f"/api/v1/namespaces/{PROBERS}/pods/{pod}:{PORT}/proxy/metrics"))


def choose_prober(resident, node="node-0"):
    """Puts a prober on the node with this value of prober.resident; or takes it away, where that is None."""
    if resident:
        run([CLUSTER / "bin/helm", "upgrade", "gamewarden", REPO / "charts/gamewarden", "--namespace", SYSTEM,
             "--reset-then-reuse-values", "--set", f"prober.resident={resident}"])
    kubectl("label", "node", node, "--overwrite", f"{LABEL}={'true' if resident else 'false'}")

    def pods():
        found = get("-n", PROBERS, "get", "pods", f"--field-selector=spec.nodeName={node}")["items"]
        return {p["metadata"]["name"]: p for p in found}

    if not resident:
        until("the prober is gone", lambda: not pods())
        return
    kubectl("-n", PROBERS, "rollout", "status", "daemonset", "gamewarden-prober", "--timeout=120s")

    def holds():
        there = pods()
        args = [arg for p in there.values() for arg in p["spec"]["containers"][0]["args"]]
        return len(there) == 1 and f"--resident={resident}" in args and holder(PROBERS, node).rsplit("_", 1)[0] in there

    until("a prober holds the node's Lease", holds, 120)


def resident_set(program, role):
    """MiB that the first process of this name and role holds."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(program.encode()) and words[1] == role.encode():
                return int(re.search(r"VmRSS:\s+(\d+)", (folder / "status").read_text())[1]) / 1024
        except (OSError, IndexError):
            continue  # It has ended meanwhile, or is another.
    raise SystemExit(f"no {program} {role} runs")


def grown(before, after, prefix):
    return sum(after[n] - before.get(n, 0) for n in after if n.startswith(prefix))


def quantile(before, after, metric, q):
    """The bucket's upper bound below which the share q of new observations of a histogram lies."""
    buckets = []
    for name in after:
        found = re.fullmatch(re.escape(metric) + r'_bucket\{le="(.+)"\}', name)
        if found:
            buckets.append((float(found[1].replace("+Inf", "inf")), after[name] - before.get(name, 0)))
    buckets.sort()
    return next((bound for bound, count in buckets if count >= q * buckets[-1][1]), float("inf"))


def rank(values, q):
    """The value below which the share q of them lies."""
    return sorted(values)[min(int(len(values) * q), len(values) - 1)]
