{{- define "gateway.name" -}}
{{- if contains "giftcard-gateway" .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-giftcard-gateway" .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "gateway.selector" -}}
app.kubernetes.io/name: giftcard-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end }}

{{- define "gateway.labels" -}}
app.kubernetes.io/name: giftcard-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "gateway.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{/* What cannot be, in a sentence. */}}
{{- define "gateway.check" -}}
{{- $many := or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) -}}
{{- if and (eq .Values.journal.kind "sqlite") $many }}
{{- fail "a SQLite journal is one pod's alone: set replicas to 1 and autoscaling.enabled to false, or journal.kind to postgresql" }}
{{- end }}
{{- if and (not .Values.tls.secret) (not .Values.insecure) }}
{{- fail "callers would reach the gateway without TLS: set tls.secret, or insecure to true where a mesh brings it" }}
{{- end }}
{{- if and .Values.tls.demandCertificates (not .Values.tls.secret) }}
{{- fail "tls.demandCertificates needs tls.secret, with a ca.crt in it" }}
{{- end }}
{{- if and .Values.tls.secret .Values.insecure }}
{{- fail "insecure says that callers come without TLS, and tls.secret that they come with it: set one of them" }}
{{- end }}
{{- $own := list }}
{{- range include "gateway.own" . | fromYamlArray }}{{ $own = append $own .name }}{{ end }}
{{- range $name, $_ := merge dict .Values.env .Values.secretEnv }}
{{- if has $name $own }}
{{- fail (printf "%s is set by the chart: env and secretEnv cannot set it too" $name) }}
{{- end }}
{{- if and (hasKey $.Values.env $name) (hasKey $.Values.secretEnv $name) }}
{{- fail (printf "%s is in env and in secretEnv: leave one of them" $name) }}
{{- end }}
{{- end }}
{{- if gt (int .Values.autoscaling.min) (int .Values.autoscaling.max) }}
{{- fail "autoscaling.min is above autoscaling.max" }}
{{- end }}
{{- if not .Values.config }}
{{- fail "config is empty: give gateway.toml, as in --set-file config=gateway.toml" }}
{{- end }}
{{- end }}

{{/* The settings that follow from the chart's own; they win over the file. */}}
{{- define "gateway.own" -}}
- name: GIFTCARD_GATEWAY__SERVER__LISTEN
  value: "0.0.0.0:50051"
- name: GIFTCARD_GATEWAY__SERVER__WORKERS
  value: "1"
- name: GIFTCARD_GATEWAY__SERVER__LAME_DUCK_S
  value: {{ .Values.lameDuckSeconds | quote }}
- name: GIFTCARD_GATEWAY__SERVER__DRAIN_S
  value: {{ .Values.drainSeconds | quote }}
- name: GIFTCARD_GATEWAY__TELEMETRY__PROMETHEUS
  value: "0.0.0.0:9464"
- name: GIFTCARD_GATEWAY__TELEMETRY__LOG_FORMAT
  value: json
{{- if .Values.webhooks.enabled }}
- name: GIFTCARD_GATEWAY__WEBHOOKS__LISTEN
  value: "0.0.0.0:8080"
{{- end }}
{{- if .Values.tls.secret }}
- name: GIFTCARD_GATEWAY__SERVER__TLS__CERTIFICATE_FILE
  value: /run/tls/tls.crt
- name: GIFTCARD_GATEWAY__SERVER__TLS__KEY_FILE
  value: /run/tls/tls.key
{{- if .Values.tls.demandCertificates }}
- name: GIFTCARD_GATEWAY__SERVER__TLS__CLIENT_CA_FILE
  value: /run/tls/ca.crt
{{- end }}
{{- if .Values.webhooks.enabled }}
- name: GIFTCARD_GATEWAY__WEBHOOKS__TLS__CERTIFICATE_FILE
  value: /run/tls/tls.crt
- name: GIFTCARD_GATEWAY__WEBHOOKS__TLS__KEY_FILE
  value: /run/tls/tls.key
{{- end }}
{{- else }}
- name: GIFTCARD_GATEWAY__SERVER__INSECURE
  value: "true"
{{- if .Values.webhooks.enabled }}
- name: GIFTCARD_GATEWAY__WEBHOOKS__INSECURE
  value: "true"
{{- end }}
{{- end }}
- name: GIFTCARD_GATEWAY__JOURNAL__URL
{{- if eq .Values.journal.kind "sqlite" }}
  value: sqlite:////var/lib/giftcard-gateway/journal.db
{{- else }}
  valueFrom:
    secretKeyRef:
      name: {{ .Values.journal.urlSecret.name }}
      key: {{ .Values.journal.urlSecret.key }}
{{- end }}
{{- end }}

{{/* All variables: those, and what the shop sets. */}}
{{- define "gateway.env" -}}
{{ include "gateway.own" . }}
{{- range $name, $from := .Values.secretEnv }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ $from.secret }}
      key: {{ $from.key }}
{{- end }}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "gateway.mounts" -}}
- name: config
  mountPath: /etc/giftcard-gateway
  readOnly: true
{{- if .Values.secretFiles }}
- name: secrets
  mountPath: /run/secrets
  readOnly: true
{{- end }}
{{- if .Values.tls.secret }}
- name: tls
  mountPath: /run/tls
  readOnly: true
{{- end }}
{{- if eq .Values.journal.kind "sqlite" }}
- name: journal
  mountPath: /var/lib/giftcard-gateway
{{- end }}
{{- end }}

{{/* Secrets are mounted for the group that the pod is in: docs/running.md, "Files with secrets". */}}
{{- define "gateway.volumes" -}}
{{- if .Values.secretFiles }}
- name: secrets
  secret:
    secretName: {{ .Values.secretFiles }}
    defaultMode: 0440
{{- end }}
{{- if .Values.tls.secret }}
- name: tls
  secret:
    secretName: {{ .Values.tls.secret }}
    defaultMode: 0440
{{- end }}
{{- if eq .Values.journal.kind "sqlite" }}
- name: journal
  persistentVolumeClaim:
    claimName: {{ include "gateway.name" . }}-journal
{{- end }}
{{- end }}

{{/* Which nodes a pod may be on, and who may pull its image. */}}
{{- define "gateway.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "gateway.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "gateway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
