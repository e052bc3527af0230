{{/*
Names are fixed and not derived from the release's: one installation serves the whole cluster (a
second one is stopped by the cluster-wide names), and dashboards, alerts and people rely on them.
*/}}

{{/* The labels by which a role's pods are found. Call with (dict "root" . "role" "controller"). */}}
{{- define "gamewarden.selector" -}}
app.kubernetes.io/name: gamewarden
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "gamewarden.labels" -}}
{{ include "gamewarden.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The labels of a role's pods: those of everything, and the role's own, which win. */}}
{{- define "gamewarden.podLabels" -}}
{{- $labels := include "gamewarden.labels" . | fromYaml -}}
{{- toYaml (mergeOverwrite $labels (index .root.Values .role).podLabels) -}}
{{- end -}}

{{/* The image of .program: a digest wins over the tag. */}}
{{- define "gamewarden.image" -}}
{{- $image := .root.Values.image -}}
{{- with index ($image.digests | default dict) .program -}}
{{ $image.registry }}/{{ $.program }}@{{ . }}
{{- else -}}
{{ $image.registry }}/{{ $.program }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "gamewarden.serviceAccountName" -}}
{{- (index .root.Values .role).serviceAccount.name | default (printf "gamewarden-%s" .role) -}}
{{- end -}}

{{/* Who makes pods and game servers in external mode, as a list in JSON; nobody else does in managed mode. */}}
{{- define "gamewarden.externalAccounts" -}}
{{- eq .Values.workloads.mode "external" | ternary .Values.workloads.externalAccounts list | toJson -}}
{{- end -}}

{{/* The service account of a role, unless somebody else makes it. Its pods ask for the token themselves. */}}
{{- define "gamewarden.serviceAccount" -}}
{{- $account := (index .root.Values .role).serviceAccount -}}
{{- if $account.create -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "gamewarden.serviceAccountName" . }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "gamewarden.labels" . | nindent 4 }}
  {{- with $account.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}
{{- end -}}

{{/* A drain takes a role's replicas one after another; a replica that is broken anyway never holds it up. */}}
{{- define "gamewarden.podDisruptionBudget" -}}
{{- $budget := (index .root.Values .role).podDisruptionBudget -}}
{{- if $budget.enabled -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: gamewarden-{{ .role }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "gamewarden.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ $budget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "gamewarden.selector" . | nindent 6 }}
{{- end -}}
{{- end -}}

{{/*
What both Deployments have in common. A new replica is ready before an old one goes: of the webhook,
so that as many answer as before; of the controller, so that there is always one to take the lease over.
*/}}
{{- define "gamewarden.deploymentSpec" -}}
{{- $values := index .root.Values .role -}}
replicas: {{ $values.replicas }}
revisionHistoryLimit: {{ .root.Values.revisionHistoryLimit }}
strategy:
  type: RollingUpdate
  rollingUpdate:
    maxUnavailable: 0
    maxSurge: 1
selector:
  matchLabels:
    {{- include "gamewarden.selector" . | nindent 4 }}
{{- end -}}

{{/*
What the pods of every role have in common: how they are placed and what they may not do. The replicas
of one revision avoid each other's nodes (during an update those of the old one do not count), and are spread
over zones. Both are wishes: on one node everything still starts.
*/}}
{{- define "gamewarden.podSpec" -}}
{{- $values := index .root.Values .role -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
affinity:
{{- if $values.affinity }}
  {{- toYaml $values.affinity | nindent 2 }}
{{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "gamewarden.selector" . | nindent 14 }}
          matchLabelKeys: [pod-template-hash]
{{- end }}
topologySpreadConstraints:
  - topologyKey: topology.kubernetes.io/zone
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "gamewarden.selector" . | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
{{ include "gamewarden.podSecurityContext" . }}
{{- end -}}

{{- define "gamewarden.podSecurityContext" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "gamewarden.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "gamewarden.probes" -}}
livenessProbe:
  httpGet:
    path: /livez
    port: admin
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet:
    path: /readyz
    port: admin
  periodSeconds: 2
  timeoutSeconds: 5
{{- end -}}
