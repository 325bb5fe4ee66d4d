{{/* The labels by which things are selected: they may never change. Takes the name of the service. */}}
{{- define "platform.selector" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/part-of: distributed-systems
{{- end }}

{{/* Takes a list of the root and the name. */}}
{{- define "platform.labels" -}}
{{- $root := index . 0 -}}
{{ include "platform.selector" (index . 1) }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/version: {{ $root.Values.image.tag | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end }}

{{/* The image of a service. */}}
{{- define "platform.image" -}}
{{- $image := (index . 0).Values.image -}}
{{ with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}/{{ index . 1 }}:{{ $image.tag }}
{{- end }}

{{- define "platform.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "platform.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Password and database of a service with one. */}}
{{- define "platform.databaseEnv" -}}
{{- $root := index . 0 -}}
- name: POSTGRES_DB
  value: {{ index . 1 }}
- name: POSTGRES_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $root.Values.names.secret }}
      key: postgres-password
{{- end }}
