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
# What an image's name stands for; an identifier stands for itself, with or without a name.
image() {
  case "$1" in
    sha256:*) grep -qxF -r "$1" "$state/images" "$state/built" "$here"/*/image && echo "$1" && return ;;
    *) cat "$state/images/$1" 2>/dev/null && return ;;
  esac
  fail "Error response from daemon: No such image: $1"
}

# The variables that the compose file hands on, and what to each of them.
handed_on() { sed -n 's/^ *\([A-Z_]*\): ${\1}$/\1/p' "$directory/docker-compose.yml"; }
handed() { printenv "$1" || sed -n "s/^$1=//p" "$directory/.env" 2>/dev/null | tail -n 1; }

start() { put "$1" state running; put "$1" exit 0; put "$1" started "$(now)"; }
# A container that is made anew: the image that is called latest, and of the environment what
# the compose file names, from the shell first and .env second.
make() {
  svc="$1"
  if [ -f "$state/images/$project-$svc:latest" ]; then
    put "$svc" image "$(image "$project-$svc:latest")"
  fi
  rm -rf "$here/$svc/env"; mkdir "$here/$svc/env"
  for key in $(handed_on); do
    handed "$key" > "$here/$svc/env/$key"
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
  case "$1" in
    *'range .Config.Env'*)
      # A word for each variable that the format compares with.
      printf '%s' "$(get "$svc" state)"
      for file in "$here/$svc"/env/*; do
        [ -e "$file" ] || continue
        is="$(basename "$file")=$(cat "$file")"
        printf '%s\n' "$1" | sed 's/{{if /\n/g' | sed -n "s/^eq [.] \"$is\"}}\([^{]*\){{end}}.*/\1/p" | tr -d '\n'
      done
      echo
      return
      ;;
  esac
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

# What ps says of a container: a word for what the format makes of its state, the service, and
# the state in docker's own words. Services that run once are named in the format.
told() {
  svc="$1"
  word=stopped
  [ "$(get "$svc" state)" = running ] && word=running
  case ",$(printf '%s\n' "$2" | sed 's/.*range split "\([^"]*\)".*/\1/')," in *",$svc,"*) word=once ;; esac
  health="$(get "$svc" health)"
  case "$(get "$svc" state)" in
    running) echo "$word $svc Up 3 hours${health:+ ($health)}" ;;
    exited) echo "$word $svc Exited ($(get "$svc" exit)) 2 minutes ago" ;;
    created) echo "$word $svc Created" ;;
    *) echo "$word $svc $(get "$svc" state)" ;;
  esac
}

# The configuration with everything put in.
configuration() {
  echo '{"services":{'
  for svc in $(ls "$here"); do
    printf '"%s":{"image":"%s","environment":{"NODE_ENV":"production"' "$svc" "$project-$svc"
    for key in $(handed_on); do printf ',"%s":"%s"' "$key" "$(handed "$key")"; done
    [ "$svc" = user-service ] && echo '}}' || echo '}},'
  done
  echo '}}'
}

# Each build has another identifier.
build() {
  for svc in "$@"; do
    case "$svc" in -*) continue ;; esac
    svc="$(service "$svc")"
    echo "sha256:$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')" | tee -a "$state/built" > "$state/images/.new"
    mv "$state/images/.new" "$state/images/$project-$svc:latest"
    echo " $svc  Built" >&2
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
    config)
      case "$*" in *json*) configuration ;; *) cat "$directory/docker-compose.yml" ;; esac
      ;;
    build) build "$@" ;;
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
    format=
    case "$1" in -f) format="$2"; shift 2 ;; esac
    wanted="$(image "$1")"
    if [ "$format" = '{{.Id}}' ]; then echo "$wanted"; exit 0; fi
    tags=
    for file in "$state"/images/*; do
      [ "$(cat "$file")" = "$wanted" ] && tags="$tags,\"$(basename "$file")\""
    done
    echo "[${tags#,}]"
    ;;
  images)
    reference=
    for word in "$@"; do case "$word" in reference=*) reference="${word#reference=}" ;; esac; done
    for file in "$state/images/$reference"*; do
      name="$(basename "$file")"
      case "$*" in
        *'{{.Tag}} {{.ID}}'*) echo "${name##*:} $(cat "$file")" ;;
        *) echo "$name $(cat "$file")" ;;
      esac
    done
    ;;
  tag) image "$1" > "$state/images/.new" && mv "$state/images/.new" "$state/images/$2" ;;
  ps)
    ancestors=
    for word in "$@"; do
      case "$word" in ancestor=*) ancestors="$ancestors $(image "${word#ancestor=}" 2>/dev/null || :)" ;; esac
    done
    for dir in "$here"/*/; do
      svc="$(basename "$dir")"
      case "$*" in *com.docker.compose.service*) told "$svc" "$*"; continue ;; esac
      [ "$(get "$svc" state)" = running ] || continue
      case "$*" in *ancestor=*) case " $ancestors " in *" $(get "$svc" image) "*) ;; *) continue ;; esac ;; esac
      container "$svc"
    done
    ;;
  exec) run_in "$@" ;;
  stop) svc="$(service "$1")"; put "$svc" state exited; touched "$svc"; echo "$1" ;;
  start | restart) svc="$(service "$1")"; start "$svc"; touched "$svc"; echo "$1" ;;
  *) fail "docker: '$verb' is not a docker command." ;;
esac
