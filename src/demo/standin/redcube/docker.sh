#!/bin/sh
# Answers as docker and docker compose do, of the containers and images whose state is in
# files: images/NAME holds an identifier; containers/SERVICE/ holds image, started, restarts,
# oom, state, exit, memory, cpu, env/NAME, and how often an operator has touched it.
set -eu
state='@STATE@'
project='@PROJECT@'
pgbin='@PGBIN@'
pgport='@PGPORT@'
here="$state/containers"

fail() { echo "$1" >&2; exit "${2:-1}"; }
now() { date -u +%Y-%m-%dT%H:%M:%S.%NZ; }
put() { printf '%s\n' "$3" > "$here/$1/.$2" && mv "$here/$1/.$2" "$here/$1/$2"; }
get() { cat "$here/$1/$2"; }
touched() { put "$1" operated $(($(get "$1" operated) + 1)); }

# The service of a container's name.
service() {
  name="$1"
  case "$name" in
    redcube_postgres) name=postgres ;;
    "$project"-*-1) name="${name#"$project"-}"; name="${name%-1}" ;;
  esac
  [ -d "$here/$name" ] || fail "Error response from daemon: No such container: $1"
  echo "$name"
}
container() {
  case "$1" in
    postgres) echo redcube_postgres ;;
    *) echo "$project-$1-1" ;;
  esac
}
image() { cat "$state/images/$1" 2>/dev/null || fail "Error: No such image: $1"; }

start() { put "$1" state running; put "$1" exit 0; put "$1" started "$(now)"; }
# A container that is made anew: the image that is called latest, and of the environment what
# the compose file names, from the shell first and .env second.
make() {
  svc="$1"
  if [ -f "$state/images/$project-$svc:latest" ]; then
    put "$svc" image "$(image "$project-$svc:latest")"
  fi
  rm -rf "$here/$svc/env"; mkdir "$here/$svc/env"
  for key in FEATURE_UGC_ANALYSIS FEATURE_RECOMMENDATIONS; do
    grep -q "$key" "$directory/docker-compose.yml" || continue
    value="$(printenv "$key" || sed -n "s/^$key=//p" "$directory/.env" 2>/dev/null | tail -n 1)"
    printf '%s\n' "$value" > "$here/$svc/env/$key"
  done
  put "$svc" restarts 0; put "$svc" oom false; start "$svc"
}
# Whether a container would be made anew without being forced to.
differs() {
  [ "$(get "$1" state)" = running ] || return 0
  [ -f "$state/images/$project-$1:latest" ] || return 1
  [ "$(get "$1" image)" != "$(image "$project-$1:latest")" ]
}

inspect() {
  svc="$(service "$2")"
  printf '%s\n' "$1" | sed \
    -e "s|{{.Image}}|$(get "$svc" image)|g" -e "s|{{.State.StartedAt}}|$(get "$svc" started)|g" \
    -e "s|{{.State.OOMKilled}}|$(get "$svc" oom)|g" -e "s|{{.RestartCount}}|$(get "$svc" restarts)|g" \
    -e "s|{{.State.Status}}|$(get "$svc" state)|g" -e "s|{{.Name}}|/$(container "$svc")|g"
}

# A program in a container. Without -i nothing can be read by it.
run_in() {
  input=no
  while :; do
    case "$1" in
      -i) input=yes; shift ;;
      -T | -t | -it) [ "$1" = -it ] && input=yes; shift ;;
      -e | -u | -w) shift 2 ;;
      *) break ;;
    esac
  done
  svc="$(service "$1")"; shift
  [ "$(get "$svc" state)" = running ] || fail "Error response from daemon: container is not running"
  [ "$input" = yes ] || exec < /dev/null
  case "$1" in
    printenv) [ -s "$here/$svc/env/$2" ] && exec cat "$here/$svc/env/$2"; exit 1 ;;
    psql | pg_dump | pg_restore | pg_isready)
      program="$1"; shift
      # Clients may be installed apart from the server.
      [ -x "$pgbin/$program" ] || pgbin="$(dirname "$(command -v "$program")")"
      # Paths in the container are elsewhere here.
      count=$#
      while [ "$count" -gt 0 ]; do
        case "$1" in
          /docker-entrypoint-initdb.d/* | /rollback/*) set -- "$@" "$state$1" ;;
          *) set -- "$@" "$1" ;;
        esac
        shift; count=$((count - 1))
      done
      export PGHOST=127.0.0.1 PGPORT="$pgport" PGPASSFILE="$state/pgpass"
      if [ "$program" = pg_dump ] && [ -e "$state/dump-cut" ]; then
        "$pgbin/pg_dump" "$@" | head -n 5
        exit 0
      fi
      exec "$pgbin/$program" "$@"
      ;;
    *) fail "OCI runtime exec failed: \"$1\": executable file not found in \$PATH" 126 ;;
  esac
}

logs() {
  follow=no; stamps=no; since=; tail=all; services=
  while [ $# -gt 0 ]; do
    case "$1" in
      -f | --follow) follow=yes ;;
      -t | --timestamps) stamps=yes ;;
      --since) since="$2"; shift ;;
      --tail) tail="$2"; shift ;;
      --tail=*) tail="${1#--tail=}" ;;
      --no-color | --no-log-prefix) ;;
      *) services="$1" ;;
    esac
    shift
  done
  svc="$(service "${services:-content-service}")"
  file="$state/logs/$svc"
  # To the second: that is how exact a time without fractions is.
  first=1
  if [ -n "$since" ]; then
    first="$(awk -v since="$(printf %.19s "$since")" \
      'substr($1, 1, 19) >= since { print NR; found = 1; exit } END { if (!found) print NR + 1 }' "$file")"
  elif [ "$tail" != all ]; then
    first=$(($(wc -l < "$file") - tail + 1))
    [ "$first" -ge 1 ] || first=1
  fi
  edit="s/^/$svc-1  | /"
  [ "$stamps" = yes ] || edit="s/^[^ ]* /$svc-1  | /"
  if [ "$follow" = yes ]; then
    tail -n "+$first" -F "$file" 2>/dev/null | sed -u -e "$edit"
  else
    tail -n "+$first" "$file" | sed -e "$edit"
  fi
}

listed() {
  for dir in "$here"/*/; do
    svc="$(basename "$dir")"
    printf '{"ExitCode":%s,"Health":"%s","Image":"%s","Name":"%s","Project":"%s","Service":"%s","State":"%s"}\n' \
      "$(get "$svc" exit)" "$(get "$svc" health)" "$project-$svc" "$(container "$svc")" "$project" \
      "$svc" "$(get "$svc" state)"
  done
}

compose() {
  directory="$PWD"
  while :; do
    case "$1" in
      -p) [ "$2" = "$project" ] || fail "no such project: $2"; shift 2 ;;
      -f) directory="$(dirname "$2")"; shift 2 ;;
      *) break ;;
    esac
  done
  [ -f "$directory/docker-compose.yml" ] || fail "no configuration file provided: not found" 14
  verb="$1"; shift
  case "$verb" in
    ps)
      case "$*" in
        *json*) listed ;;
        *) for dir in "$here"/*/; do svc="$(basename "$dir")"; echo "$(container "$svc")  $(get "$svc" state)"; done ;;
      esac
      ;;
    logs) logs "$@" ;;
    exec) run_in "$@" ;;
    config) cat "$directory/docker-compose.yml" ;;
    up | restart | stop | start)
      force=no; services=
      while [ $# -gt 0 ]; do
        case "$1" in
          -t | --timeout) shift ;;
          --force-recreate) force=yes ;;
          -*) ;;
          *) services="$services $(service "$1")" ;;
        esac
        shift
      done
      [ -n "$services" ] || services="$(ls "$here")"
      for svc in $services; do
        case "$verb" in
          up) if [ "$force" = yes ] || differs "$svc"; then make "$svc"; touched "$svc"; fi ;;
          restart | start) start "$svc"; touched "$svc" ;;
          stop) put "$svc" state exited; put "$svc" exit 0; touched "$svc" ;;
        esac
        echo " Container $(container "$svc")  Done" >&2
      done
      ;;
    *) fail "unknown docker command: \"compose $verb\"" 16 ;;
  esac
}

verb="${1:-}"
[ -n "$verb" ] && shift
case "$verb" in
  compose) compose "$@" ;;
  stats)
    case "$*" in *--no-stream*) ;; *) exec sleep 86400 ;; esac
    for svc in content-service user-service postgres; do
      printf '{"CPUPerc":"%s%%","MemPerc":"%s%%","Name":"%s"}\n' \
        "$(get "$svc" cpu)" "$(get "$svc" memory)" "$(container "$svc")"
    done
    ;;
  inspect) [ "$1" = -f ] && inspect "$2" "$3" ;;
  image)
    [ "$1" = inspect ] || fail "unknown docker command: \"image $1\""
    shift
    case "$1" in -f) shift 2 ;; esac
    wanted="$(image "$1")"
    tags=
    for file in "$state"/images/*; do
      [ "$(cat "$file")" = "$wanted" ] && tags="$tags,\"$(basename "$file")\""
    done
    echo "[${tags#,}]"
    ;;
  images) for file in "$state"/images/*; do echo "$(basename "$file") $(cat "$file")"; done ;;
  tag) image "$1" > "$state/images/.new" && mv "$state/images/.new" "$state/images/$2" ;;
  ps)
    ancestor=
    for word in "$@"; do case "$word" in ancestor=*) ancestor="$(image "${word#ancestor=}" 2>/dev/null || :)" ;; esac; done
    for dir in "$here"/*/; do
      svc="$(basename "$dir")"
      [ "$(get "$svc" state)" = running ] || continue
      case "$*" in *ancestor=*) [ "$(get "$svc" image)" = "$ancestor" ] || continue ;; esac
      container "$svc"
    done
    ;;
  exec) run_in "$@" ;;
  stop) svc="$(service "$1")"; put "$svc" state exited; touched "$svc"; echo "$1" ;;
  start | restart) svc="$(service "$1")"; start "$svc"; touched "$svc"; echo "$1" ;;
  *) fail "docker: '$verb' is not a docker command." ;;
esac
