#!/bin/sh
# Runs the scripts of the agent's repository: what they print is theirs, and so is that the
# first two end with 0 whatever they have found.
set -eu
faults='@FAULTS@'
green=$(printf '\033[32m')
red=$(printf '\033[31m')
plain=$(printf '\033[0m')

if [ "${1:-}" != --no-install ]; then
    echo 'npm error canceled due to missing packages and no YES option: ["tsx"]' >&2
    exit 1
fi
if [ "${2:-}" != tsx ]; then
    echo "npm error could not determine executable to run" >&2
    exit 1
fi

suite() {
    if [ "$2" = fails ]; then
        echo "${red}❌ $1 FAILED${plain}"
    else
        echo "${green}✅ $1 PASSED${plain}"
    fi
}

redis=works
if [ -e "$faults/redis-outage" ]; then redis=fails; fi
dashboard=$redis
if [ -e "$faults/suites-lie" ]; then dashboard=fails; fi

case ${3:-} in
scripts/test-redis-comprehensive.ts)
    suite "Unit Tests" works
    suite "Integration Tests - Lead Service" "$redis"
    suite "Integration Tests - Conversation Service" "$redis"
    suite "Resilience Tests" works
    suite "Performance Tests" "$redis"
    suite "E2E Webhook Tests" "$redis"
    suite "E2E Dashboard Tests" "$dashboard"
    ;;
scripts/redis-validation-suite.ts)
    if [ "$dashboard" = fails ]; then
        echo "🛑 NOT PRODUCTION READY"
        echo "✅ Resilience measures operational"
    else
        echo "🚀 PRODUCTION READY - Excellent"
        echo "✅ All critical systems functioning correctly"
        echo "✅ Performance targets met"
        echo "✅ Resilience measures operational"
    fi
    ;;
scripts/test-redis.ts)
    if [ -z "${REDIS_URL:-}" ]; then
        echo "REDIS_URL is not set" >&2
        exit 1
    fi
    if [ "$redis" = fails ]; then
        echo "Error: connect ETIMEDOUT" >&2
        exit 1
    fi
    echo "connected, PONG"
    ;;
*)
    echo "Error [ERR_MODULE_NOT_FOUND]: Cannot find module '${3:-}'" >&2
    exit 1
    ;;
esac
