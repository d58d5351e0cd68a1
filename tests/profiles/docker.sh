#!/bin/sh
# Answers as docker does to what the profile redcube asks, of a project "cube" whose state is
# in files beside it: the image that runs, the images that are called latest and previous, how
# often the content service was started, the feature flag in it, and whether the compose file
# hands that flag on. The database is a real one.
set -eu
here="$(dirname "$0")"
has() { [ -s "$here/$1" ]; }
started() { printf '2026-01-01T00:00:%02dZ' "$(cat "$here/starts")"; }
start() {
  echo $(($(cat "$here/starts") + 1)) > "$here/starts"
}
stats() { printf '{"CPUPerc":"%s","MemPerc":"%s","Name":"cube-%s-service-1"}\n' "$2" "$3" "$1"; }
service() { printf '{"ExitCode":0,"Health":"","Service":"%s","State":"running"}\n' "$1"; }

case "$*" in
"stats --no-stream --format {{json .}}")
  stats content 12.50% 30.10%
  stats user 3.00% 20.00%
  ;;
"compose -p cube -f "*" ps --all --format json")
  service content-service
  service user-service
  service postgres
  # A task that was done once and has ended.
  echo '{"ExitCode":0,"Health":"","Service":"init","State":"exited"}'
  ;;
"compose -p cube -f "*" logs -f --no-color --timestamps --since "*" content-service")
  # Forty requests, every tenth of which has failed, as the console transport prints them.
  n=0
  while [ "$n" -lt 40 ]; do
    n=$((n + 1))
    status=200
    if [ $((n % 10)) = 0 ] && has failing; then status=502; fi
    line() { echo "content-service-1  | $(date -u +%Y-%m-%dT%H:%M:%S.000000000Z) $1"; }
    line "$(date -u '+%Y-%m-%d %H:%M:%S').123 [info]: request.completed {"
    line "  \"trace_id\": \"trace-$n\","
    line '  "method": "GET",'
    line '  "path": "/api/content/health",'
    line "  \"status\": $status,"
    line "  \"duration_ms\": 12,"
    line '  "user_agent": "agent-canary"'
    line "}"
  done
  exec sleep 600
  ;;
"compose -p cube -f "*" logs -f --no-color --timestamps --since "*" user-service")
  # A program that prints nothing at all is not known to read the log.
  echo "user-service-1  | $(date -u +%Y-%m-%dT%H:%M:%S.000000000Z) $(date -u '+%Y-%m-%d %H:%M:%S').123 [info]: started"
  exec sleep 600
  ;;
"inspect -f {{.Image}} "*"cube-content-service-1")
  echo "sha256:$(cat "$here/running") $(started) oom=false restarts=0"
  ;;
"inspect -f {{.Image}} "*"cube-user-service-1")
  echo "sha256:abcd 2026-01-01T00:00:00Z oom=false restarts=0"
  ;;
"inspect -f {{.State.StartedAt}} redcube_postgres")
  echo "2026-01-01T00:00:00Z"
  ;;
"image inspect -f {{json .RepoTags}} cube-content-service:previous")
  has previous || { echo "Error: No such image" >&2; exit 1; }
  if cmp -s "$here/previous" "$here/latest"; then
    echo '["cube-content-service:latest","cube-content-service:previous"]'
  else
    echo '["cube-content-service:previous"]'
  fi
  ;;
"ps --filter ancestor=cube-content-service:previous --format {{.Names}}")
  if cmp -s "$here/previous" "$here/running"; then echo cube-content-service-1; fi
  ;;
"exec cube-content-service-1 printenv FEATURE_UGC_ANALYSIS")
  has flag && cat "$here/flag"
  ;;
"tag cube-content-service:latest cube-content-service:previous") cp "$here/latest" "$here/previous" ;;
"tag cube-content-service:previous cube-content-service:latest") cp "$here/previous" "$here/latest" ;;
"compose -p cube -f "*" up -d --no-deps --no-build --force-recreate content-service")
  cp "$here/latest" "$here/running"
  start
  # A container gets what the compose file names, and nothing else.
  if has wired; then echo "${FEATURE_UGC_ANALYSIS-}" > "$here/flag"; fi
  ;;
"compose -p cube -f "*" restart -t 10 content-service") start ;;
"stop content-service" | "start content-service") start ;;
"exec redcube_postgres pg_dump -U postgres -d postgres")
  # Without -i nothing can be read by what runs in the container.
  if has cut; then
    "$PG/pg_dump" -h "$PGHOST_OF_TEST" -p "$PGPORT_OF_TEST" -U postgres -d postgres | head -n 5
  else
    exec "$PG/pg_dump" -h "$PGHOST_OF_TEST" -p "$PGPORT_OF_TEST" -U postgres -d postgres
  fi
  ;;
*)
  echo "docker: not known here: $*" >&2
  exit 125
  ;;
esac
