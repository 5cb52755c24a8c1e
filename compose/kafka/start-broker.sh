#!/bin/sh
# start-broker.sh SERVER_PROPERTIES [name=value …]   becomes a Kafka broker; formats its folder when that is empty
#   BROKER_ID    1, 2 or 3
#   BROKER_HOST  the name under which everybody reaches it: clients are sent there
#   CLUSTER_ID   16 bytes in Base64, 22 characters, the same for all three
# Further properties win over the file's.
set -eu
properties=${1:?usage: start-broker.sh SERVER_PROPERTIES [name=value …]}
shift
: "${BROKER_ID:?must be 1, 2 or 3}" "${BROKER_HOST:?must be the name under which clients reach this broker}"
: "${CLUSTER_ID:?must be 22 characters of Base64, the same for all brokers}"
bin=${KAFKA_BIN:-/opt/kafka/bin}
complete=${TMPDIR:-/tmp}/server.properties

{
  cat "$properties"
  echo "node.id=$BROKER_ID"
  echo 'listeners=PLAINTEXT://:9092,CONTROLLER://:9093'
  echo "advertised.listeners=PLAINTEXT://$BROKER_HOST:9092"
  for property in "$@"; do echo "$property"; done
} > "$complete"

"$bin/kafka-storage.sh" format --ignore-formatted --cluster-id "$CLUSTER_ID" --config "$complete"
exec "$bin/kafka-server-start.sh" "$complete"
